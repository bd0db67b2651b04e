"""Error sites in a page, the worst first, each with its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from lsd.evaluation.error_sites.sites import Site
from lsd.report.page.chart import number
from lsd.report.page.encoded import data_url
from lsd.report.site_pictures import SitePicture


def sites(drawn: Sequence[tuple[Site, SitePicture | None]], *, calibrated: bool = True) -> str:
    """A list of sites; one whose pictures could not be read has its words alone.

    calibrated: whether places are in nm; where no voxel size is known, they are in voxels
    """
    unit = " nm" if calibrated else " (voxels)"
    listed = "".join(_site(n, *each, unit=unit) for n, each in enumerate(drawn, 1))
    return f'<ol class="sites">{listed}</ol>'


def _site(place: int, site: Site, picture: SitePicture | None, *, unit: str) -> str:
    trio = "" if picture is None else _trio(picture)
    lengths = ", ".join(
        f"{axis} {number(v)}" for axis, v in zip("zyx"[-len(site.place) :], site.place, strict=True)
    )
    return (
        f'<li class="site"><p><b>{place}. {site.kind}</b>, {number(site.bits)} bits of VOI</p>'
        f"<p>{_words(site)}</p><p>at {lengths}{unit}{_touch(site)}</p>{trio}</li>"
    )


def _touch(site: Site) -> str:
    """How both parts meet; nothing of one that is alone."""
    if site.is_lost:
        return ""
    touch = f"; {site.contact:,} faces touch" if site.contact else "; the parts do not touch"
    if site.kind == "split" and site.contact and site.voxels[1] < site.voxels[0]:
        touch += "; no larger part of the neuron touches the first"
    return touch


def _words(site: Site) -> str:
    first, other = site.voxels
    if site.is_lost:
        return f"neuron {site.truth[0]} lies in no segment: {_part('first', f'{first:,}')} voxels"
    sizes = f"{_part('first', f'{first:,}')} and {_part('other', f'{other:,}')} voxels"
    if site.kind == "split":
        a, b = site.segments
        return (
            f"neuron {site.truth[0]} lies in the segments {_part('first', a)} and "
            f"{_part('other', b)}: {sizes}"
        )
    a, b = site.truth
    return (
        f"segment {site.segments[0]} holds the neurons {_part('first', a)} and "
        f"{_part('other', b)}: {sizes}"
    )


def _part(kind: str, text: object) -> str:
    return f'<span class="{kind}">{text}</span>'


def _trio(picture: SitePicture) -> str:
    right, down = picture.size
    left, top = (f"{100 * share:.1f}%" for share in picture.mark)
    figures = "".join(
        f"<figure><figcaption>{name}</figcaption>"
        f'<div style="aspect-ratio: {right:g} / {down:g}">'
        f'<img alt="{escape(name)} around the site" src="{data_url(image, exact=False)}">'
        f'<i style="left: {left}; top: {top}"></i></div></figure>'
        for name, image in (
            ("raw", picture.raw),
            ("truth", picture.truth),
            ("segmentation", picture.segmentation),
        )
    )
    return f'<div class="trio">{figures}</div>'
