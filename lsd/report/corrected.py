"""How what people corrected stands to the segmentation that there is now."""

from __future__ import annotations

import logging

from lsd.blockwise.on_disk.step import load_step, step_folder
from lsd.segmentation.made_from import SAME, Standing, standing
from lsd.spec import Config, paths
from lsd.system.commands import typed

log = logging.getLogger(__name__)
# the step that writes it
STEP = "corrected"


def standing_of_corrected(config: Config, volume: str) -> Standing:
    """Whether it was made of the segmentation that there is; what was deleted since is compared
    with nothing."""
    way_out = typed("correct")
    folder = step_folder(paths.corrected(config, volume), STEP)
    noted = load_step(folder).job.fingerprint().get("made_from") if folder.exists() else None
    if not noted:
        why = "it does not note which segmentation it is of, as earlier versions did not"
        return Standing(False, why, way_out)
    found = standing(config, volume, {"segmentation": noted})
    return found._replace(way_out=way_out) if found.why else SAME


def is_of_now(config: Config, volume: str) -> bool:
    """Whether what was corrected may stand for the segmentation that there is; told where not."""
    found = standing_of_corrected(config, volume)
    if found.is_other:
        log.warning(
            "what was corrected of volume %r is of another segmentation than there is now: %s; to "
            "correct what is there, run %s",
            volume, found.why, found.way_out,
        )  # fmt: skip
    return not found.is_other
