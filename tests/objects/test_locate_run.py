"""Tables of the objects of a run: the same whatever the blocks, interrupted and by other
processes."""

import shutil

import numpy as np
import pytest
from funlib.geometry import Roi
from objects_run import ROI, SIZE, another_run, make_config, read, smooth

from lsd.arrays.skeletons import labels_at
from lsd.blockwise.on_disk.inspect import status, verify_blocks
from lsd.blockwise.running.run import BlocksFailed
from lsd.cli import program
from lsd.cli.survey.locating import survey
from lsd.objects import locate as arrays
from lsd.objects.over_blocks import PointsFunction
from lsd.objects.run import locate
from lsd.objects.tables import read_located
from lsd.spec import Affinities, Config, Dataset, Foreground, Head, Locate, Segment, Volume
from lsd.spec.paths import located, prediction, run_folder
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array
from lsd.volumes.volume import open_volume

HEADS = {"mask": Head(target=Foreground())}
THRESHOLD = 0.6
COLUMNS = ("id", "point", "begin", "end", "voxels", "volume", "confidence")


def config_of(folder, *, segment=None, heads=HEADS, **options):
    fields = {"thresholds": (THRESHOLD,), "decoder": {"kind": "components", "head": "mask"}}
    arrays = {name: smooth(1, 3 if name == "affs" else 1, ROI.shape) for name in heads}
    return make_config(
        folder, heads, arrays, segment=Segment(**(fields | (segment or {}))),
        locate=Locate(**options),
    )  # fmt: skip


def text(config):
    return located(config, "em").read_text()


def test_a_table_is_that_of_the_arrays(tmp_path):
    config = config_of(tmp_path)
    [path] = locate(config)
    assert path == tmp_path / "runs" / "run" / "located" / "em.csv"
    table = read_located(path)
    offset = [float(b * nm) for b, nm in zip(ROI.begin, SIZE, strict=True)]
    expected = arrays.locate(
        read(config, f"segmentation/{THRESHOLD}"), read(config, "foreground"),
        voxel_size=SIZE, offset=offset,
    )  # fmt: skip
    assert len(table) > 10
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(table, name), getattr(expected, name))
    assert (table.confidence >= THRESHOLD).all()


@pytest.mark.parametrize("block", [(6, 16, 32), (5, 13, 17), (1, 40, 44)])
def test_blocks_are_the_whole(tmp_path, block):
    config = config_of(tmp_path)
    locate(config)
    # objects of the volume reach over faces of these blocks
    blocks = another_run(config, "blocks", block=block)
    locate(blocks)
    assert text(blocks) == text(config)
    assert verify_blocks(run_folder(blocks) / "located" / "em") == []


def test_what_is_far_from_a_border_does_not_matter_beyond_the_context(tmp_path):
    config = config_of(tmp_path, segment={"context": (1, 2, 2)})
    locate(config)
    for number, block in enumerate([(6, 16, 32), (5, 13, 17)]):
        blocks = another_run(config, f"blocks{number}", block=block)
        locate(blocks)
        assert text(blocks) == text(config)


@pytest.mark.slow
def test_other_processes_give_the_same(tmp_path):
    config = config_of(tmp_path)
    locate(config)
    workers = {"count": 2}
    other = another_run(config, "workers", block=(6, 16, 32), workers=workers)
    locate(other.derive(locate={"workers": workers}))
    assert text(other) == text(config)


def test_it_goes_on_where_it_was(tmp_path, monkeypatch):
    config = config_of(tmp_path, segment={"block": (6, 16, 32)})
    done, compute = [], PointsFunction.compute

    def failing(self, block, source):
        if len(done) == 5:
            raise ValueError("no more")
        done.append(block.index)
        return compute(self, block, source)

    monkeypatch.setattr(PointsFunction, "compute", failing)
    workers = Config.model_validate(config.derive(locate={"workers": {"retries": 0}}))
    with pytest.raises(BlocksFailed, match="no more"):
        locate(workers)
    assert not located(config, "em").exists()
    again = []
    monkeypatch.setattr(
        PointsFunction,
        "compute",
        lambda self, block, source: again.append(block.index) or compute(self, block, source),
    )
    locate(config)
    assert sorted(done + again) == list(range(12))
    once = another_run(config, "once")
    locate(once)
    assert text(once) == text(config)


