"""What is not scored: segmentations that are not whole, or not what the config would give."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from segmented_volumes import (
    ROI,
    VOXEL_SIZE,
    noisy_affinities,
    segments_of,
    truth_of,
    with_evaluate,
    write,
)

from lsd.blockwise.on_disk.step import step_folder
from lsd.evaluation.partition import compare
from lsd.evaluation.run import _made_from, evaluate
from lsd.segmentation.run import segment
from lsd.spec import (
    Affinities,
    Dataset,
    Fragments,
    Head,
    Stage,
    Variant,
)  # fmt: skip
from lsd.spec.paths import prediction, segmentation
from lsd.volumes.create import create_array


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"scoring": "hist_quant_75"}, "segment.scoring: mean there, hist_quant_75 asked for"),
        ({"caution": 0.2}, "segment.caution: 0.0 there, 0.2 asked for"),
        (
            {"block": (7, 22, 24)},
            r"segment.block: \[14, 22, 24\] there, \[7, 22, 24\] asked for; run `lsd segment`",
        ),
        (
            {"use_mask": True},
            "segment.use_mask: False there, True asked for; run `lsd segment` again",
        ),
        ({"context": (4, 4, 4)}, r"segment.context: \[32, 32, 32\] there, \[4, 4, 4\] asked for"),
        ({"agglomeration": "blocks"}, "segment.agglomeration: whole there, blocks asked for;"),
        (
            {"fragments": Fragments(min_seed_distance=4)},
            "segment.fragments.min_seed_distance: 3 there, 4 asked for",
        ),
    ],
)
def test_what_was_segmented_otherwise_is_not_scored(config, changed, says) -> None:
    other = config.derive(segment=config.segment.derive(**changed))
    with pytest.raises(ValueError, match=says):
        evaluate(other)
    segment(other)
    assert evaluate(other).threshold is not None


def test_another_mask_is_counted_anew(config, tmp_path) -> None:
    before = evaluate(config).volumes["c"]
    mask = create_array(
        tmp_path / "c.zarr", "mask", roi=ROI, voxel_size=VOXEL_SIZE, dtype=np.uint8, overwrite=True
    )
    mask.write(np.ones(ROI.shape, np.uint8), ROI)
    after = evaluate(config).volumes["c"]
    assert before.fragments == compare(
        segments_of(config, "c", "fragments")[:, 4:], truth_of(2)[:, 4:]
    )
    assert after.fragments == compare(segments_of(config, "c", "fragments"), truth_of(2))


def test_another_mask_or_other_offsets_are_another_segmentation(config, tmp_path) -> None:
    masked = config.derive(segment=config.segment.derive(use_mask=True))
    segment(masked)
    evaluate(masked)
    with pytest.raises(
        ValueError, match=r"segment.use_mask: True there, False asked for; run `lsd segment` again"
    ):
        evaluate(config)
    create_array(
        tmp_path / "b.zarr", "mask", roi=ROI, voxel_size=VOXEL_SIZE, dtype=np.uint8, overwrite=True
    ).write(np.ones(ROI.shape, np.uint8), ROI)
    with pytest.raises(
        ValueError, match=r"b\.zarr is not what .*b\.zarr:mask was changed since; run `lsd segm"
    ):
        evaluate(masked)
    segment(masked)
    evaluate(masked)
    heads = {"affs": Head(target=Affinities(neighborhood=((0, 0, -1), (0, -1, 0), (-1, 0, 0))))}
    with pytest.raises(
        ValueError,
        match=r"offsets of affinities: \[\[-1, 0, 0\], .* there, \[\[0, 0, -1\], .* asked for",
    ):
        evaluate(masked.derive(variant=Variant(stages=(Stage(heads=heads),))))


def test_where_regions_grow_in_blocks_what_they_see_counts(config) -> None:
    inside = {"agglomeration": "blocks", "block": (7, 22, 24)}
    made = config.derive(segment=config.segment.derive(**inside))
    segment(made)
    evaluate(made)
    other = made.derive(segment=made.segment.derive(edge_context=(0, 9, 9)))
    with pytest.raises(
        ValueError,
        match=r"segment.edge_context: \[64, 64, 64\] there, \[1, 9, 9\] asked for; run `lsd",
    ):
        evaluate(other)
    with pytest.raises(
        ValueError, match=r"segment.agglomeration: blocks there, whole asked for, by auto"
    ):
        evaluate(config)


def test_scores_of_another_prediction_are_not_told_as_those_of_this_one(config) -> None:
    before = evaluate(config)
    path = prediction(config, "c")
    shutil.rmtree(path)
    assert evaluate(config).part("test") == before.part("test"), (
        "a prediction may be deleted once it is segmented"
    )
    write(path, "affs", noisy_affinities(truth_of(2), 9), channels=3)
    with pytest.raises(
        ValueError,
        match=r"c\.zarr .*affs of the prediction was changed since; run `lsd segment` again",
    ):
        evaluate(config)
    segment(config)
    assert evaluate(config).part("test") != before.part("test")


def test_errors(config, tmp_path) -> None:
    with pytest.raises(ValueError, match=r"volume 'a': evaluate\.region"):
        evaluate(with_evaluate(config, region=((0, 99),)))
    with pytest.raises(ValueError, match=r"volume 'a': nothing to score"):
        evaluate(with_evaluate(config, ignore=tuple(range(10))))
    edges = step_folder(segmentation(config, "b"), "edges")
    table = sorted((segmentation(config, "b") / "tables").glob("0.*.npy"))[0]
    table.write_bytes(table.read_bytes()[:200])
    with pytest.raises(ValueError, match=rf"tables/{table.name}"):
        evaluate(config)
    shutil.rmtree(table.parent)
    evaluate(config)
    kept = (edges / "step.json").read_bytes()
    (edges / "step.json").write_bytes(
        (step_folder(segmentation(config, "a"), "edges") / "step.json").read_bytes()
    )
    with pytest.raises(ValueError, match=r"b\.zarr/blocks/edges does not belong to"):
        evaluate(config)
    (edges / "step.json").write_bytes(kept)
    [rows] = edges.glob("*.rows")
    rows.write_bytes(rows.read_bytes()[:10])
    with pytest.raises(ValueError, match=rf"{rows.name} is too short"):
        evaluate(config)
    rows.unlink()
    with pytest.raises(ValueError, match=rf"{rows.name} cannot be read"):
        evaluate(config)
    shutil.rmtree(edges)
    with pytest.raises(ValueError, match=r"blocks/edges is missing"):
        evaluate(config)
    with pytest.raises(ValueError, match=r"run `lsd segment` first"):
        evaluate(config.derive(name="other"))
    without = Dataset(test=(config.dataset.test[0].derive(labels=None),))
    with pytest.raises(ValueError, match="has labels to be scored"):
        evaluate(config.derive(dataset=without))


def test_scores_are_of_the_picked_threshold_too_where_it_is_none_of_the_list(config) -> None:
    """Steps that wrote another list of thresholds than is asked for now."""
    asked = []
    evidence = SimpleNamespace(results=SimpleNamespace(written_by=lambda t: asked.append(t) or []))
    for picked in (0.5, 0.4, None):
        assert _made_from(config, {"a": evidence}, picked)["a"]["segmentation"] == {}
    assert asked == [[0.2, 0.4, 0.5, 0.6, 0.8], *[[0.2, 0.4, 0.6, 0.8]] * 2]
