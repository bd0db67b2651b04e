"""Where a run writes: what another wrote is never removed, and no kill loses a result."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from toy import ROI, expected, step

from lsd.blockwise.on_disk import container as containers
from lsd.blockwise.on_disk.container import delete_torn_files, partial_of, target_of, working
from lsd.blockwise.on_disk.owned import strangers
from lsd.blockwise.running.run import prepare, run
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array

OLD, NEW = {"context": (1, 2, 0)}, {"context": (0, 0, 0)}


def write(tmp_path: Path, target: Path, **settings) -> None:
    """A run of Toy to its end, as predict and segment do it."""
    made = step(tmp_path, **settings)
    with working(target, made) as container:
        _do(made, container)


def _do(made, container: Path):
    made = replace(made, container=container)
    prepare(made)
    create_array(
        container,
        "out",
        roi=ROI,
        voxel_size=(4, 4, 4),
        dtype=np.uint64,
        chunks=made.grid.write_shape,
    )
    run(made)
    return made


def check(tmp_path: Path, target: Path, **settings) -> None:
    """The result stands there, whole, and nothing beside it."""
    np.testing.assert_array_equal(
        open_array(target, "out").read(ROI), expected(step(tmp_path, **settings))
    )
    assert strangers(target) == []
    assert not (target / "blocks" / ".replaced").exists()
    assert sorted(path.name for path in target.parent.iterdir()) == [target.name]


@pytest.fixture
def target(tmp_path) -> Path:
    return tmp_path / "runs" / "a.b" / "v1.2.zarr"


def test_made_anew_and_gone_on_with(tmp_path, target) -> None:
    for settings in (OLD, OLD, NEW, OLD):
        write(tmp_path, target, **settings)
        check(tmp_path, target, **settings)


def snapshot(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _raw(folder: Path) -> None:
    create_array(folder, "volumes/raw", roi=ROI, voxel_size=(4, 4, 4), dtype=np.uint8).write(
        np.ones(ROI.shape, np.uint8), ROI
    )


def _file(name: str):
    def make(folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")

    make.__name__ = name
    return make


def _folder_called_blocks(folder: Path) -> None:
    create_array(folder, "blocks", roi=ROI, voxel_size=(4, 4, 4), dtype=np.uint8)


def _link(folder: Path) -> None:
    (folder.parents[2] / "elsewhere").mkdir()
    (folder / "affs").symlink_to(folder.parents[2] / "elsewhere")


USERS = [
    _raw,
    _folder_called_blocks,
    _link,
    *map(
        _file,
        (
            "notes.txt",
            "raw/0",
            "out/notes.txt",
            "blocks/notes.txt",
            "blocks/x/data.h5",
            "tables/mine.csv",
        ),
    ),
    *map(_file, ("out/0.partial", "a.partial", "out/corrected/0", ".hidden")),
]


@pytest.mark.parametrize("ours", [True, False], ids=["in our result", "alone"])
@pytest.mark.parametrize("place", ["target", "partial"])
@pytest.mark.parametrize("make", USERS, ids=lambda make: make.__name__)
def test_what_another_wrote_is_refused_and_stays(tmp_path, target, make, place, ours) -> None:
    if ours:
        write(tmp_path, target, **OLD)
    folder = target if place == "target" else partial_of(target)
    if ours and place == "partial":
        os.rename(target, folder)
    folder.mkdir(parents=True, exist_ok=True)
    if make is _folder_called_blocks and ours:
        shutil.rmtree(folder / "blocks")
    make(folder)
    before = snapshot(tmp_path)
    with pytest.raises(
        ValueError,
        match=r"holds what this program did not write: .*nothing of it is removed: move it",
    ):
        write(tmp_path, target, **NEW)
    after = snapshot(tmp_path)
    assert {path: after.get(path) for path in before} == before
    assert not target.with_name(f"{target.name}.lock").exists()


def test_a_file_and_a_link_in_the_place_of_a_result(tmp_path, target) -> None:
    write(tmp_path, tmp_path / "disk" / "v.zarr", **OLD)
    target.parent.mkdir(parents=True)
    target.symlink_to(tmp_path / "disk" / "v.zarr")
    # gone on with where it is
    write(tmp_path, target, **OLD)
    with pytest.raises(ValueError, match=r"did not write: .*v1\.2\.zarr"):
        write(tmp_path, target, **NEW)
    assert target.is_symlink()
    check(tmp_path, tmp_path / "disk" / "v.zarr", **OLD)
    target.unlink()
    target.write_text("mine")
    with pytest.raises(ValueError, match="did not write"):
        write(tmp_path, target, **NEW)
    assert target.read_text() == "mine"


def test_arrays_that_an_earlier_step_wrote_are_our_own(tmp_path, target) -> None:
    """A step of other settings that keeps them does not make them a stranger's."""
    made = step(tmp_path, **OLD)
    with working(target, made) as container:
        done = _do(made, container)
        for name in ("segmentation/0.5", "segmentation/0.25"):
            array = create_array(container, name, roi=ROI, voxel_size=(4, 4, 4), dtype=np.uint64)
            array.write(np.zeros(ROI.shape, np.uint64), ROI)
        replace(done, name="segmentation", arrays=("segmentation/0.5", "segmentation/0.25")).save()
    with working(target, made) as container:
        assert container == target
        replace(done, container=target, name="segmentation", arrays=("segmentation/0.5",)).save()
    assert strangers(target) == []
    (target / "segmentation" / "corrected").mkdir()
    assert strangers(target) == [target / "segmentation" / "corrected"]


