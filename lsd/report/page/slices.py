"""Sections of a volume in a page: sliders through its layers and along its axes."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from lsd.report.layers import Layer
from lsd.report.page.chart import as_script
from lsd.report.page.encoded import data_url
from lsd.report.planes import Plane


def slices(
    title: str, layers: Sequence[Layer], planes: Sequence[Plane], *, calibrated: bool
) -> str:
    """A slider between layers, which fades one into the next, and one along each axis; on paper a
    picture of each layer."""
    unit = "nm" if calibrated else ""
    content = {
        "titles": [layer.title for layer in layers],
        "about": [layer.about for layer in layers],
        "planes": [_content(plane, layers, unit) for plane in planes],
    }
    widest = max(plane.size[0] for plane in planes)
    shown = "".join(_plane(plane, title, widest) for plane in planes)
    sheets = "".join(_sheet(plane, layers) for plane in planes)
    stops = "".join(
        f'<button type="button" aria-pressed="false">{escape(layer.title)}</button>'
        for layer in layers
    )
    return (
        f'<div class="slices"><div class="fade"><label class="slide">Shown: <output></output>'
        f'<input type="range" min="0" max="{len(layers) - 1}" step="0.1" value="0" '
        f'aria-label="layer of {escape(title)}"></label>'
        f'<div class="stops">{stops}</div><p class="note about" aria-live="polite"></p></div>'
        f'<div class="planes">{shown}</div>{sheets}'
        f'<script type="application/json">{as_script(content)}</script></div>'
    )


def _content(plane: Plane, layers: Sequence[Layer], unit: str) -> dict[str, object]:
    return {
        "name": plane.name,
        "across": plane.across,
        "voxels": plane.voxels,
        "places": plane.places,
        "extent": plane.extent,
        "unit": unit,
        "pictures": [
            [data_url(picture, exact=layer.exact) for picture in pictures]
            for layer, pictures in zip(layers, plane.pictures, strict=True)
        ],
    }


def _plane(plane: Plane, title: str, widest: float) -> str:
    right, down = plane.size
    last = len(plane.voxels) - 1
    slider = (
        f'<label class="slide"><output></output><input type="range" min="0" max="{last}" step="1" '
        f'value="{last // 2}" aria-label="{plane.across} of the {plane.name} plane of '
        f'{escape(title)}"{" disabled" if not last else ""}></label>'
    )
    return (
        f'<figure class="plane" style="--wide: {right / widest:.4f}">'
        f"<figcaption>{plane.name}</figcaption>"
        f'<div class="stack" style="aspect-ratio: {right:g} / {down:g}">'
        f'<img alt=""><img alt=""><i class="across" hidden></i><i class="upright" hidden></i></div>'
        f"{slider}</figure>"
    )


def _sheet(plane: Plane, layers: Sequence[Layer]) -> str:
    """What is printed; the script puts in the pictures that are shown."""
    right, down = plane.size
    figures = "".join(
        f"<figure><figcaption>{escape(layer.title)}, {plane.name}</figcaption>"
        f'<img alt="" style="aspect-ratio: {right:g} / {down:g}"></figure>'
        for layer in layers
    )
    return f'<div class="sheet">{figures}</div>'
