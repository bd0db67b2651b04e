"""What decoders of objects do not read is refused in words; so is what nothing comes of."""

import numpy as np
import pytest
from objects_run import make_config, read, smooth

import lsd
from lsd.notebook.heads import Heads
from lsd.objects.run import locate
from lsd.segmentation.objects import objects
from lsd.segmentation.run import segment
from lsd.spec import (
    Affinities,
    Box,
    Components,
    Consensus,
    Foreground,
    Head,
    Instance,
    Interior,
    InteriorBoundary,
    Occupancy,
    Semantic,
    SignedDistance,
)

FLAT = (40, 44)
KERNEL = Box(size=(3, 3, 3))
HEADS = {
    "mask": (Head(target=Foreground()), 1),
    "both": (Head(target=InteriorBoundary()), 2),
    "classes": (Head(target=Semantic(classes=(1, 5)), loss="cross_entropy"), 3),
    "distance": (Head(target=SignedDistance()), 1),
    "around": (Head(target=Occupancy(mode="foreground", kernel=KERNEL)), 9),
    "pairs": (Head(target=Occupancy(kernel=KERNEL)), 8),
    "affs": (Head(target=Affinities()), 2),
}


def config_of(folder, decoder, *, affinities="affs", **options):
    heads = {name: head for name, (head, _) in HEADS.items()}
    arrays = {
        name: smooth(seed, channels, FLAT)
        for seed, (name, (_, channels)) in enumerate(HEADS.items())
    }
    asked = {"decoder": decoder, "affinities": affinities, "thresholds": (0.5,), **options}
    return make_config(folder, heads, arrays, segment=asked), arrays


@pytest.mark.parametrize(
    ("decoder", "affinities", "says"),
    [
        (
            Components(),
            "affs",
            "'components' reads head 'foreground'; the variant has: mask, both, classes, .*; take "
            'segment.decoder=\'{"kind":"components","head":"mask"}\'',
        ),
        # of those that are there, one that it can read, with all else that was asked
        (
            Consensus(weights=(1,) * 9),
            "affs",
            'take segment.decoder=\'{"kind":"consensus","head":"around","weights":.1.0,',
        ),
        (Interior(), "affs", 'take segment.decoder=\'{"kind":"interior","head":"both"}\''),
        (
            Instance(foreground="inside"),
            "pairs",
            'segment.decoder=\'{"kind":"instance","foreground":"mask"}\'',
        ),
        (Consensus(weights=(1, 2)), "affs", "none of them is what it reads, .* head 'occupancy'"),
        (Components(head="affs"), "affs", "holds affinities; take segment.decoder=watershed"),
        (Components(head="pairs"), "affs", "holds affinities; .* segment.affinities=pairs"),
        (
            Components(head="both"),
            "affs",
            "2 channels; name one, segment.decoder.channel is one of: interior, boundary",
        ),
        (Components(head="classes", channel=3), "affs", r"3 is none of them, .* 0 \.\. 2"),
        (Components(head="both", channel="inside"), "affs", "'inside' is none of them"),
        (Components(head="around"), "affs", "channels are about voxels around; .*=consensus"),
        (Consensus(head="mask"), "affs", "does not say of the voxels around .*=components"),
        (Consensus(head="pairs"), "affs", "=instance with segment.affinities=pairs"),
        (Consensus(head="around", weights=(1, 2)), "affs", "weights are 2, and .* 9 channels"),
        (Consensus(head="around", weights=(0,) * 9), "affs", "not all of them 0"),
        (Interior(head="mask"), "affs", "interior and boundary of head .mask., which has others"),
        (Instance(), "mask", "segment.affinities names 'mask'; heads with affinities: pairs, affs"),
        (Instance(), "affs", "by='mutex' wants far affinities"),
        (Instance(foreground="both"), "pairs", "'both', which has 2 channels"),
    ],
)
def test_heads_that_do_not_fit(tmp_path, decoder, affinities, says) -> None:
    config, _ = config_of(tmp_path, decoder, affinities=affinities)
    with pytest.raises(ValueError, match=says):
        segment(config)


