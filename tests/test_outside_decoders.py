"""A decoder and a scoring that are defined outside of lsd: from a config by name or with fields,
over blocks and in workers, scored, and as what validation goes by."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from funlib.geometry import Roi
from kinds_outside.decoders import Pieces, Strongest
from scipy import ndimage

from lsd.arrays.pairs import count_pairs
from lsd.blockwise.on_disk.inspect import verify_blocks
from lsd.evaluation.partition import compare
from lsd.evaluation.run import evaluate
from lsd.network.cascade import Cascade
from lsd.segmentation.agglomeration import agglomerate
from lsd.segmentation.decode import decode
from lsd.segmentation.decoders.decoder import decoder_of
from lsd.segmentation.kernels.prediction import Prediction
from lsd.segmentation.objects import objects
from lsd.segmentation.on_disk.tables import verify_tables
from lsd.segmentation.over_blocks.edges import edge_pieces
from lsd.segmentation.run import segment
from lsd.segmentation.threshold import array_name
from lsd.spec import (
    NEAREST,
    Affinities,
    Boundary,
    Config,
    Dataset,
    Fragments,
    Head,
    Network,
    Segment,
    Stage,
    UNet,
    Variant,
    Volume,
)
from lsd.spec.kinds import import_kinds
from lsd.spec.paths import prediction, segmentation
from lsd.training.validation import Validator, predict_region
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array
from lsd.volumes.volume import open_volume

IMPORTS = ("kinds_outside.decoders",)
import_kinds(IMPORTS)
ROOT = Path(__file__).parents[1]
ROI, SIZE = Roi((3, -4, 7), (12, 20, 24)), (8.0, 4.0, 4.0)
BLOCKS = {"block": (6, 7, 9), "context": (1, 1, 1)}
PIECES = Segment(decoder="pieces")
STRONGEST = Segment(
    scoring="strongest", thresholds=(0.2, 0.4), fragments=Fragments(min_seed_distance=3)
)


def smooth(seed: int, channels: int, shape=tuple(ROI.shape)) -> np.ndarray:
    """uint8 that looks like a prediction."""
    noise = np.random.default_rng(seed).random((channels, *shape))
    noise = ndimage.gaussian_filter(noise, (0, 1.2, 1.2, 1.2))
    low, high = np.percentile(noise, [5, 90])
    return (255 * np.clip((noise - low) / (high - low), 0, 1)).astype(np.uint8)


def labels() -> np.ndarray:
    return ndimage.label(smooth(0, 1)[0] < 110)[0].astype(np.uint64)


@pytest.fixture
def config(tmp_path) -> Config:
    """A predicted volume, with a truth that is like what comes of it."""
    arrays = {"raw": smooth(5, 1)[0], "labels": labels(), "mask": np.ones(ROI.shape, np.uint8)}
    arrays["mask"][:, :, :4] = 0
    for name, data in arrays.items():
        create_array(
            tmp_path / "data.zarr", name, roi=ROI, voxel_size=SIZE, dtype=data.dtype
        ).write(data, ROI)
    volume = Volume(path="data.zarr", raw="raw", labels="labels", labels_mask="mask", name="em")
    heads = {"boundary": Head(target=Boundary()), "affs": Head(target=Affinities())}
    trunk = UNet(features=2, multiplier=2, factors=((2, 2, 2),), kernels=((3, 3, 3),))
    config = Config(
        imports=IMPORTS,
        name="run",
        dataset=Dataset(validate=(volume,)),
        variant=Variant(stages=(Stage(heads=heads),)),
        network=Network(trunk=trunk, train_shape=(18, 18, 18)),
        predict={"volumes": ("validate",), "device": "cpu", "threads": 1},
        runs=str(tmp_path / "runs"),
        data_root=str(tmp_path),
    )
    path = prediction(config, "em")
    for name, data in (("boundary", smooth(0, 1)), ("affs", smooth(1, 3))):
        create_array(
            path, name, roi=ROI, voxel_size=SIZE, dtype=np.uint8, channels=len(data)
        ).write(data, ROI)
    return config


def read(config: Config, name: str) -> np.ndarray:
    return open_array(segmentation(config, "em"), name).read(ROI)


def same_partition(one: np.ndarray, other: np.ndarray) -> bool:
    pairs = count_pairs(one, other)
    return len(pairs.first) == len(np.unique(one)) == len(np.unique(other))


def test_how_they_are_written() -> None:
    assert PIECES.model_dump(mode="json")["decoder"] == "pieces"
    assert STRONGEST.scores["scoring"] == Strongest()
    written = {"kind": "pieces", "head": "membrane", "highest": 0.2}
    for decoder in (written, Pieces(head="membrane", highest=0.2)):
        asked = Segment(decoder=decoder, scoring={"kind": "strongest", "power": 2})
        assert asked.decoder == Pieces(head="membrane", highest=0.2)
        assert asked.model_dump(mode="json")["decoder"] == written
        assert Segment.model_validate_json(asked.model_dump_json()) == asked
    with pytest.raises(ValueError, match="decoder 'peices' is unknown; allowed: watershed, mutex"):
        Segment(decoder="peices")
    with pytest.raises(ValueError, match=r"caution 0.5 wants scoring 'mean' or 'mean_all', got"):
        Segment(scoring="strongest", caution=0.5)


def test_a_config_names_the_module(config) -> None:
    with pytest.raises(ValueError, match=r"kind 'pieces' is defined in module .*imports="):
        config.derive(imports=(), segment=PIECES)


# workers are processes that import much
BY_WORKERS = pytest.param(2, marks=pytest.mark.slow)


@pytest.mark.parametrize("use_mask", [False, True], ids=["", "mask"])
@pytest.mark.parametrize("workers", [0, BY_WORKERS])
def test_over_blocks_it_is_the_whole(config, use_mask, workers) -> None:
    """A context of one voxel is enough, for pieces are joined where a face cut them."""
    config = config.derive(segment=PIECES.derive(use_mask=use_mask))
    mask = np.ones(ROI.shape, bool)
    mask[:, :, :4] = not use_mask
    expected = ndimage.label((smooth(0, 1)[0] <= 127) & mask)[0]
    ours = decoder_of(config.segment).decode(
        {"boundary": Prediction(smooth(0, 1))}, config.segment, mask=mask
    )
    assert same_partition(ours.segmentation(0.5), expected)
    told = []
    segment(config, progress=told.append)
    assert f"em: {expected.max()} segments" in told
    assert same_partition(read(config, "segmentation/pieces"), expected)
    blocks = config.derive(name="blocks", segment={**BLOCKS, "workers": {"count": workers}})
    prediction(blocks, "em").parent.mkdir(parents=True)
    prediction(blocks, "em").symlink_to(prediction(config, "em"))
    segment(blocks, progress=str)
    assert read(blocks, "fragments").max() > expected.max()
    assert same_partition(read(blocks, "segmentation/pieces"), expected)


def test_it_is_scored_and_what_is_not_asked_for_is_refused(config) -> None:
    config = config.derive(segment={**PIECES.model_dump(), **BLOCKS})
    [container] = segment(config)
    found = evaluate(config)
    assert verify_blocks(container.parents[1]) == verify_tables(container.parents[1]) == []
    assert found.threshold is None
    assert found.chosen_on == "the pieces decoder has none"
    known = np.ones(ROI.shape, bool)
    known[:, :, :4] = False
    pieces, truth = read(config, "segmentation/pieces"), labels()
    assert found.volumes["em"].scored == compare(pieces[known], truth[known])
    other = config.derive(segment={"decoder": {"kind": "pieces", "highest": 0.3}})
    with pytest.raises(ValueError, match=r"segment.decoder.* run `lsd segment` again"):
        evaluate(other)
    segment(other)
    assert evaluate(other).volumes["em"].scored != found.volumes["em"].scored
    assert not (container / "blocks" / "contacts").exists()
    # that of watershed has other fragments, so nothing of this one stays
    segment(config.derive(segment={"decoder": "watershed", "thresholds": (0.5,)}))
    assert not (container / "segmentation" / "pieces").exists()


@pytest.mark.parametrize("workers", [0, BY_WORKERS])
def test_one_by_thresholds_over_blocks(config, workers) -> None:
    settings = {"decoder": "dark", "thresholds": (0.5, 0.7), "objects": {"min_size": 3}}
    config = config.derive(segment={**settings, **BLOCKS, "workers": {"count": workers}})
    segment(config)
    for threshold in (0.5, 0.7):
        foreground = 1 - smooth(0, 1)[0] / np.float32(255)
        expected = objects(foreground >= np.float32(threshold), min_size=3)
        np.testing.assert_array_equal(read(config, f"segmentation/{threshold}"), expected)
    found = evaluate(config)
    known = np.ones(ROI.shape, bool)
    known[:, :, :4] = False
    segments = read(config, f"segmentation/{found.threshold}")
    assert found.volumes["em"].scored == compare(segments[known], labels()[known])


def test_a_head_that_is_not_there_is_named(config) -> None:
    with pytest.raises(ValueError, match="reads head 'membrane'; the variant has: boundary, affs"):
        segment(config.derive(segment={"decoder": Pieces(head="membrane")}))
    with pytest.raises(ValueError, match="decoder 'pieces' reads boundary, and there are affin"):
        decode(smooth(1, 3), NEAREST, PIECES)


def test_nothing_is_told(config, caplog) -> None:
    segment(config.derive(segment={"decoder": Pieces(highest=-1)}))
    assert "em: no fragments: what was predicted lies in 0..1" in caplog.text


@pytest.mark.slow
def test_the_script_imports_what_the_config_names(config, tmp_path) -> None:
    asked = config.derive(segment={**PIECES.model_dump(), **BLOCKS, "workers": {"count": 1}})
    file = tmp_path / "mine.py"
    file.write_text(
        "from kinds_outside.decoders import Pieces\nfrom lsd.spec import Config\n"
        f"config = Config.model_validate_json({asked.model_dump_json()!r})\n"
    )
    command = [
        sys.executable,
        str(ROOT / "segment.py"),
        "-c",
        str(file),
        "segment.decoder.highest=0.4",
    ]
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert done.returncode == 0, done.stderr
    expected = ndimage.label(smooth(0, 1)[0] <= 0.4 * 255)[0]
    assert same_partition(read(config, "segmentation/pieces"), expected)


def strongest(affs: np.ndarray, fragments: np.ndarray) -> dict[tuple[int, int], float]:
    """Voxel after voxel."""
    highest: dict[tuple[int, int], float] = {}
    for voxel in np.ndindex(fragments.shape):
        for axis in range(3):
            before = tuple(v - (a == axis) for a, v in enumerate(voxel))
            u, v = sorted((int(fragments[before]), int(fragments[voxel])))
            if min(before) >= 0 and 0 < u < v:
                highest[u, v] = max(highest.get((u, v), 0), affs[(axis, *voxel)] / 255)
    return {pair: 1 - value for pair, value in highest.items()}


def test_scores_of_arrays() -> None:
    affs = smooth(1, 3)
    fragments = decode(affs, NEAREST, STRONGEST).fragments
    edges, scores = agglomerate(affs, fragments, scoring=Strongest())
    expected = strongest(affs, fragments)
    assert [tuple(edge) for edge in edges.tolist()] == sorted(expected)
    np.testing.assert_allclose(scores, [expected[u, v] for u, v in edges.tolist()], atol=1e-6)
    floats = affs.astype(np.float32) / 255
    np.testing.assert_allclose(
        agglomerate(floats, fragments, scoring="strongest")[1], scores, atol=1e-6
    )
    _, squared = agglomerate(affs, fragments, scoring=Strongest(power=2))
    np.testing.assert_allclose(1 - squared, (1 - scores) ** 2, atol=1e-6)


@pytest.mark.parametrize("count", [0, BY_WORKERS])
def test_scores_over_blocks(config, count) -> None:
    """Contacts that lie around a block are seen whole, so blocks are scored as the whole would
    be."""
    config = config.derive(
        segment={**STRONGEST.model_dump(), **BLOCKS, "workers": {"count": count}}
    )
    [container] = segment(config)
    edges = np.concatenate(list(edge_pieces(container / "blocks" / "edges")))
    expected = strongest(smooth(1, 3), read(config, "fragments"))
    pairs = list(zip(edges["u"].tolist(), edges["v"].tolist(), strict=True))
    assert sorted(pairs) == sorted(expected)
    np.testing.assert_allclose(edges["score"], [expected[pair] for pair in pairs], atol=1e-6)
    found = evaluate(config)
    assert found.threshold in STRONGEST.thresholds
    assert read(config, array_name(found.threshold)).any()
    other = config.derive(segment={"scoring": Strongest(power=3)})
    with pytest.raises(ValueError, match=r"segment\.scoring\.power: 1\.0 there, 3\.0 asked for"):
        evaluate(other)


def test_validation_goes_by_it(config) -> None:
    config = config.derive(
        segment=PIECES, train={"validate_every": 1, "device": "cpu", "threads": 1}
    )
    stage = config.variant.stages[0]
    torch.manual_seed(0)
    validator, cascade = Validator(config, stage), Cascade(config.variant, config.network.trunk)
    found = validator(cascade)
    volume = open_volume(config.dataset.validate[0], name="em", data_root=Path(config.data_root))
    boundary = predict_region(validator.predictor(cascade), volume, ROI)["boundary"]
    pieces = ndimage.label(np.rint(boundary[0] * 255) <= 127)[0].astype(np.uint64)
    known = volume.read_known(ROI)
    assert found.scores == compare(pieces[known], labels()[known])
    assert (found.threshold, found.sweep) == (None, {})
    assert validator.yardstick["segment"]["decoder"] == "pieces"
