"""What the attributes of a predicted array say about where its values come from."""

from __future__ import annotations

from typing import Any

import torch

from lsd.network.restore import Restored
from lsd.prediction.plan import Plan
from lsd.prediction.predictor import Predictor
from lsd.spec import Affinities
from lsd.targets.offsets import for_dims
from lsd.volumes.volume import OpenVolume


def attributes(head: str, volume: OpenVolume, *, plan: Plan, predictor: Predictor, restored: Restored) -> dict[str, Any]:
    """Attributes of the array of `head`: all that its values depend on, and the neighborhood of affinities (voxels)."""
    settings, target, block = predictor.settings, predictor.targets[head], plan.grid.block(0)
    dims = predictor.network.dims
    record = {
        "volume": volume.name,
        "raw": volume.raw.name,
        "run": restored.config.name,
        "checkpoint_sha256": restored.sha256,
        "stage": restored.stage,
        "iteration": restored.iteration,
        "variant": predictor.variant.model_dump(mode="json"),
        "trunk": predictor.network.trunk.model_dump(mode="json"),
        "roi": {"offset": list(plan.grid.roi.begin), "shape": list(plan.grid.roi.shape)},
        "block": {"read": list(block.read.shape), "write": list(plan.grid.write_shape)},
        "border": "reflect",
        "normalisation": {"raw_range": volume.spec.raw_range, "to": [-1.0, 1.0], "trained_with": restored.normalisation},
        "range": [0, 255] if settings.dtype == "uint8" else [0, 1],
        "augment": settings.augment,
        "turns": len(plan.turns),
        "precision": settings.precision,
        "device": predictor.device.type,
        "threads": settings.threads or torch.get_num_threads(),
    }
    if not isinstance(target, Affinities):
        return {"prediction": record}
    flat = (0,) * (volume.roi.dims - dims)
    return {"prediction": record, "neighborhood": [[*flat, *offset] for offset in for_dims(target.neighborhood, dims)]}
