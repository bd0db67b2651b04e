"""A sample, made as training makes it, so that mistakes in volumes, augmentations, targets and
losses are found before a run."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lsd.batches.pipeline import Batch, Maker
from lsd.batches.recipe import Recipe
from lsd.batches.volumes import check_size
from lsd.spec import Config, Stage, Synthetic, Volume
from lsd.spec.paths import data_root
from lsd.volumes import generated
from lsd.volumes.array import open_array

# voxels beyond the output that a volume which is made for the trial has, where its own is larger
_BORDER = 16


def sample(config: Config, stage: Stage, *, raw: Sequence[int], output: Sequence[int]) -> Batch:
    """Batch 0, of one sample.

    raw, output: voxels that enter the cascade and leave the stage
    Synthetic volumes that are not there yet are made in a folder that is removed, and no larger
    than a sample takes.  Raises what the making of batches raises.
    """
    with tempfile.TemporaryDirectory() as folder:
        volumes = tuple(
            _small(volume, config, Path(folder), output) for volume in config.dataset.train
        )
        if volumes == config.dataset.train:
            return _made(config, stage, raw, output)
        trial = config.derive(dataset={"train": volumes}, train={"small": "pad"})
        with _without_log():
            # what is said of small volumes is not meant for those of the config
            return _made(trial, stage, raw, output)


def _made(config: Config, stage: Stage, raw: Sequence[int], output: Sequence[int]) -> Batch:
    one = config.derive(train={"batch_size": 1, "workers": 0})
    recipe = Recipe(one, stage.name, tuple(raw), tuple(output))
    maker = Maker(recipe)
    try:
        check_size(maker.volumes, recipe.section(raw), config.train.small)
        return maker(0)
    finally:
        maker.close()


@contextmanager
def _without_log() -> Iterator[None]:
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def _small(volume: Volume, config: Config, folder: Path, output: Sequence[int]) -> Volume:
    """The volume, or a small one like it where it is synthetic and not there yet."""
    synthetic = volume.synthetic
    if synthetic is None or generated.path(synthetic, data_root(config)).exists():
        return volume
    whole = (1,) * (len(synthetic.shape) - len(output)) + tuple(output)
    # of a volume read at a scale, a voxel of the sample is several of what is made
    scale = volume.scale or (1,) * len(synthetic.shape)
    least = tuple(m * s + _BORDER for m, s in zip(whole, scale, strict=True))
    container = _made_small(synthetic, least, volume.labels, folder)
    return volume.derive(synthetic=None, path=str(container), region=())


def _made_small(
    synthetic: Synthetic, least: Sequence[int], labels: str | None, folder: Path
) -> Path:
    """A volume of `least` voxels, or so many times more that there is an object in it."""
    times = 1
    while True:
        shape = tuple(min(n, times * m) for n, m in zip(synthetic.shape, least, strict=True))
        with _without_log():
            container = generated.generate(synthetic.derive(shape=shape), folder)
        if labels is None or shape == synthetic.shape:
            return container
        truth = open_array(container, labels)
        if truth.read(truth.roi).any():
            return container
        times *= 2
