"""What evaluation would do."""

from __future__ import annotations

import math
from collections.abc import Iterator

from lsd.cli.survey.volumes import listed, surveyed
from lsd.cli.survey.words import about
from lsd.evaluation.evidence import has
from lsd.evaluation.metric import check_joined
from lsd.evaluation.scored_results import scored_results
from lsd.spec import Config
from lsd.spec.paths import evaluation_file, objects, segmentation
from lsd.system.commands import typed
from lsd.volumes.find import expand

# voxels that a process counts in a second, about
RATE = 2e7


def survey(config: Config, shared: bool) -> Iterator[str]:
    """Of each volume whether there is a truth and a segmentation."""
    config = expand(config)
    volumes = surveyed(config, config.predict.volumes)
    yield from listed(volumes)
    metric = config.evaluate.metric
    of_objects = config.evaluate.of == "objects"
    scored, command = (objects, "objects") if of_objects else (segmentation, "segment")
    if not of_objects:
        check_joined(config.evaluate, config.segment)
    scored_voxels = 0
    for name, volume in volumes.items():
        against = [what for what in (metric.against, "skeletons") if has(volume.spec, what)]
        if not against:
            yield f"{name}: not scored, it has no {metric.against}"
        elif not scored(config, name).exists():
            yield f"{name}: there is no segmentation yet; run {typed(command)} first"
        else:
            # ValueError where the command would refuse it
            scored_results(config, name)
            scored_voxels += math.prod(volume.roi.shape)
            yield f"{name}: scored against its {' and '.join(dict.fromkeys(against))}"
    file = evaluation_file(config)
    if file.exists():
        yield f"{file} is there; where scores or settings differ, it is kept under another name"
    if scored_voxels:
        seconds = scored_voxels / RATE / max(config.evaluate.workers.count, 1)
        yield f"{about(seconds)}: a guess, from the number of voxels"
    yield "nothing was changed"
