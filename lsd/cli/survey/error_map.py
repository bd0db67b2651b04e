"""What making error maps would do."""

from __future__ import annotations

import math
from collections.abc import Iterator

from lsd.blockwise.on_disk.inspect import status
from lsd.cli.survey.words import about
from lsd.evaluation.error_map.run import compared_threshold, open_compared
from lsd.spec import Config
from lsd.spec.plurals import counted
from lsd.volumes.find import expand

# voxels that a process compares in a second, about: descriptors take most of it
RATE = 3e5


def survey(config: Config, shared: bool) -> Iterator[str]:
    """Of each volume what is compared, and which steps there are."""
    config = expand(config)
    threshold, voxels = compared_threshold(config), 0
    at_threshold = "" if threshold is None else f" at threshold {threshold:g}"
    for name in config.dataset.named(config.predict.volumes):
        # ValueError where the command would refuse it
        volume = open_compared(config, name, threshold)
        voxels += math.prod(volume.roi.shape)
        yield (
            f"{name}: {config.error_map.head} is compared with the segmentation{at_threshold}, "
            f"into {volume.path}"
        )
        for step in status(volume.path) if (volume.path / "blocks").exists() else []:
            running = f", {step.running}" if step.running else ""
            yield f"  {step.name}: {step.done} of {counted(step.blocks, 'block')} done{running}"
    seconds = voxels / RATE / max(config.error_map.workers.count, 1)
    yield f"{about(seconds)}: a guess, from the number of voxels"
    yield "nothing was changed"
