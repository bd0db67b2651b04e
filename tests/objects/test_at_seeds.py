"""Objects at located points, over blocks, against the objects that are there."""

import numpy as np
from seeded_run import balls, is_renaming, make_run, read, table_of

from lsd.blockwise.on_disk.ledger import read_ledger
from lsd.blockwise.on_disk.step import step_folder
from lsd.objects.at_seeds import SEED
from lsd.objects.run import segment_at_seeds

SHAPE = (60, 70, 66)
LABELS = balls(SHAPE, count=14, radius=9)


def rows_of(path):
    ledger = read_ledger(step_folder(path, "seeds"))
    return np.concatenate([ledger.block_rows(n, SEED) for n in range(len(ledger.records))])


def test_every_object_is_found_whole_and_once(tmp_path) -> None:
    config = make_run(tmp_path, LABELS, table_of(LABELS, jitter=3))
    [path] = segment_at_seeds(config)
    result = read(path)
    assert result.dtype == np.uint64
    assert is_renaming(result, LABELS)
    assert sorted(np.unique(result)) == list(range(15))
    rows = rows_of(path)
    assert sorted(rows["id"]) == list(range(1, 15))
    assert (rows["label"] == rows["id"]).all()
    assert not rows["cut"].any()
    # an object that fits into a window takes one
    boxes = table_of(LABELS)
    extent = np.rint((boxes.end - boxes.begin) / (12, 8, 8)).max(axis=1)
    small = set(boxes.id[extent <= 12])
    assert small
    assert (rows["windows"][np.isin(rows["id"], list(small))] == 1).all()
