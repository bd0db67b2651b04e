"""The state of the viewer on disk: what was looked at, where, and what people noted, comes up
again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lsd.report.viewer.extra import neuroglancer
from lsd.report.viewer.layers import OF_A_SEGMENTATION, Layer
from lsd.system.atomic import write_text
from lsd.volumes.array import Array

# of a state, and of a layer: what follows from the data
_DATA = ("layers", "dimensions", "displayDimensions", "title")
_OURS = ("source", "name", "type", "annotations")
# the type of layers that people make
_NOTES = "annotation"


def first_state(layers: Sequence[Layer], array: Array, *, title: str) -> Any:
    """Everything in the middle of a volume, x to the right and y down; array: whose voxels are
    counted."""
    library = neuroglancer()
    axes = "xyz"[: array.roi.dims]
    unit = "nm" if array.calibrated else ""
    state = library.ViewerState()
    # names z y x alone would show z to the right
    state.dimensions = library.CoordinateSpace(
        names=list(axes), units=[unit] * len(axes), scales=[*reversed(array.voxel_size)]
    )
    state.display_dimensions = list(axes)
    middle = np.array(array.roi.begin) + np.array(array.roi.shape) / 2
    state.position = [float(n) for n in reversed(middle)]
    state.title = title
    state.layout = "4panel" if array.roi.dims == 3 else "xy"
    state.cross_section_scale = max(array.roi.shape[-2:]) / 400
    state.projection_scale = float(max(array.roi.shape))
    for each in layers:
        state.layers.append(name=each.name, layer=each.layer, visible=each.visible)
    return state


def as_it_was(state: Any, earlier: Mapping[str, Any]) -> Any:
    """A first state with what was saved: the view, how each layer was set, and notes of people.

    Data are those of now, since an address of before is one of a server that is gone, and points
    of before are of a segmentation that may be, too.
    """
    first = state.to_json()
    view = {name: value for name, value in earlier.items() if name not in _DATA}
    before = {layer.get("name"): layer for layer in earlier.get("layers", [])}
    layers = [_layer(layer, before.pop(layer["name"], {})) for layer in first["layers"]]
    notes = [
        layer
        for name, layer in before.items()
        if layer.get("type") == _NOTES and name not in OF_A_SEGMENTATION
    ]
    return neuroglancer().ViewerState({**first, **view, "layers": [*layers, *notes]})


def _layer(now: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """A layer as it was set, with the data of now."""
    if before.get("type") != now["type"]:
        return dict(now)
    ours = {name: now[name] for name in _OURS if name in now}
    return {**before, **ours}


def save(state: Any, file: Path) -> None:
    """Writes a state; sources, which are of this process, by their types alone."""
    text = json.dumps(state.to_json(), indent=1, default=_plain)
    write_text(file, f"{text}\n", durable=False)


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else type(value).__name__


def saved(file: Path) -> dict[str, Any]:
    """A state that was saved; empty where there is none.  Raises ValueError for what is none."""
    if not file.exists():
        return {}
    try:
        content = json.loads(file.read_bytes())
        if not isinstance(content, dict) or not isinstance(content.get("layers", []), list):
            raise ValueError("it holds no layers")
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{file} is no state of the viewer ({error}); delete it to start afresh"
        ) from error
    return content
