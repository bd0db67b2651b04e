"""Opens what segmentation left on disk, where it is what the config asks for."""

from __future__ import annotations

from funlib.geometry import Roi

from lsd.blockwise.on_disk.step import Step, step_folder
from lsd.segmentation.decoders.decoder import decoder_of
from lsd.segmentation.mask import mask_of
from lsd.segmentation.on_disk.results import Results, whole_step
from lsd.segmentation.over_blocks.inputs import HeadInput, Inputs
from lsd.segmentation.predicted import neighborhoods, predicted, prediction_input
from lsd.spec import Config
from lsd.spec.paths import prediction, segmentation
from lsd.volumes.inputs import ArrayInput


def open_results(config: Config, volume: str) -> Results:
    """What `segment` wrote for a volume with the config's decoder.

    Raises ValueError, naming the file or folder, if it is missing, not whole, its edges or tables
    are another run's, or it is not what segmenting again would give: of another prediction than
    there is now, other settings, blocks or another mask.
    """
    path = segmentation(config, volume)
    if not path.exists():
        raise ValueError(
            f"there is no segmentation of volume {volume!r} at {path}; run segment.py first"
        )
    decoder = decoder_of(config.segment)
    first = whole_step(step_folder(path, decoder.first_step))
    return decoder.results(_asked(config, volume, first), path)


def _asked(config: Config, volume: str, first: Step) -> Inputs:
    """What segmenting now would start from; a prediction that was deleted since is taken as it
    was."""
    roi: Roi
    if prediction(config, volume).exists() or first.is_older:
        arrays = predicted(config, volume)
        roi = next(iter(arrays.values())).roi
        revision = config.segment.revision
        inputs = {
            name: prediction_input(array, revision=revision, whole=False)
            for name, array in arrays.items()
        }
    else:
        roi = first.grid.roi
        inputs = _recorded(config, first)
    offsets = neighborhoods(config)
    heads = {name: HeadInput(array, offsets[name]) for name, array in inputs.items()}
    return Inputs(config.segment, roi, heads, mask_of(config, volume, roi=roi))


def _recorded(config: Config, first: Step) -> dict[str, ArrayInput]:
    return decoder_of(config.segment).recorded(first.job.record(), config.segment)


__all__ = ["Results", "open_results"]