@pytest.mark.parametrize(
    ("decoder", "channel"),
    [
        (Components(head="mask"), ("mask", 0)),
        (Components(head="both", channel="interior"), ("both", 0)),
        (Components(head="both", channel=1), ("both", 1)),
        (Components(head="classes", channel=2), ("classes", 2)),
        # of a signed distance, 0.5 is the border
        (Components(head="distance"), ("distance", 0)),
    ],
)
def test_the_channel_that_is_named(tmp_path, decoder, channel) -> None:
    config, arrays = config_of(tmp_path, decoder)
    segment(config)
    head, number = channel
    np.testing.assert_array_equal(
        read(config, "segmentation/0.5"), objects(arrays[head][number] >= 127.5)
    )


def test_nothing_is_told(tmp_path, caplog) -> None:
    config, _ = config_of(tmp_path, Components(head="mask"), objects={"min_size": 10**6})
    segment(config)
    assert "em: no objects: the foreground reaches 1" in caplog.text
    assert "segment.objects.min_size=1000000" in caplog.text
    caplog.clear()
    dark = {"mask": smooth(0, 1, FLAT) // 4}
    segment(
        make_config(
            tmp_path / "dark",
            {"mask": HEADS["mask"][0]},
            dark,
            segment=config.segment.derive(objects={"min_size": 0}),
        )
    )
    assert "is 0.247 at most, so no voxel reaches threshold 0.5, the one that was" in caplog.text


def test_nothing_is_told_of_the_threshold_that_was_used(tmp_path, caplog) -> None:
    """Which is not the lowest of the config's: there would be voxels at that one."""
    dark = {"mask": smooth(0, 1, FLAT) // 4}
    asked = {"decoder": Components(head="mask"), "objects": {"min_size": 0}}
    config = make_config(
        tmp_path, {"mask": HEADS["mask"][0]}, dark, segment={**asked, "thresholds": (0.1, 0.9)}
    ).derive(locate={"threshold": 0.9})
    locate(config)
    [told] = [line for line in caplog.messages if "no objects" in line]
    assert "is 0.247 at most, so no voxel reaches threshold 0.9, the one that was used" in told
    assert "0.1" not in told
    caplog.clear()
    segment(config)
    assert "no objects" not in caplog.text
    segment(config.derive(segment={"thresholds": (0.4, 0.9)}))
    assert "no voxel reaches threshold 0.4, the lowest that was used" in caplog.text


def test_in_a_notebook() -> None:
    mask, size = smooth(1, 1, FLAT), (8.0, 4.0)
    expected = objects(mask[0] >= 0.6 * 255, min_size=5)
    found = lsd.segment(
        {"mask": mask},
        decoder=Components(head="mask"),
        threshold=0.6,
        ranges=(0, 1),
        objects={"min_size": 5},
    )
    np.testing.assert_array_equal(found, expected)
    split = lsd.segment(
        mask,
        decoder=Components(head="mask"),
        threshold=0.6,
        ranges=(0, 1),
        objects={"split": 9},
        voxel_size=size,
    )
    np.testing.assert_array_equal(split, objects(mask[0] >= 0.6 * 255, split=9, voxel_size=size))
    with pytest.raises(ValueError, match="voxel size is not known; give voxel_size="):
        lsd.segment(mask, decoder="components", ranges=(0, 1), objects={"split": 9})
    with pytest.raises(ValueError, match="does not take fragments; it takes: objects"):
        lsd.segment(mask, decoder="components", ranges=(0, 1), fragments={"min_size": 3})


def test_occupancy_in_a_notebook() -> None:
    offsets = KERNEL.offsets_in(2)
    around = smooth(2, 9, FLAT)
    probability, _ = lsd.consensus(around, offsets)
    found = lsd.segment(around, decoder="consensus", neighborhood=offsets)
    np.testing.assert_array_equal(found, objects(probability >= 0.5))
    # as a network gives it
    heads = Heads(
        {"occupancy": around / np.float32(255)},
        neighborhoods={},
        ranges={"occupancy": (0, 1)},
        occupancies={"occupancy": offsets},
    )
    same = lsd.segment(heads, decoder="consensus") == found
    assert same.mean() > 0.99
    with pytest.raises(ValueError, match="does not say of the voxels around"):
        lsd.segment(around, decoder="consensus")