def test_done_steps_are_not_done_again_and_other_sizes_are_only_listed(tmp_path, monkeypatch):
    config = config_of(tmp_path)
    every = read_located(*locate(config))
    monkeypatch.setattr(PointsFunction, "compute", None)
    lines = []
    few, many = (int(n) for n in np.quantile(every.voxels, (0.3, 0.7)))
    some = config.derive(locate={"min_size": few, "max_size": many})
    table = read_located(*locate(some, progress=lines.append))
    kept = (every.voxels >= few) & (every.voxels <= many)
    assert 0 < kept.sum() < len(every)
    assert table.id.tolist() == every.id[kept].tolist()
    assert f"{len(every) - len(table)} of other sizes left out" in lines[-1]


def test_another_threshold_has_other_objects_and_the_first_may_come_back(tmp_path):
    config = config_of(tmp_path)
    first = read_located(*locate(config))
    lower = read_located(*locate(config.derive(locate={"threshold": 0.4})))
    assert lower.voxels.sum() > first.voxels.sum()
    assert read_located(*locate(config)).id.tolist() == first.id.tolist()


def test_objects_of_sections(tmp_path):
    config = config_of(tmp_path, segment={"objects": {"connectivity": 8, "min_size": 6}})
    table = read_located(*locate(config))
    assert (table.voxels >= 6).all()
    np.testing.assert_allclose(table.end[:, 0] - table.begin[:, 0], SIZE[0])


def test_nothing_is_a_table_without_rows(tmp_path):
    config = config_of(tmp_path, segment={"objects": {"min_size": 10**6}})
    assert len(read_located(*locate(config))) == 0


def test_which_threshold(tmp_path):
    config = config_of(tmp_path, segment={"thresholds": (0.3, 0.6)})
    with pytest.raises(
        ValueError, match=r"locate.threshold is not set, none is picked, .* 0.3, 0.6"
    ):
        locate(config)
    locate(config.derive(locate={"threshold": 0.5}))
    steps = {step.name for step in status(run_folder(config) / "located" / "em")}
    assert steps == {"measures_0_5", "points_0_5"}


def test_decoders_that_do_not_say_where_objects_are_are_refused(tmp_path):
    config = config_of(
        tmp_path, segment={"decoder": "watershed"}, heads={"affs": Head(target=Affinities())}
    )
    with pytest.raises(ValueError, match="'watershed' does not say how surely"):
        locate(config)


def test_lengths_are_asked_for_before_anything_is_computed(tmp_path):
    config = config_of(tmp_path)
    path = prediction(config, "em")
    head = open_array(path, "mask").read(ROI)
    shutil.rmtree(path)
    create_array(
        path, "mask", roi=ROI, voxel_size=(1,) * 3, dtype=np.uint8, channels=1, calibrated=False
    ).write(head, ROI)
    with pytest.raises(ValueError, match="volume 'em': a table of objects is in nm"):
        locate(config)
    assert not (run_folder(config) / "segmentation").exists()


