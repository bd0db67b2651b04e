"""Opens what segmentation left on disk, where it is what the config asks for."""

from __future__ import annotations

from pathlib import Path

from lsd.blockwise.on_disk.step import Step, load_step, step_folder
from lsd.blockwise.on_disk.written import left, steps_of
from lsd.segmentation.decoders.decoder import decoder_of
from lsd.segmentation.mask import mask_of
from lsd.segmentation.on_disk.results import OtherResults, Results, whole_step
from lsd.segmentation.over_blocks.inputs import Inputs
from lsd.segmentation.predicted import head_input, open_heads
from lsd.segmentation.sections import settings_for
from lsd.spec import Config
from lsd.spec.paths import prediction, segmentation
from lsd.system.commands import typed


def open_results(config: Config, volume: str) -> Results:
    """What `segment` wrote for a volume with the config's decoder.

    Raises ValueError, naming the file or folder, if it is missing, not whole, its edges or tables
    are another run's, or it is not what segmenting again would give: of another prediction than
    there is now, other settings, blocks or another mask.
    """
    path = segmentation(config, volume)
    if not path.exists():
        raise ValueError(
            f"there is no segmentation of volume {volume!r} at {path}; run {typed('segment')} first"
        )
    decoder = decoder_of(config.segment)
    first_step = whole_step(step_folder(path, decoder.first_step))
    return decoder.results(_inputs(config, volume, first_step), path)


def other_than_asked(config: Config, volume: str, container: Path) -> list[str]:
    """In what the steps of a container differ from those that segmenting now would run, in words;
    the container is that of the volume, or the one that is written until it is whole.

    Raises ValueError where the prediction or the mask cannot be read.
    """
    decoder = decoder_of(config.segment)
    folder = step_folder(container, decoder.first_step)
    if not (folder / "step.json").exists():
        return [f"segment.decoder: another there, {config.segment.decoder.kind} asked for"]
    first = load_step(folder)
    inputs = _inputs(config, volume, first)
    try:
        decoder.results(inputs, container)
    except OtherResults as error:
        return list(error.differences)
    except ValueError:
        # what is asked for is not whole, and says so
        if not any(left(step) for step in steps_of(container)):
            raise
        return decoder.first(inputs, container).differs(first)
    return []


def _inputs(config: Config, volume: str, first_step: Step) -> Inputs:
    """The inputs of a segmentation that would be made now.

    A prediction that was deleted since is taken as the first step on disk recorded it.
    """
    settings = config.segment
    if prediction(config, volume).exists() or first_step.is_older:
        predicted = open_heads(config, volume)
        roi = next(iter(predicted.values())).array.roi
        heads = {
            name: head_input(head, revision=settings.revision, whole=False)
            for name, head in predicted.items()
        }
    else:
        roi = first_step.grid.roi
        heads = decoder_of(settings).recorded(first_step.job.record(), settings)
    settings = settings_for(settings, config.dataset.volumes()[volume])
    return Inputs(settings, roi, heads, mask_of(config, volume, roi=roi))


__all__ = ["Results", "open_results"]
