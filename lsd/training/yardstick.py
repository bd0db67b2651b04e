"""What a score of validation is measured with: scores of two yardsticks are never compared."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from funlib.geometry import Roi

from lsd.network.precision import choose
from lsd.prediction.predictor import choose_device
from lsd.segmentation.predicted import is_decoded
from lsd.segmentation.threshold import BLOCKS, COUNTING, scoring_settings, without
from lsd.spec import Config, Stage
from lsd.training.data import states
from lsd.volumes.inputs import box
from lsd.volumes.volume import OpenVolume

# to be raised whenever the same settings would give other scores
VERSION = 1


def yardstick(
    config: Config, stage: Stage, volumes: Sequence[OpenVolume], *, rois: Sequence[Roi]
) -> dict[str, Any]:
    """All that the score of given weights depends on, as JSON: settings, and the volumes as they
    are on disk.

    rois: the part of each volume that is predicted
    """
    train, evaluate = config.train, without(config.evaluate.model_dump(), COUNTING)
    depends_on = {
        "version": VERSION,
        "volumes": {volume.name: _identity(volume, config) for volume in volumes},
        "predicted": [box(roi) for roi in rois],
        "precision": choose(train.precision, choose_device(train.device).type),
        # blocks of a same-padded network with little context are not quite the whole
        "predict": {name: getattr(config.predict, name) for name in ("memory", "shape")},
    }
    if is_decoded(config, stage.heads):
        segment = without(scoring_settings(config), BLOCKS)
        depends_on |= {
            "score": config.evaluate.metric.kind,
            "segment": segment,
            "thresholds": config.segment.thresholds,
            "evaluate": evaluate,
        }
    else:
        depends_on |= {"score": "loss", "evaluate": {"region": evaluate["region"]}}
    plain: dict[str, Any] = json.loads(json.dumps(depends_on))
    return plain


def _identity(volume: OpenVolume, config: Config) -> dict[str, Any]:
    return {"spec": volume.spec.model_dump(mode="json"), **states(volume, config)}