def test_parquet_is_refused_before_anything_is_computed(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    config = config_of(tmp_path, table="parquet")
    with pytest.raises(ValueError, match="pyarrow, which is not installed"):
        locate(config)
    assert not (run_folder(config) / "segmentation").exists()


def test_a_dry_run_says_what_would_be_done(tmp_path):
    config = config_of(tmp_path, min_size=5)
    before = list(survey(config, False))
    assert any("objects of at least 5 voxels at threshold 0.6" in line for line in before)
    assert not (run_folder(config) / "segmentation").exists()
    locate(config)
    after = "\n".join(survey(config, False))
    assert "points_0_6: 1 of 1 block done" in after
    assert "there is a table of" in after


def test_points_of_a_coarse_scale_lie_in_the_objects_of_the_file(tmp_path):
    """Balls of the file at odd places, found in what a network that is never wrong gives at the
    scale (2, 3, 4)."""
    scale, roi, size = (2, 3, 4), Roi((-9, 5, -31), (37, 64, 97)), np.array((12.0, 4.0, 3.5))
    centres = [(0, 20, -15), (9, 47, 20), (14, 25, 48), (20, 50, -10)]
    places = np.stack(np.meshgrid(*map(np.arange, roi.begin, roi.end), indexing="ij"), -1) * size
    labels = np.zeros(roi.shape, np.uint64)
    for number, centre in enumerate(centres, 1):
        labels[np.linalg.norm(places - centre * size, axis=-1) < 40 + 5 * number] = number
    for name, data in {"raw": (labels > 0).astype(np.uint8), "labels": labels}.items():
        array = create_array(
            tmp_path / "data.zarr", name, roi=roi, voxel_size=size, dtype=data.dtype
        )
        array.write(data, roi)
    config = config_of(tmp_path / "other", segment={"thresholds": (0.5,), "block": (5, 9, 8)})
    volume = Volume(path="data.zarr", raw="raw", labels="labels", scale=scale, name="em")
    config = config.derive(
        name="coarse", data_root=str(tmp_path), dataset=Dataset(validate=(volume,))
    )
    opened = open_volume(volume, name="em", data_root=tmp_path)
    sure = (opened.read_labels(opened.roi) > 0).astype(np.uint8)[None] * np.uint8(255)
    create_array(
        prediction(config, "em"), "mask", roi=opened.roi, voxel_size=opened.voxel_size,
        dtype=np.uint8, channels=1, remainder=opened.raw.remainder,
    ).write(sure, opened.roi)  # fmt: skip
    table = read_located(*locate(config))
    begin = np.array(roi.begin) * size
    at = labels_at(labels, table.point, voxel_size=size, offset=begin)
    assert sorted(at.tolist()) == [1, 2, 3, 4]
    for row, number in enumerate(at):
        voxels = np.argwhere(labels == number)
        first, last = voxels.min(axis=0) * size + begin, (voxels.max(axis=0) + 1) * size + begin
        coarse = size * scale
        assert (np.abs(table.begin[row] - first) < coarse).all()
        assert (np.abs(table.end[row] - last) < coarse).all()
        assert (np.abs(table.point[row] - centres[number - 1] * size) < 1.5 * coarse).all()
        np.testing.assert_allclose(table.volume[row], len(voxels) * size.prod() / 1e9, rtol=0.2)


def command(config, folder, capsys, *words):
    """Exit status, and what `lsd locate` says."""
    (folder / "my_config.py").write_text(
        "from lsd.spec import Config\n"
        f"config = Config.model_validate_json({config.model_dump_json()!r})\n"
    )
    with pytest.raises(SystemExit) as end:
        program.main(["locate", "-c", str(folder / "my_config.py"), *words])
    captured = capsys.readouterr()
    return end.value.code, captured.out + captured.err


def test_the_command(tmp_path, capsys):
    config = config_of(tmp_path)
    status, printed = command(config, tmp_path, capsys, "--dry-run")
    assert (status, located(config, "em").exists()) == (0, False)
    assert "what locate would do" in printed
    status, printed = command(config, tmp_path, capsys, "locate.min_size=5")
    assert status == 0
    assert f"written: {located(config, 'em')}" in printed
    assert (read_located(located(config, "em")).voxels >= 5).all()
    status, printed = command(config, tmp_path, capsys, "locate.min_size=5", "locate.max_size=3")
    assert (status, "max_size 3 is below min_size 5" in printed) == (2, True)
    status, printed = command(config, tmp_path, capsys, "segment.decoder=watershed")
    assert (status, printed.startswith("error: segment.decoder 'watershed' does not say")) == (
        1,
        True,
    )


def test_specs():
    with pytest.raises(ValueError, match="max_size 3 is below min_size 5"):
        Locate(min_size=5, max_size=3)
