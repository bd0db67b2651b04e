"""A segment has a neuron's colour only where it is the neuron's, whatever numbers both have; and
whatever colours segments have, there is a line between them."""

from types import SimpleNamespace

import numpy as np
import pytest

from lsd.arrays.contingency import Contingency
from lsd.report.colours import called, colours
from lsd.report.differences import Partners
from lsd.report.figures import SectionImages, _pictures
from lsd.report.layers import segmentation_layer
from lsd.report.neurons import neurons
from lsd.spec import Evaluate

# neuron 7 is segment 12; neuron 9 is segment 40 and, beside neuron 7, a piece that is called 7
TRUTH = np.repeat(np.array([7, 9], np.uint64), [12, 12])[None].repeat(6, 0)
SEGMENTS = np.repeat(np.array([12, 7, 40], np.uint64), [12, 4, 8])[None].repeat(6, 0)
INSIDE = {12: 4, 7: 14, 40: 20}  # a column of each that touches no other


def layer_of(monkeypatch, *, connected=False, is_known=True):
    monkeypatch.setattr("lsd.report.layers.has_thresholds", lambda config: False)
    monkeypatch.setattr("lsd.report.layers.scored_results", lambda config, name: None)
    recorded = SimpleNamespace(
        threshold=None,
        config=SimpleNamespace(evaluate=SimpleNamespace(connected=connected)),
        names_segments_of=lambda name: is_known,
        neurons={"v": neurons(Contingency.of(SEGMENTS, TRUTH), Evaluate())},
    )
    return segmentation_layer(recorded, "v")


def test_a_piece_beside_a_neuron_of_its_number_is_no_part_of_it(monkeypatch) -> None:
    layer = layer_of(monkeypatch)
    picture, by_id = layer.draw(SEGMENTS), colours(np.array([7, 9]))
    np.testing.assert_array_equal(picture[2, INSIDE[12]], by_id[0])
    np.testing.assert_array_equal(picture[2, INSIDE[40]], by_id[1])
    assert all(np.abs(picture[2, INSIDE[7]] - one).sum() > 0.1 for one in by_id)
    is_line = picture.max(axis=-1) < 0.2
    np.testing.assert_array_equal(is_line[:-1, :-1], (np.diff(SEGMENTS) != 0)[:-1])
    assert "has the colour that it has in the truth" in layer.about


@pytest.mark.parametrize("about", [{"connected": True}, {"is_known": False}])
def test_where_nobody_knows_whose_segments_are_none_is_coloured_as_a_neuron(
    monkeypatch, about
) -> None:
    layer = layer_of(monkeypatch, **about)
    picture = layer.draw(SEGMENTS)
    shown = np.stack([picture[2, column] for column in INSIDE.values()])
    apart = np.abs(shown[:, None] - colours(np.array([7, 9]))[None]).sum(axis=-1)
    assert apart.min() > 0.1
    assert "colour that it has in the truth" not in layer.about


def test_a_figure_colours_no_segment_by_its_number(monkeypatch) -> None:
    monkeypatch.setattr("lsd.report.figures._PIXELS", 24)
    raw = np.full(TRUTH.shape, 0.5, np.float32)
    section = SectionImages("", raw, TRUTH, SEGMENTS, np.ones(TRUTH.shape, bool))
    pictures = _pictures(section, Partners.of(Contingency.of(SEGMENTS, TRUTH)))
    truth, segments = (pictures[name][2] for name in ("truth", "segmentation"))
    alike = {
        one: [n for n, at in ((7, 4), (9, 20)) if np.abs(segments[column] - truth[at]).sum() < 0.05]
        for one, column in INSIDE.items()
    }
    assert alike == {12: [7], 7: [], 40: [9]}


def test_what_has_no_name_keeps_apart_from_all_others() -> None:
    rng = np.random.default_rng(0)
    small = np.arange(3000, dtype=np.uint64)
    ids = np.unique(np.concatenate([small, rng.integers(0, 2**64, 3000, np.uint64), small << 32]))
    found = called(ids, np.zeros_like(ids))
    assert len(np.unique(found)) == len(ids)
    assert not np.isin(found, ids[ids > 0]).any()
    np.testing.assert_array_equal(found == 0, ids == 0)
    # the one id whose bits are those that are turned is no hole
    [odd] = called(np.array([1]), np.array([0])) ^ np.uint64(1)
    assert called(np.array([odd]), np.array([0])).tolist() != [0]
    assert called(ids, ids + np.uint64(1)).tolist() == (ids + np.uint64(1)).tolist()
