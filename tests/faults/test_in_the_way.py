"""Outputs that cannot be written, and other inputs and settings where some blocks are done."""

import shutil
from pathlib import Path

import pytest
from faulted import check, other, run, save_weights
from hashes import digests

from lsd.blockwise.on_disk.ledger import read_ledger
from lsd.blockwise.running.run import BlocksFailed
from lsd.evaluation.counting import CountsFunction
from lsd.evaluation.run import evaluate
from lsd.prediction.blocks import HeadsFunction
from lsd.prediction.run import predict
from lsd.segmentation.over_blocks.contacts import ContactsFunction
from lsd.segmentation.over_blocks.fragments import FragmentsFunction
from lsd.segmentation.run import segment
from lsd.spec import Dataset, paths

pytestmark = pytest.mark.faults


def no_block(monkeypatch) -> None:
    """Nothing may be computed from here on."""

    def compute(*_, **__):
        raise AssertionError("a block was computed")

    for function in (HeadsFunction, FragmentsFunction, CountsFunction):
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
        predict: (HeadsFunction, {"predict": {"shape": (22, 22, 22)}}),
        segment: (ContactsFunction, {"segment": {"block": (10, 16, 16)}}),
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