KILL = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_container
from lsd.blockwise.on_disk import container

replace, number, calls = os.replace, int(sys.argv[4]), 0

def killed(source, target):
    global calls
    calls += str(source).endswith(".zarr") or str(source).endswith(".zarr.partial")
    if calls == number:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)
    if calls == number - 1 == 2:
        os.kill(os.getpid(), signal.SIGKILL)

container.os = type("os", (), {**vars(os), "replace": staticmethod(killed)})
test_container.write(Path(sys.argv[2]), Path(sys.argv[3]), **test_container.NEW)
"""


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_kill_while_the_new_result_is_put_in_place(tmp_path, target, number, monkeypatch) -> None:
    """Before, between and after the two renames: the next run finds the new one, and computes
    nothing."""
    write(tmp_path, target, **OLD)
    command = [
        sys.executable,
        "-c",
        KILL,
        str(Path(__file__).parent),
        str(tmp_path),
        str(target),
        str(number),
    ]
    done = subprocess.run(command, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    monkeypatch.setattr("toy.Toy.compute", lambda *_: pytest.fail("computed again"))
    write(tmp_path, target, **NEW)
    check(tmp_path, target, **NEW)


def test_a_removal_that_fails_is_said_and_done_by_the_next_run(
    tmp_path, target, monkeypatch, caplog
) -> None:
    write(tmp_path, target, **OLD)
    with monkeypatch.context() as patch:

        def busy(path):
            raise OSError(errno.EBUSY, "Device or resource busy")

        patch.setattr(containers.shutil, "rmtree", busy)
        write(tmp_path, target, **NEW)
    assert "cannot be removed" in caplog.text
    assert "Device or resource busy" in caplog.text
    write(tmp_path, target, **NEW)
    check(tmp_path, target, **NEW)


def test_a_result_that_cannot_be_replaced_stays(tmp_path, target, monkeypatch) -> None:
    write(tmp_path, target, **OLD)
    with monkeypatch.context() as patch:
        real = os.replace

        def refused(source, place):
            if str(source).endswith(".zarr.partial"):
                raise PermissionError(errno.EACCES, "Permission denied")
            real(source, place)

        patch.setattr(containers.os, "replace", refused)
        with pytest.raises(OSError, match="Permission denied"):
            write(tmp_path, target, **NEW)
    np.testing.assert_array_equal(
        open_array(target, "out").read(ROI), expected(step(tmp_path, **OLD))
    )
    write(tmp_path, target, **NEW)
    check(tmp_path, target, **NEW)


@pytest.mark.parametrize("when", ["before it goes on", "before it ends"])
def test_what_a_person_makes_of_a_result_while_the_next_is_made_is_kept(
    tmp_path, target, when
) -> None:
    """Proofreading in place, beside a run that was stopped, or in the midst of it."""
    write(tmp_path, target, **OLD)
    made = step(tmp_path, **NEW)
    proofread = open_array(target, "out").read(ROI) + np.uint64(1)

    def edit() -> None:
        open_array(target, "out", writable=True).write(proofread, ROI)

    def stopped() -> None:
        with working(target, made):
            raise KeyboardInterrupt

    def edited_meanwhile() -> None:
        with working(target, made) as container:
            _do(made, container)
            edit()

    refused = pytest.raises(ValueError, match=r"v1\.2\.zarr/out was changed since.*move it else")
    if when == "before it ends":
        with refused:
            edited_meanwhile()
    else:
        with pytest.raises(KeyboardInterrupt):
            stopped()
        edit()
    with refused:
        write(tmp_path, target, **NEW)
    np.testing.assert_array_equal(open_array(target, "out").read(ROI), proofread)
    shutil.rmtree(target / "out")
    write(tmp_path, target, **NEW)
    check(tmp_path, target, **NEW)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_while_the_new_result_is_put_in_place(tmp_path, target, number, monkeypatch) -> None:
    write(tmp_path, target, **OLD)
    real = os.replace

    def pressed(source, place):
        if ".zarr" in Path(source).suffixes[-2:]:
            os.kill(os.getpid(), number)
            os.kill(os.getpid(), number)
        real(source, place)

    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(containers.os, "replace", pressed)
            with pytest.raises(KeyboardInterrupt):
                write(tmp_path, target, **NEW)
    finally:
        signal.signal(signal.SIGTERM, before)
    write(tmp_path, target, **NEW)
    check(tmp_path, target, **NEW)


def test_what_stands_beside_a_container() -> None:
    for name in (
        "a.zarr",
        "a.b.zarr",
        "v1.2.zarr",
        "x.zarr.zarr",
        "a.partial.zarr",
        "a.lock.zarr",
        ".zarr",
    ):
        assert target_of(Path("runs") / name) == Path("runs") / name
        if name != ".zarr":
            assert target_of(partial_of(Path("runs") / name)) == Path("runs") / name
    # evaluation/<volume>, of volumes that are called so
    for name in ("a", "a.partial", "a.b", "v1.2", "a.lock", "partial"):
        assert target_of(Path("evaluation") / name) == Path("evaluation") / name


def test_only_what_writers_left_is_swept(tmp_path) -> None:
    torn = [
        "out/0/1.0123456789abcdef0123456789abcdef.partial",
        "blocks/toy/step.json.partial",
        "tables/0.4.npy.partial",
    ]
    kept = ["out/my.partial", "notes.partial", "out/0/1"]
    for name in torn + kept:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert delete_torn_files(tmp_path) == len(torn)
    assert sorted(
        str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()
    ) == sorted(kept)
