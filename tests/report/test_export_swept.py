"""What a killed export left half written goes with the next."""

import json

import numpy as np
from funlib.geometry import Roi

from lsd.blockwise.on_disk.grid import tile
from lsd.blockwise.on_disk.job import Job
from lsd.blockwise.on_disk.lock import exclusive, lock_of
from lsd.blockwise.on_disk.output import Output
from lsd.blockwise.on_disk.step import Step
from lsd.report.exports.exporter import Running
from lsd.spec import Workers

ROWS = np.dtype([("value", "<u8")])


class _Numbers(Job):
    """A row for each number of a line."""

    def open(self, container, worker):
        return self

    def read(self, block):
        return block.index

    def compute(self, block, source):
        return Output(rows=np.full(1, source, ROWS["value"]).view(ROWS))


def test_a_chunk_that_a_killed_export_left_is_swept(tmp_path) -> None:
    container = tmp_path / "em.zarr"
    torn = container / "raw" / "0" / f"1.{'0123456789abcdef' * 2}.partial"
    torn.parent.mkdir(parents=True)
    torn.write_bytes(b"half")
    grid = tile(Roi((0,), (2,)), (1,), step=(1,), context=((0,), (0,)))
    step = Step("copy", container, grid, _Numbers(), rows=ROWS)
    running = Running("em", Workers(), lambda line: None)
    running.run(step)
    assert torn.exists(), "nobody was killed, so it may be another's"
    with exclusive(container):
        there = json.loads(lock_of(container).read_text())
    lock_of(container).write_text(json.dumps({**there, "pid": 2**22 + 1}))
    running.run(step)
    assert not torn.exists()
