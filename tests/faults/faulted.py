"""A run of weights that nobody trained, its scripts as processes, and whether they left what an
undisturbed run leaves.

"Identical" is bit-identical to a run that was never disturbed and had no workers: see `hashes`.
"""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from hashes import digests

from lsd.blockwise.on_disk.ledger import RECORD
from lsd.blockwise.on_disk.step import load_step
from lsd.network.cascade import Cascade
from lsd.network.checkpoints import checkpoint
from lsd.spec import (
    Affinities,
    Config,
    Dataset,
    Evaluate,
    Head,
    Network,
    Predict,
    Segment,
    Stage,
    Synthetic,
    UNet,
    Variant,
    Volume,
    Workers,
    paths,
)  # fmt: skip

ROOT = Path(__file__).parents[2]
FIB25 = ROOT.parent / "shared" / "data" / "fib25.zarr"
LABELS = "volumes/labels/neuron_ids"
# neither is a multiple of the blocks: 10x10x10 are predicted at once, 12x16x16 segmented
VOLUMES = {
    "synthetic": Volume(synthetic=Synthetic(shape=(20, 32, 36), seed=3), labels=LABELS, name="em"),
    "fib25": Volume(path=str(FIB25), labels=LABELS, name="em", region="200:220, 100:132, 100:136"),
}
# a run whose regions grow in blocks has the same prediction as the one before it in RUNS
IN_BLOCKS = ", in blocks"
RUNS = [name + suffix for name in VOLUMES for suffix in ("", IN_BLOCKS)]
THRESHOLDS = (0.3, 0.4, 0.5)


def begin(folder: Path, volume: Volume) -> Config:
    """A config of weights that nobody trained; regions grow over the whole volume."""
    variant = Variant(stages=(Stage(name="affs", heads={"affs": Head(target=Affinities())}),))
    trunk = UNet(features=3, multiplier=2, factors=((2, 2, 2),), kernels=((3, 3, 3),))
    config = Config(
        name="größe = 1: x",
        dataset=Dataset(test=(volume,)),
        variant=variant,
        network=Network(trunk=trunk, train_shape=(18, 18, 18), predict_shape=(18, 18, 18)),
        predict=Predict(
            volumes=("test",),
            checkpoint=str(folder / "weights.pt"),
            device="cpu",
            threads=1,
            dtype="float32",
        ),
        segment=Segment(
            block=(12, 16, 16),
            context=(4, 4, 4),
            edge_context=(8, 8, 8),
            agglomeration="whole",
            caution=0.2,
            cautious_above=100,
            thresholds=THRESHOLDS,
            fragments={"min_seed_distance": 3},
        ),
        evaluate=Evaluate(block=(12, 16, 16)),
        runs=str(folder / "runs"),
        data_root=str(folder),
    )
    save_weights(config, folder / "weights.pt", seed=1)
    return config


def save_weights(config: Config, path: Path, *, seed: int) -> None:
    torch.manual_seed(seed)
    weights = dict(Cascade(config.variant, config.network.trunk).state_dict())
    # affinities that are spread over 0..1
    head = weights["stage_affs.heads.head_affs.weight"]
    weights["stage_affs.heads.head_affs.weight"] = 100 * (head - head.mean(dim=1, keepdim=True))
    weights["stage_affs.heads.head_affs.bias"] *= 0
    content = {
        "config": config.model_dump_json(),
        "stage": "affs",
        "iteration": 7,
        "model": weights,
        "normalisation": {"to": [-1.0, 1.0]},
    }
    checkpoint.save(path, content)


def other(config: Config, *, runs: Path | str = "", **changes) -> Config:
    """The same in another folder, with other settings: {"segment": {"block": (1, 2, 3)}}."""
    sections = {name: getattr(config, name).derive(**update) for name, update in changes.items()}
    return config.derive(runs=str(runs or config.runs), **sections)


def take_prediction(config: Config, source: Config) -> None:
    """Copies the prediction of the run of `source` into that of `config`."""
    shutil.copytree(
        paths.run_folder(source) / "prediction", paths.run_folder(config) / "prediction"
    )


class Script:
    """A script under way, whose blocks go wrong as planned: see blockwise/faulty.py."""

    def __init__(
        self, folder: Path, command: str, config: Config, plan: dict[str, str], *overrides: str
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(config.model_dump_json())
        self._start(folder, plan, command, "-c", str(folder / "config.json"), *overrides)

    @classmethod
    def of(cls, folder: Path, plan: dict[str, str], *words: str) -> "Script":
        """A script that takes no config."""
        script = cls.__new__(cls)
        script._start(folder, plan, *words)
        return script

    def _start(self, folder: Path, plan: dict[str, str], *words: str) -> None:
        self.folder, self.pids = folder, folder / "pids"
        self.pids.mkdir(parents=True, exist_ok=True)
        (folder / "plan.json").write_text(json.dumps(plan))
        if not (folder / "met").exists():
            os.mkfifo(folder / "met")
        self._met = os.open(folder / "met", os.O_RDWR | os.O_NONBLOCK)
        with (folder / "stderr").open("wb") as said:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "tests" / "blockwise" / "faulty.py"), *words],
                cwd=ROOT,
                env={**os.environ, "FAULTS": str(folder), "OMP_NUM_THREADS": "1"},
                stdout=subprocess.DEVNULL,
                stderr=said,
                start_new_session=True,
            )

    def meets(self) -> None:
        """Returns when a block met what was planned for it."""
        assert select.select([self._met], [], [], 300)[0], f"nothing was met; {self.said()}"
        os.read(self._met, 4096)

    def said(self) -> str:
        """What it, and its workers, said so far."""
        return (self.folder / "stderr").read_text()

    def ends(self) -> int:
        """Its exit status, when it and its workers have ended."""
        status = self.process.wait(300)
        for pid in self._alive():
            pytest.fail(f"process {pid} did not end with the script")
        return status

    def close(self) -> None:
        """Leaves nothing behind, whatever happened."""
        os.close(self._met)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _alive(self):
        """Processes that did blocks and are still there though they had some seconds to end."""
        for pid in [int(path.name) for path in self.pids.iterdir()]:
            with suppress(ProcessLookupError):
                watched = os.pidfd_open(pid)
                if not select.select([watched], [], [], 60)[0]:
                    yield pid
                os.close(watched)


def workers(count: int) -> Workers:
    return Workers(count=count, timeout=600)


def check(config: Config, expected: dict[str, str], part: str = "") -> None:
    """Identical, no block was done twice, and nothing that was half written is left."""
    found = digests(paths.run_folder(config))
    assert {name: value for name, value in expected.items() if part in name} == found
    for step in paths.run_folder(config).rglob("step.json"):
        records = sum(path.stat().st_size for path in step.parent.glob("*.done")) // RECORD.itemsize
        assert records == len(load_step(step.parent).grid), (
            f"blocks of {step.parent} were done again"
        )
    assert [
        path for path in Path(config.runs).rglob("*") if path.suffix in (".partial", ".lock")
    ] == []


needs_fib25 = pytest.mark.skipif(not FIB25.exists(), reason=f"there is no {FIB25}")
runs = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[needs_fib25] if "fib25" in name else []) for name in RUNS]
)


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
