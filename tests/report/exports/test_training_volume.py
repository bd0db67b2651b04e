"""The volume that `lsd correct` prints can be opened, and training draws from it what was
corrected, where it was corrected."""

import numpy as np
import pytest
from funlib.geometry import Coordinate, Roi
from segmented_run import affs

from lsd.batches.pipeline import Batches
from lsd.cli.commands.correct import main
from lsd.cli.commands.export import main as export_main
from lsd.prediction.config_file import keep_config
from lsd.report.exports.correct import correct
from lsd.report.exports.run import exported_volumes
from lsd.report.exports.training import raw_to_write, training_volume
from lsd.segmentation.run import segment
from lsd.spec import (
    Affinities,
    Config,
    Dataset,
    Fragments,
    Head,
    Network,
    ResidualUNet,
    Segment,
    Stage,
    Variant,
    Volume,
)
from lsd.spec.corrections import Corrections
from lsd.spec.exports import Export
from lsd.spec.paths import corrected, data_root, prediction, run_folder, segmentation
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array
from lsd.volumes.volume import open_volume

# of raw, in voxels as they are read, each of which has a value of its own
BEGIN, SHAPE, SIZE, MOST = (5, 0, 2), (24, 26, 32), (40.0, 8.0, 8.0), 2**15
RAW, SEGMENTED = Roi(BEGIN, SHAPE), Roi((9, 3, 5), affs().shape[1:])
OFFSET = tuple(n * nm for n, nm in zip(BEGIN, SIZE, strict=True))
AS_SEGMENTED = ", ".join(f"{a}:{b}" for a, b in zip(SEGMENTED.begin, SEGMENTED.end, strict=True))
NAME, CHOSEN = "data_validate", 0.6


def raw(scale=(1, 1, 1)):
    """Voxels that are read as one have one value: which of them it is."""
    numbers = np.arange(np.prod(SHAPE), dtype=np.uint16).reshape(SHAPE)
    for axis, times in enumerate(scale):
        numbers = np.repeat(numbers, times, axis)
    return numbers


def without_words(folder, data):
    """A file that says nothing of itself."""
    np.save(folder / "data.npy", data)
    return {"path": "data.npy", "raw": ""}


def with_its_place(folder, data, scale=(1, 1, 1)):
    """A file that says where it lies."""
    begin, size = Coordinate(BEGIN) * Coordinate(scale), np.divide(SIZE, scale).tolist()
    create_array(
        folder / "data.zarr", "raw", roi=Roi(begin, data.shape), voxel_size=size, dtype=data.dtype
    ).write(data, Roi(begin, data.shape))
    return {"path": "data.zarr", "raw": "raw"}


def corrected_run(folder, voxel_size=None, **fields):
    """A segmented run over a volume with these fields, of which all segments are trusted; the
    config, and the corrections."""
    volume = Volume(raw_range=(0, MOST), name=NAME, **fields)
    config = Config(
        name="run",
        dataset=Dataset(validate=(volume,), voxel_size=voxel_size),
        variant=Variant(stages=(Stage(heads={"affs": Head(target=Affinities())}),)),
        network=Network(trunk=ResidualUNet(), train_shape=(16, 16, 16)),
        segment=Segment(thresholds=(CHOSEN,), fragments=Fragments(min_seed_distance=4)),
        predict={"volumes": ("validate",)},
        train={"workers": 0},
        runs=str(folder / "runs"),
        data_root=str(folder),
    )
    create_array(
        prediction(config, NAME),
        "affs",
        roi=SEGMENTED,
        voxel_size=SIZE,
        dtype=np.uint8,
        channels=3,
    ).write(affs(), SEGMENTED)
    segment(config, progress=lambda line: None)
    keep_config(config, sections=("segment",))
    labels = open_array(segmentation(config, NAME), f"segmentation/{CHOSEN}")
    ids = np.unique(labels.read(SEGMENTED))
    return config, Corrections(trusted=[int(n) for n in ids if n])


