"""What is painted is ids, or it is refused before anything is written."""

import numpy as np
import pytest
from run_with_segments import THRESHOLD, VOLUME, segmented_run

from lsd.report.exports.correct import correct
from lsd.report.exports.run import exported_volumes
from lsd.spec.corrections import Corrections
from lsd.spec.exports import Export
from lsd.spec.paths import corrected
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array


@pytest.fixture(scope="module")
def volume(tmp_path_factory):
    config = segmented_run(tmp_path_factory.mktemp("run"))
    [volume] = exported_volumes(config, Export(threshold=THRESHOLD), progress=lambda line: None)
    return volume


def painted(folder, volume, data):
    """The reference of a file of it; channels are the axis before those of space."""
    like, channels = volume.segmentation.array, data.shape[0] if data.ndim == 4 else None
    create_array(
        folder / "p.zarr",
        "p",
        roi=like.roi,
        voxel_size=like.voxel_size,
        dtype=data.dtype,
        channels=channels,
    ).write(data, like.roi)
    return f"{folder}/p.zarr:p"


def _last_is(value, dtype, shape):
    data = np.zeros(shape, dtype)
    # ids that are right come first, which must not end the search
    data[..., 0, :3, :3], data[..., -1, -1, -1] = 7, value
    return data


@pytest.mark.parametrize(
    ("value", "dtype", "channels", "says"),
    [
        (
            -1,
            np.int32,
            (),
            r"p\.zarr:p holds the negative id -1 .* ids are 0 and above: leave 0 wh",
        ),
        (-5, np.int64, (), "holds the negative id -5"),
        # of float32 it is 16777216
        (2**24 + 1, np.float32, (), r"p\.zarr:p is float32; ids are integers"),
        (9, np.uint32, (2,), "has 2 channels; one is needed"),
    ],
)
def test_what_is_no_ids_is_refused(volume, tmp_path, value, dtype, channels, says) -> None:
    shape = (*channels, *volume.segmentation.array.roi.shape)
    before = corrected(volume.config, VOLUME).exists()
    with pytest.raises(ValueError, match=says):
        correct(
            volume,
            Corrections(painted=painted(tmp_path, volume, _last_is(value, dtype, shape))),
        )
    assert corrected(volume.config, VOLUME).exists() == before


@pytest.mark.parametrize("dtype", [np.int16, np.int64, np.uint64, np.bool_])
@pytest.mark.parametrize("channels", [(), (1,)])
def test_ids_of_any_type_and_of_one_channel(volume, tmp_path, dtype, channels) -> None:
    shape = tuple(volume.segmentation.array.roi.shape)
    data = _last_is(np.iinfo(dtype).max if dtype != np.bool_ else 1, dtype, shape)
    reference = painted(tmp_path, volume, data.reshape(*channels, *shape))
    container = correct(volume, Corrections(painted=reference, margin=0))
    labels, mask = (open_array(container, name) for name in ("labels", "labels_mask"))
    array = volume.segmentation.array
    # numpy turns whole numbers >= 0 of any type into Python's exactly
    wanted = np.where(data > 0, data.astype(object), array.read(array.roi).astype(object))
    assert labels.read(array.roi).tolist() == wanted.tolist()
    np.testing.assert_array_equal(mask.read(array.roi), data > 0)
