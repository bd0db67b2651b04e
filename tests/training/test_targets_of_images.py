"""What is learned at the border of an image: objects go on there, as raw does and as error maps and
doubts take them to, whatever other images there are."""

import numpy as np
import tifffile

from lsd.batches.pipeline import Batches
from lsd.spec import (
    Config,
    Dataset,
    Descriptors,
    Head,
    Images,
    Network,
    ResidualUNet,
    Stage,
    Train,
    Variant,
    Volume,
)
from lsd.targets.target import compute
from lsd.training.loss_score import learned_in
from lsd.volumes.volume import open_volume

TARGET, SIDE, FAR = Descriptors(sigma=15), 5, 12
# as a list orders them
SIZES = {"a": (20, 30), "b": (26, 18), "c": (33, 21)}


def written(root) -> tuple[Volume, list[np.ndarray]]:
    """Images full of boxes, and their labels as they go on beyond the border."""
    rng, padded = np.random.default_rng(0), []
    for name, (height, width) in SIZES.items():
        boxes = rng.permutation(99)[: 7 * 7].reshape(7, 7) + 1
        labels = np.kron(boxes, np.ones((SIDE, SIDE), int))[:height, :width].astype(np.uint16)
        for folder, pixels in (("im", (labels % 251).astype(np.uint8)), ("truth", labels)):
            (root / folder).mkdir(exist_ok=True)
            tifffile.imwrite(root / folder / f"{name}.tiff", pixels)
        padded.append(np.pad(labels, FAR, mode="reflect"))
    images = Images(images="im/*.tiff", masks="truth/*.tiff")
    return Volume(images=images, name="em", voxel_size=(5, 5)), padded


def descriptors_of(padded: np.ndarray) -> np.ndarray:
    values, _ = compute(TARGET, padded, voxel_size=(5, 5))
    return values[:, FAR:-FAR, FAR:-FAR]


def test_descriptors_of_validation_go_on_beyond_an_image(tmp_path) -> None:
    spec, padded = written(tmp_path)
    volume = open_volume(spec, name="em", data_root=tmp_path)
    values, known = learned_in(volume, volume.roi, {"lsds": TARGET}, dims=2).targets["lsds"]
    for z, (height, width) in enumerate(SIZES.values()):
        inside = values[:, z, :height, :width]
        np.testing.assert_allclose(inside, descriptors_of(padded[z]), atol=2e-5)
        assert known[:, z, :height, :width].all()
        assert known[:, z].sum() == len(values) * height * width


def test_descriptors_of_batches_go_on_beyond_an_image(tmp_path) -> None:
    spec, padded = written(tmp_path)
    config = Config(
        name="run",
        dataset=Dataset(train=(spec,)),
        variant=Variant(stages=(Stage(heads={"lsds": Head(target=TARGET)}),)),
        network=Network(
            trunk=ResidualUNet(widths=(2,), factors=(), kernel=(3, 3)), train_shape=(8, 8)
        ),
        train=Train(workers=0),
        data_root=str(tmp_path),
    )
    wanted, cut_off = [descriptors_of(labels) for labels in padded], 0
    with Batches(config, "main", (30, 30), (22, 22)) as batches:
        for _ in range(6):
            batch = next(batches)
            labels, known = batch.labels[0, 0], batch.known[0, 0]
            rows, columns = np.flatnonzero(known.any(axis=1)), np.flatnonzero(known.any(axis=0))
            seen = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
            shown = labels[seen].astype(np.uint64) & np.uint64(2**32 - 1)
            z = int(labels[seen][0, 0]) >> 32
            whole = padded[z][FAR:-FAR, FAR:-FAR]
            [corner] = [
                (y, x)
                for y in range(whole.shape[0] - shown.shape[0] + 1)
                for x in range(whole.shape[1] - shown.shape[1] + 1)
                if (whole[y : y + shown.shape[0], x : x + shown.shape[1]] == shown).all()
            ]
            own = tuple(slice(c, c + n) for c, n in zip(corner, shown.shape, strict=True))
            made = batch.targets["lsds"][0][(slice(None), *seen)]
            np.testing.assert_allclose(made, wanted[z][(slice(None), *own)], atol=2e-5)
            cut_off += shown.size < labels.size
    assert cut_off
