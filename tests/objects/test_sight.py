"""What is seen in windows is what is seen of the whole."""

from pathlib import Path

import numpy as np
import torch
from funlib.geometry import Coordinate, Roi
from seeded_run import SIZE, balls, make_run, table_of

from lsd.network.cascade import Cascade
from lsd.objects.sight import Sight
from lsd.objects.windows import Lattice, Seen
from lsd.prediction.predictor import Predictor
from lsd.volumes.volume import open_volume

LABELS = balls((30, 34, 32), count=3, radius=5)
VOLUME = Roi((10, -3, 5), LABELS.shape)


def sight_of(folder):
    config = make_run(folder, LABELS, table_of(LABELS))
    torch.manual_seed(3)
    cascade = Cascade(config.variant, config.network.trunk)
    predictor = Predictor(cascade, config.network, settings=config.predict)
    [spec] = config.dataset.test
    volume = open_volume(spec, name="em", data_root=Path(config.data_root))
    return Sight(volume, predictor, settings=config.segment)


def test_windows_and_their_mean_are_the_whole(tmp_path) -> None:
    sight = sight_of(tmp_path)
    whole = sight.look(VOLUME, {})["foreground"]
    assert whole.std() > 1e-4
    box = Roi((20, 5, 12), (6, 6, 6))
    lattice = Lattice.around(
        box,
        box.begin,
        window=Coordinate((14, 14, 14)),
        overlap=0.3,
        step=sight.step,
        limit=VOLUME,
    )
    places = [(0, 0, 0), (0, 0, 1), (0, 1, 0), (-1, 0, 0), (0, 1, 1)]
    seen = Seen(
        {place: (lattice.roi(place), sight.look(lattice.roi(place), {})) for place in places}
    )
    for roi, values in seen.windows.values():
        part = whole[:, *(roi - VOLUME.begin).to_slices()]
        assert np.allclose(values["foreground"], part, atol=1e-5)
    blended, covered = seen.blended()["foreground"], seen.covers(seen.roi)
    part = whole[:, *(seen.roi - VOLUME.begin).to_slices()]
    assert np.allclose(blended[:, covered], part[:, covered], atol=1e-5)
    assert not covered.all()
    assert not blended[:, ~covered].any()


def test_what_was_read_ahead_is_taken_once_and_changes_nothing(tmp_path) -> None:
    sight = sight_of(tmp_path)
    windows = [Roi((12 + 2 * n, 1, 9), (14, 14, 14)) for n in range(3)]
    ahead = sight.read_ahead(windows)
    assert len(ahead) == 3
    read = sight._raw
    sight._raw = None
    seen = [sight.look(roi, ahead)["foreground"] for roi in windows]
    assert not ahead
    sight._raw = read
    for roi, values in zip(windows, seen, strict=True):
        assert np.array_equal(values, sight.look(roi, {})["foreground"])


def test_nothing_is_decoded_where_nothing_was_seen(tmp_path) -> None:
    sight = sight_of(tmp_path)
    values = {"foreground": np.ones((1, 6, 6, 6), np.float32)}
    seen = np.zeros((6, 6, 6), bool)
    seen[:, :, :3] = True
    labels = sight.decode(values, Roi((12, 0, 9), (6, 6, 6)), seen)
    assert np.array_equal(labels > 0, seen)
    assert sight.voxel_size == SIZE