def check_draws(config, code, roi):
    """Samples of the volume in `code` are voxels of raw, which their values tell, and have the
    corrected labels of just these; roi: where it has labels."""
    learnt = eval(code, {"Volume": Volume})
    opened = open_volume(learnt, name="x", data_root=data_root(config))
    assert opened.truth_roi == roi
    labels, mask = (open_array(corrected(config, NAME), n) for n in ("labels", "labels_mask"))
    dataset = config.dataset.derive(train=(learnt,), validate=(), test=())
    seen = set()
    with Batches(config.derive(dataset=dataset), "main", (8, 8, 8), (6, 6, 6)) as batches:
        for _ in range(4):
            batch = next(batches)
            values = batch.raw[0, 0][(slice(1, -1),) * 3].astype(np.float64)
            voxels = np.rint((values + 1) / 2 * MOST).astype(int)
            places = np.stack(np.unravel_index(voxels, SHAPE)) + np.reshape(BEGIN, (3, 1, 1, 1))
            first = places[:, 0, 0, 0]
            np.testing.assert_array_equal(places, first.reshape(3, 1, 1, 1) + np.indices((6, 6, 6)))
            output = Roi(first.tolist(), (6, 6, 6))
            there = output.intersect(roi)
            inside = (there - output.begin).to_slices()
            np.testing.assert_array_equal(batch.labels[0, 0][inside], labels.read(there))
            known = np.zeros(output.shape, bool)
            known[inside] = mask.read(there) > 0
            np.testing.assert_array_equal(batch.known[0, 0], known)
            seen.add(tuple(first.tolist()))
    assert len(seen) > 1
    return learnt


def cut(z, x=(SEGMENTED.begin[2], SEGMENTED.end[2])):
    """The part of what was segmented between these ends of z and x."""
    y = SEGMENTED.begin[1], SEGMENTED.end[1]
    return Roi([a for a, _ in (z, y, x)], [b - a for a, b in (z, y, x)])


@pytest.mark.parametrize(
    ("write", "fields", "roi"),
    [
        (without_words, {"offset": OFFSET, "region": AS_SEGMENTED}, SEGMENTED),
        (without_words, {"offset": OFFSET, "axes": "xyz"}, SEGMENTED),
        (with_its_place, {}, SEGMENTED),
        (with_its_place, {"region": AS_SEGMENTED}, SEGMENTED),
        # as where predict.region or the command line names another region
        (with_its_place, {"region": "11:29"}, cut((11, 21))),
        (with_its_place, {"region": "22:29, :, 10:25"}, cut((9, 21), (10, 25))),
        (with_its_place, {"region": "22:29"}, SEGMENTED),
    ],
)
def test_training_draws_what_was_corrected(tmp_path, write, fields, roi) -> None:
    turned = fields.get("axes") == "xyz"
    of_file = write(tmp_path, np.ascontiguousarray(raw().T) if turned else raw())
    stated = SIZE if write is without_words else None
    config, corrections = corrected_run(tmp_path, stated, **of_file, **fields)
    [volume] = exported_volumes(config, Export(threshold=CHOSEN), progress=lambda line: None)
    correct(volume, corrections)
    assert raw_to_write(volume) == ""
    check_draws(config, training_volume(volume), roi)


def test_further_arrays_stay_where_they_are(tmp_path) -> None:
    np.save(tmp_path / "mito.npy", raw() % 7)
    of_file = without_words(tmp_path, raw())
    config, corrections = corrected_run(
        tmp_path, SIZE, **of_file, offset=OFFSET, arrays={"m": f"{tmp_path}/mito.npy:"}
    )
    [volume] = exported_volumes(config, Export(threshold=CHOSEN), progress=lambda line: None)
    correct(volume, corrections)
    learnt = check_draws(config, training_volume(volume), SEGMENTED)
    opened = open_volume(learnt, name="x", data_root=tmp_path)
    inside = (SEGMENTED - RAW.begin).to_slices()
    np.testing.assert_array_equal(opened.read_array("m", SEGMENTED), raw()[inside] % 7)


def test_of_a_scale_raw_is_written_before(tmp_path, capsys) -> None:
    """Labels have the voxels that are read, of which raw's file has four each."""
    scale = (1, 2, 2)
    of_file = with_its_place(tmp_path, raw(scale), scale)
    # the voxel size that the dataset gives all volumes is that of the file
    config, corrections = corrected_run(tmp_path, (40, 4, 4), **of_file, scale=scale)
    file = tmp_path / "corrections.json"
    file.write_text(corrections.model_dump_json())
    with pytest.raises(SystemExit, match="0"):
        main([str(run_folder(config)), NAME, str(file), "--threshold", str(CHOSEN)])
    first, code = capsys.readouterr().out.splitlines()[-2:]
    told, typed = first.removesuffix("`").split("`")
    assert told == "it is read at a scale; before training, write raw so too: "
    assert typed.startswith("lsd export ")
    with pytest.raises(SystemExit, match="0"):
        export_main(typed.split()[2:])
    check_draws(config, code.removeprefix("to train on it: "), SEGMENTED)
