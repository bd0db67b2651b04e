"""The scripts when something goes wrong: killed, interrupted, damaged, mounted read only; what they
leave, and how they go on.

"Identical" is bit-identical to a run that was never disturbed and had no workers: see `hashes`.
"""

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from pathlib import Path

import pytest
import torch
from hashes import digests

from lsd.blockwise.on_disk.inspect import verify
from lsd.blockwise.on_disk.ledger import RECORD, read_ledger
from lsd.blockwise.on_disk.step import load_step
from lsd.blockwise.running.run import BlocksFailed
from lsd.evaluation.counting import Counts
from lsd.evaluation.run import evaluate
from lsd.network.cascade import Cascade
from lsd.network.checkpoints import checkpoint
from lsd.prediction.blocks import Heads
from lsd.prediction.run import predict
from lsd.segmentation.over_blocks.contacts import Contacts
from lsd.segmentation.over_blocks.fragments import Fragments
from lsd.segmentation.run import segment
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

pytestmark = pytest.mark.faults

ROOT = Path(__file__).parents[1]
FIB25 = ROOT.parent / "shared" / "data" / "fib25.zarr"
LABELS = "volumes/labels/neuron_ids"
# neither is a multiple of the blocks: 10x10x10 are predicted at once, 12x16x16 segmented
VOLUMES = {
    "synthetic": Volume(synthetic=Synthetic(shape=(20, 32, 36), seed=3), labels=LABELS, name="em"),
    "fib25": Volume(path=str(FIB25), labels=LABELS, name="em", region="200:220, 100:132, 100:136"),
}
# name -> volume, and where regions grow
RUNS = {
    **{name: (volume, "whole") for name, volume in VOLUMES.items()},
    **{f"{name}, in blocks": (volume, "blocks") for name, volume in VOLUMES.items()},
}
THRESHOLDS = (0.3, 0.4, 0.5)


