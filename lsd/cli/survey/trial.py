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
from lsd.spec import Config, Stage, Volume
from lsd.spec.paths import data_root
from lsd.volumes import generated

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
    shape = tuple(min(n, m + _BORDER) for n, m in zip(synthetic.shape, whole, strict=True))
    with _without_log():
        container = generated.generate(synthetic.derive(shape=shape), folder)
    return volume.derive(synthetic=None, path=str(container), region=())
