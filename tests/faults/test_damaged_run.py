"""What a run left is damaged, gone, or another run's: named, found and mended."""

import shutil
from contextlib import nullcontext
from pathlib import Path

import pytest
from faulted import THRESHOLDS, check, other, run

from lsd.blockwise.on_disk.inspect import verify_blocks
from lsd.blockwise.on_disk.ledger import read_ledger
from lsd.evaluation.run import evaluate
from lsd.prediction.run import predict
from lsd.segmentation.run import segment
from lsd.spec import paths

pytestmark = pytest.mark.faults


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
    found = {
        (finding.folder.name, finding.index) for finding in verify_blocks(paths.run_folder(config))
    }
    last = max(index for name, index in found if name == "edges")
    assert found == {
        *(("fragments", index) for index in range(6)),
        ("edges", last),
        ("segmentation", 8),
    }
    segment(config)
    check(config, expected)
    assert verify_blocks(paths.run_folder(config)) == []


def _lose_rows(container: Path, other: Path) -> None:
    for rows in (container / "blocks" / "edges").glob("*.rows"):
        rows.unlink()


def _lose_edges(container: Path, other: Path) -> None:
    shutil.rmtree(container / "blocks" / "edges")


def _take_edges_of_another_run(container: Path, other: Path) -> None:
    _lose_edges(container, other)
    shutil.copytree(other / "blocks" / "edges", container / "blocks" / "edges")


def _take_fragments_of_another_run(container: Path, other: Path) -> None:
    # with all arrays of their step: one that stays would be somebody's edit
    for part in ("fragments", "uncut", "blocks/fragments"):
        shutil.rmtree(container / part)
        shutil.copytree(other / part, container / part)


def _cut_table(container: Path, other: Path) -> None:
    table = container / "tables" / "0.4.npy"
    table.write_bytes(table.read_bytes()[:-8])


def _take_tables_of_another_run(container: Path, other: Path) -> None:
    shutil.rmtree(container / "tables")
    shutil.copytree(other / "tables", container / "tables")


DAMAGES = {
    _lose_rows: r"blocks/edges/.*\.rows",
    _lose_edges: r"blocks/edges is missing; run `lsd segment` again",
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
    verify_blocks(paths.run_folder(config))
    segment(config)
    evaluate(config)
    check(config, expected)
