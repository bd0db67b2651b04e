"""What is scored of a volume: its segmentation, or its objects at located points."""

from __future__ import annotations

from lsd.segmentation.decoders.decoder import decoder_of
from lsd.segmentation.on_disk.results import Results
from lsd.segmentation.results import open_results
from lsd.spec import Config


def scored_results(config: Config, volume: str) -> Results:
    """What `evaluate.of` means of a volume.

    Raises ValueError where it is missing, not whole, or not what the config would give.
    """
    if config.evaluate.of == "segmentation":
        return open_results(config, volume)
    # loads what networks are made of
    from lsd.objects.results import open_objects

    return open_objects(config, volume)


def has_thresholds(config: Config) -> bool:
    """Whether what is scored has a threshold to be picked."""
    return config.evaluate.of == "segmentation" and decoder_of(config.segment).has_thresholds
