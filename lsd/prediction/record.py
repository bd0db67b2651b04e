"""What the attributes of a predicted array say about where its values come from."""

from __future__ import annotations

from typing import Any

from lsd.network.checkpoints.restore import Restored
from lsd.prediction.plan import Plan
from lsd.spec import Predict, Target
from lsd.targets.target import target_kind
from lsd.volumes.volume import OpenVolume


def attributes(
    target: Target, volume: OpenVolume, *, plan: Plan, settings: Predict, restored: Restored
) -> dict[str, Any]:
    """Attributes of the array of a head: all that its values depend on, and what the target says of
    them, such as the neighborhood of affinities (voxels)."""
    kind = target_kind(target)
    block, network = plan.grid.block(0), restored.config.network
    record = {
        "volume": volume.name,
        "raw": volume.raw.name,
        "run": restored.config.name,
        "checkpoint_sha256": restored.sha256,
        "stage": restored.stage,
        "iteration": restored.iteration,
        "variant": restored.cascade.variant.model_dump(mode="json"),
        "trunk": network.trunk.model_dump(mode="json"),
        "roi": {"offset": list(plan.grid.roi.begin), "shape": list(plan.grid.roi.shape)},
        "block": {"read": list(block.read.shape), "write": list(plan.grid.write_shape)},
        "border": "reflect",
        "normalisation": {
            "raw_range": volume.spec.raw_range,
            "to": [-1.0, 1.0],
            "trained_with": restored.normalisation,
        },
        **kind.storage.attributes(settings.dtype),
        "augment": settings.augment,
        "opinions": settings.opinions,
        "turns": len(plan.turns),
        "precision": settings.precision,
        "device": settings.device,
        "threads": settings.threads,
    }
    return {"prediction": record, **kind.attributes(network.dims, axes=volume.roi.dims)}
