"""Error sites that are about what lies in no segment: their words, and their pictures."""

import re

import numpy as np
import pytest
from funlib.geometry import Roi
from page_reader import read_page

from lsd.evaluation.error_sites.placing import error_sites
from lsd.evaluation.error_sites.sites import Site
from lsd.report.colours import grey
from lsd.report.layers import Layer, label_colours
from lsd.report.page.sites import sites
from lsd.report.site_pictures import PARTS, draw_site
from lsd.report.viewer.layers import described
from lsd.spec import Volume
from lsd.volumes.create import create_array
from lsd.volumes.volume import open_volume

# neuron 2 is not found, and neuron 1 in part; labels 0 between both count for nothing
TRUTH = np.zeros((1, 16, 16), np.uint64)
TRUTH[:, :, :7], TRUTH[:, :, 9:] = 1, 2
SEGMENTS = np.zeros_like(TRUTH)
SEGMENTS[:, :10, :7] = 5
LOST = Site("split", (0,), (2,), (112, 0), 3.5, 0, (20.0, 42.0, 62.0))


def shown(site):
    [item] = read_page(sites([(site, None)])).find("li", class_="site")
    return item.text


def picture(folder, site):
    roi = Roi((0, 0, 0), TRUTH.shape)
    raw = np.random.default_rng(0).integers(0, 255, TRUTH.shape).astype(np.uint8)
    for name, data in (("raw", raw), ("labels", TRUTH)):
        create_array(
            folder / "v.zarr", name, roi=roi, voxel_size=(40.0, 4.0, 4.0), dtype=data.dtype
        ).write(data, roi)
    spec = Volume(path="v.zarr", raw="raw", labels="labels")
    volume = open_volume(spec, name="v", data_root=folder)
    layer = Layer("", "", lambda box: SEGMENTS[box.to_slices()], label_colours, exact=True)
    return draw_site(site, volume, layer)


def painted(drawn, part):
    """Where a picture is raw with the colour of a part, by voxels; lines are left out."""
    step = len(drawn.raw) // 16
    inner = (slice(step // 2, None, step),) * 2
    raw, found = grey(drawn.raw[..., 0])[inner], drawn.segmentation[inner]
    return np.isclose(found, (raw + np.array(PARTS[part], np.float32)) / 2, atol=1e-3).all(axis=-1)


@pytest.mark.parametrize("background", ["label", "singletons", "ignore"])
def test_whatever_segment_0_is_each_site_has_words(background) -> None:
    found = error_sites(SEGMENTS, TRUTH, background=background)
    for site in found:
        text = shown(site)
        named = [one for one in (*site.truth, *site.segments) if one]
        assert all(re.search(rf"\b{one}\b", text) for one in named)
        assert all(f"{n:,}" in text for n in site.voxels if n)
    lost = [site for site in found if site.is_lost]
    assert [site.truth for site in lost] == ([(2,)] if background == "singletons" else [])


def test_a_neuron_that_lies_in_no_segment_has_no_other_part() -> None:
    text = shown(LOST)
    assert "neuron 2 lies in no segment: 112 voxels" in text
    assert "touch" not in text
    assert described(LOST) == "split, 3.5 bits: in no segment; truth 2; 112 voxels"
    cut = Site("split", (0, 5), (1,), (42, 70), 1.5, 7, LOST.place)
    assert "lies in the segments 0 and 5: 42 and 70 voxels" in shown(cut)
    assert described(cut) == "split, 1.5 bits: segment 0, 5; truth 1; 42 and 70 voxels"


def test_what_lies_in_no_segment_is_shown_where_the_neuron_is(tmp_path) -> None:
    drawn = picture(tmp_path, LOST)
    np.testing.assert_array_equal(painted(drawn, 0), TRUTH[0] == 2)


def test_segment_0_of_a_neuron_is_a_part_beside_the_other(tmp_path) -> None:
    drawn = picture(tmp_path, Site("split", (0, 5), (1,), (42, 70), 1.5, 7, LOST.place))
    own = TRUTH[0] == 1
    np.testing.assert_array_equal(painted(drawn, 0), own & (SEGMENTS[0] == 0))
    np.testing.assert_array_equal(painted(drawn, 1), own & (SEGMENTS[0] == 5))