def begin(folder: Path, volume: Volume, agglomeration: str) -> Config:
    """A config of weights that nobody trained."""
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
            agglomeration=agglomeration,
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


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A function: the config and the digests of one of RUNS without workers, that nothing happened
    to."""
    made = {}

    def undisturbed(name):
        if name not in made:
            config = begin(tmp_path_factory.mktemp("run"), *RUNS[name])
            predict(config)
            segment(config)
            evaluate(config)
            made[name] = config, digests(paths.run_folder(config))
        return made[name]

    return undisturbed


@pytest.fixture
def copy(undisturbed, tmp_path):
    """A function: the config of a copy of the undisturbed run of the synthetic volume, and the
    digests."""

    def copy():
        config, expected = undisturbed("synthetic")
        shutil.copytree(config.runs, tmp_path / "runs")
        return other(config, runs=tmp_path / "runs"), expected

    return copy


class Script:
    """A script under way, whose blocks go wrong as planned: see blockwise/faulty.py."""

    def __init__(
        self, folder: Path, command: str, config: Config, plan: dict[str, str], *overrides: str
    ) -> None:
        self.folder, self.pids = folder, folder / "pids"
        self.pids.mkdir(parents=True, exist_ok=True)
        (folder / "plan.json").write_text(json.dumps(plan))
        (folder / "config.json").write_text(config.model_dump_json())
        if not (folder / "met").exists():
            os.mkfifo(folder / "met")
        self._met = os.open(folder / "met", os.O_RDWR | os.O_NONBLOCK)
        wrapped = [sys.executable, str(ROOT / "tests" / "blockwise" / "faulty.py"), command]
        with (folder / "stderr").open("wb") as said:
            self.process = subprocess.Popen(
                [*wrapped, "-c", str(folder / "config.json"), *overrides],
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


@pytest.fixture
def start(tmp_path):
    """Script, ended with the test."""
    scripts = []

    def start(*arguments, **named) -> Script:
        scripts.append(Script(tmp_path / "faults", *arguments, **named))
        return scripts[-1]

    yield start
    for script in scripts:
        script.close()


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


@runs
@pytest.mark.parametrize("count", [1, 2])
def test_workers_change_nothing(undisturbed, tmp_path, name, count) -> None:
    config, expected = undisturbed(name)
    config = other(config, runs=tmp_path, segment={"workers": workers(count)})
    predict(config, workers=workers(count))
    segment(config)
    evaluate(config)
    check(config, expected)


EDGES = {
    "whole": ({"Contacts 2": "kill", "Contacts 6": "driver"}, {"Whole 0": "kill"}),
    "blocks": ({"Edges 2": "kill", "Edges 6": "driver"},),
}
KILLED = {
    "super_predicter_daisy.py": (
        {"Heads 2": "kill", "Heads 7": "driver"},
        {"Heads 12": "crash"},
        {"Heads 18": "kill", "Heads 24": "driver"},
    ),
    "segment.py": (
        {"Fragments 2": "kill", "Fragments 6": "driver"},
        ...,
        {"Segments 4": "crash"},
    ),
}


def plans_of(command: str, agglomeration: str) -> Iterator[dict[str, str]]:
    """What is to happen, start by start; ... stands for the steps that score edges."""
    for plan in KILLED[command]:
        yield from EDGES[agglomeration] if plan is ... else [plan]


def half_written(config: Config) -> list[Path]:
    return [path for path in paths.run_folder(config).rglob("*.partial") if path.is_file()]


@runs
def test_killed_three_times_and_resumed(undisturbed, start, tmp_path, name) -> None:
    """A worker, and then the script, while others are at work; once in the middle of a chunk."""
    config, expected = undisturbed(name)
    config = with_workers(other(config, runs=tmp_path / "runs"))
    for command in KILLED:
        plans = list(plans_of(command, config.segment.agglomeration))
        # a worker dies when its block comes, which may be a start earlier than its plan's: others
        # go on until the script dies
        planned = {block: what for plan in plans for block, what in plan.items() if what == "kill"}
        for plan in plans:
            planned |= plan
            assert start(command, config, planned).ends() == -signal.SIGKILL
            # any kill may come while a chunk is written; this one always does
            assert half_written(config) or "crash" not in plan.values()
        last = start(command, config, planned)
        assert last.ends() == 0, last.said()
        assert all((last.folder / block).exists() for block in planned), "all of it happened"
        assert half_written(config) == []
    evaluate(config)
    check(config, expected)


def with_workers(config: Config) -> Config:
    return other(config, predict={"workers": workers(2)}, segment={"workers": workers(2)})


def interrupted(script: Script) -> bool:
    """Whether it ended as if by Ctrl-C, and said in a sentence how to go on."""
    assert script.ends() == 130, script.said()
    assert (
        script.said()
        .splitlines()[-1]
        .startswith("error: interrupted; the same command goes on from")
    )
    return "Traceback" not in script.said()


def test_ctrl_c_while_workers_are_busy_and_a_second_run(undisturbed, start, tmp_path) -> None:
    """A terminal sends it to all processes of the script."""
    config, expected = undisturbed("synthetic")
    config = with_workers(other(config, runs=tmp_path / "runs"))
    script = start("super_predicter_daisy.py", config, {"Heads 3": "wait"})
    script.meets()
    writer = (
        rf"em\.zarr is being written by process {script.process.pid} on host {socket.gethostname()}"
    )
    with pytest.raises(RuntimeError, match=writer):
        predict(config)
    os.killpg(script.process.pid, signal.SIGINT)
    assert interrupted(script)
    predict(config)
    check(config, expected, "prediction")


def test_sigterm_while_workers_are_busy(copy, start) -> None:
    config, expected = copy()
    config = with_workers(config)
    shutil.rmtree(paths.segmentation(config, "em"))
    script = start("segment.py", config, {"Contacts 3": "wait"})
    script.meets()
    script.process.terminate()
    assert interrupted(script)
    segment(other(config, segment={"workers": workers(0)}))
    check(config, expected)


def test_sigterm_without_workers(undisturbed, start, tmp_path) -> None:
    config, expected = undisturbed("synthetic")
    config = other(config, runs=tmp_path / "runs")
    assert interrupted(start("predicter.py", config, {"Heads 3": "term"}))
    with pytest.raises(
        ValueError,
        match=r"prediction of volume 'em' is not whole, \d+ of its \d+ blocks are not done",
    ):
        segment(config)
    assert verify(paths.run_folder(config)) == []
    predict(config)
    check(config, expected, "prediction")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_damaged_predictions_are_named_found_and_mended(copy, tmp_path) -> None:
    """A chunk that is cut, one with a flipped bit, one that is gone: segment.py names them,
    blocks.py verify finds them."""
    config, expected = copy()
    shutil.rmtree(paths.segmentation(config, "em"))
    cut, flipped, gone = (
        paths.prediction(config, "em") / "affs" / "0" / "0" / place
        for place in ("0/0/0", "1/3/3", "0/0/3")
    )
    cut.write_bytes(cut.read_bytes()[:-50])
    content = bytearray(flipped.read_bytes())
    content[len(content) // 2] ^= 4
    flipped.write_bytes(content)
    gone.unlink()
    (tmp_path / "config.json").write_text(config.model_dump_json())
    failed = run("segment.py", "-c", str(tmp_path / "config.json"))
    assert failed.returncode == 1
    assert "Traceback" not in failed.stderr
    assert "10 of 12 blocks of fragments failed, the others are done" in failed.stderr
    for chunk, what in {
        cut: "cannot be read, it is damaged",
        flipped: "cannot be read, it is damaged",
        gone: "was never written",
    }.items():
        assert f"{chunk} {what}" in failed.stderr
    found = run("blocks.py", "verify", str(paths.run_folder(config)))
    assert found.returncode == 1
    heads = paths.prediction(config, "em") / "blocks" / "heads"
    assert found.stdout.count(f"{heads}: block ") == 3
    assert sorted(read_ledger(heads).missing(32).tolist()) == [0, 3, 31]
    predict(config)
    # blocks of before and after do not belong together
    begun = paths.segmentation(config, "em").with_name("em.zarr.partial")
    with pytest.raises(
        ValueError,
        match=r"affs of the prediction was changed since; .* delete .*em\.zarr\.partial to start",
    ):
        segment(config)
    shutil.rmtree(begun)
    segment(config)
    evaluate(config)
    check(config, expected)


def test_blocks_that_say_done_without_data(copy) -> None:
    config, expected = copy()
    container = paths.segmentation(config, "em")
    (container / "segmentation" / "0.4" / "0" / "1" / "0" / "2").unlink()
    shutil.rmtree(container / "fragments" / "0" / "0")
    [rows] = (container / "blocks" / "edges").glob("*.rows")
    rows.write_bytes(rows.read_bytes()[:-16])
    found = {(finding.folder.name, finding.index) for finding in verify(paths.run_folder(config))}
    last = max(index for name, index in found if name == "edges")
    assert found == {
        *(("fragments", index) for index in range(6)),
        ("edges", last),
        ("segmentation", 8),
    }
    segment(config)
    check(config, expected)
    assert verify(paths.run_folder(config)) == []


def _lose_rows(container: Path, other: Path) -> None:
    for rows in (container / "blocks" / "edges").glob("*.rows"):
        rows.unlink()


def _lose_edges(container: Path, other: Path) -> None:
    shutil.rmtree(container / "blocks" / "edges")


def _take_edges_of_another_run(container: Path, other: Path) -> None:
    _lose_edges(container, other)
    shutil.copytree(other / "blocks" / "edges", container / "blocks" / "edges")


def _take_fragments_of_another_run(container: Path, other: Path) -> None:
    for part in ("fragments", "blocks/fragments"):
        shutil.rmtree(container / part)
        shutil.copytree(other / part, container / part)


def _cut_table(container: Path, other: Path) -> None:
    table = container / "tables" / "0.4.npy"
    table.write_bytes(table.read_bytes()[:-8])


def _take_tables_of_another_run(container: Path, other: Path) -> None:
    shutil.rmtree(container / "tables")
    shutil.copytree(other / "tables", container / "tables")


@pytest.fixture(scope="module")
def another(undisturbed, tmp_path_factory):
    """The segmentation of a run of the same affinities with other fragments."""
    config, _ = undisturbed("synthetic")
    folder = tmp_path_factory.mktemp("another") / "runs"
    shutil.copytree(config.runs, folder)
    fragments = config.segment.fragments.derive(min_seed_distance=4)
    return segment(other(config, runs=folder, segment={"fragments": fragments}))[0]


DAMAGES = {
    _lose_rows: r"blocks/edges/.*\.rows",
    _lose_edges: r"blocks/edges is missing; run segment\.py again",
    _take_edges_of_another_run: r"blocks/edges does not belong to .*em\.zarr:fragments, it is from",
    _take_fragments_of_another_run: r"blocks/edges does not belong to .*em\.zarr:fragments",
    _cut_table: r"tables/0\.4\.npy",
    _take_tables_of_another_run: "",
}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__[1:])
def test_graphs_and_tables_that_are_missing_or_from_another_run(copy, another, damage) -> None:
    """Named by evaluate.py, or, where what is right can still be told, not used; segment.py mends
    them."""
    config, expected = copy()
    damage(paths.segmentation(config, "em"), another)
    # a threshold without a table needs the edges
    asked = other(config, segment={"thresholds": (*THRESHOLDS, 0.45)})
    with pytest.raises(ValueError, match=DAMAGES[damage]) if DAMAGES[damage] else nullcontext():
        evaluate(asked)
    verify(paths.run_folder(config))
    segment(config)
    evaluate(config)
    check(config, expected)


def no_block(monkeypatch) -> None:
    """Nothing may be computed from here on."""

    def compute(*_, **__):
        raise AssertionError("a block was computed")

    for function in (Heads, Fragments, Counts):
        monkeypatch.setattr(function, "compute", compute)


def test_the_segmentation_may_not_be_written_into_its_input(copy, monkeypatch) -> None:
    config, _ = copy()
    no_block(monkeypatch)
    target, source = paths.segmentation(config, "em"), paths.prediction(config, "em")
    shutil.rmtree(target)
    target.symlink_to(source)
    with pytest.raises(
        ValueError,
        match=r"segmentation/em\.zarr would be written into the input .*name another output",
    ):
        segment(config)
    target.unlink()
    target.mkdir()
    itself = config.dataset.test[0].derive(synthetic=None, path=str(target))
    with pytest.raises(
        ValueError,
        match=r"segmentation/em\.zarr would be written into the input .*name another output",
    ):
        segment(config.derive(dataset=Dataset(test=(itself,))))
    assert list(target.iterdir()) == []


def test_outputs_that_cannot_be_written_are_refused_before_anything_is_computed(
    copy, monkeypatch, read_only
) -> None:
    config, _ = copy()
    no_block(monkeypatch)
    read_only(Path(config.runs))
    block = {"block": (10, 16, 16)}
    for work, changed, what in (
        (predict, other(config, predict={"dtype": "uint8"}), r"prediction/em\.zarr"),
        (segment, other(config, segment=block), r"segmentation/em\.zarr"),
        (evaluate, other(config, evaluate=block), "evaluation/em"),
    ):
        with pytest.raises(
            OSError,
            match=rf"cannot write .*{what}: .*Read-only file system.*set runs= to another folder",
        ):
            work(changed)


def test_a_full_disk_is_named_and_the_same_command_goes_on_when_there_is_room(
    undisturbed, tmp_path, small_disk
) -> None:
    config, expected = undisturbed("synthetic")
    config = other(config, runs=tmp_path / "small")
    small_disk(Path(config.runs), 128 << 10)
    (tmp_path / "config.json").write_text(config.model_dump_json())
    failed = run("predicter.py", "-c", str(tmp_path / "config.json"))
    assert failed.returncode == 1
    assert "Traceback" not in failed.stderr
    assert "No space left on device, while writing" in failed.stderr
    assert failed.stderr.endswith("make room, then the same command goes on from here\n")
    done = len(read_ledger(next(Path(config.runs).rglob("step.json")).parent))
    assert 0 < done < 32
    small_disk(Path(config.runs), 4 << 20)
    predict(config)
    check(config, expected, "prediction")


def test_other_weights_at_the_same_place_are_other_results(copy, undisturbed, tmp_path) -> None:
    config, before = copy()
    save_weights(config, tmp_path / "weights.pt", seed=2)
    config = other(config, predict={"checkpoint": str(tmp_path / "weights.pt")})
    found = {}
    for runs in (config.runs, str(tmp_path / "fresh")):
        asked = other(config, runs=runs)
        predict(asked)
        segment(asked)
        evaluate(asked)
        found[runs] = digests(paths.run_folder(asked))
    assert found[config.runs] == found[str(tmp_path / "fresh")]
    assert not set(before.values()) & set(found[config.runs].values())


def test_unfinished_blocks_are_gone_on_with_in_the_same_size_only(copy, monkeypatch) -> None:
    config, expected = copy()
    shutil.rmtree(paths.run_folder(config))
    cases = {
        predict: (Heads, {"predict": {"shape": (22, 22, 22)}}),
        segment: (Contacts, {"segment": {"block": (10, 16, 16)}}),
    }
    for work, (function, change) in cases.items():
        with monkeypatch.context() as patch:
            patch.setattr(function, "compute", failing(function.compute, 5))
            with pytest.raises(
                BlocksFailed, match=r"1 of \d+ blocks of .* failed, the others are done"
            ):
                work(config)
        with pytest.raises(
            ValueError,
            match=(
                r"blocks: \[.*\] there, \[.*\] asked for; run it as before to finish it, or delete"
            ),
        ):
            work(other(config, **change))
        work(config)
    evaluate(config)
    check(config, expected)


def failing(compute, index: int):
    """The same, but for one block."""

    def wrapped(self, block, source):
        if block.index == index:
            raise RuntimeError("an elephant")
        return compute(self, block, source)

    return wrapped
