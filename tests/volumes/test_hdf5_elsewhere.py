"""HDF5 files that others write, copy or have lost: said as what it is."""

import subprocess
import sys
from contextlib import contextmanager

import h5py
import numpy as np
import pytest

from lsd.volumes.array import open_array
from lsd.volumes.inputs import ArrayState
from lsd.volumes.stored_chunks import stored


def save(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("raw", data=np.ones((32, 32, 32), "u1"), chunks=(8, 8, 8)).attrs[
            "resolution"
        ] = (40, 4, 4)
    return path


@contextmanager
def another_process(code):
    writer = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import h5py, sys\n{code}\nprint('open', flush=True)\nsys.stdin.read()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        writer.stdout.readline()
        yield
    finally:
        writer.kill()
        writer.communicate()


def test_open_for_writing_elsewhere(tmp_path) -> None:
    path = save(tmp_path / "a.h5")
    with (
        another_process(f"file = h5py.File({str(path)!r}, 'r+')"),
        pytest.raises(ValueError, match=r"a\.h5") as caught,
    ):
        open_array(path, "raw")
    assert "is open for writing in another process: wait until" in str(caught.value)
    assert "damaged" not in str(caught.value)
    assert open_array(path, "raw").shape == (32, 32, 32)


def test_swmr_and_writers_that_were_killed(tmp_path) -> None:
    path = tmp_path / "a.h5"
    code = (
        f"file = h5py.File({str(path)!r}, 'w', libver='latest')\n"
        "file.create_dataset('raw', shape=(8, 8, 8), dtype='u1', chunks=(8, 8, 8))\n"
        "file.swmr_mode = True"
    )
    says = (
        r"a\.h5 is open for writing in another process, or was left so by one that was "
        r"killed.*h5clear -s .*a\.h5"
    )
    with another_process(code), pytest.raises(ValueError, match=says):
        open_array(path, "raw", voxel_size=(1, 1, 1))
    with pytest.raises(ValueError, match=says):
        open_array(path, "raw", voxel_size=(1, 1, 1))


@pytest.mark.parametrize("part", [0.3, 0.99])
def test_still_being_copied(tmp_path, part) -> None:
    path = save(tmp_path / "a.h5")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    says = (
        rf"a\.h5 is not whole, it has {int(len(content) * part)} of its {len(content)} bytes: it "
        rf"is still being"
    )
    with pytest.raises(ValueError, match=says):
        open_array(path, "raw")


def test_reading_does_not_keep_readers_out(tmp_path) -> None:
    path = save(tmp_path / "a.h5")
    with another_process(f"file = h5py.File({str(path)!r}, 'r')"):
        assert open_array(path, "raw").read(open_array(path, "raw").roi).all()


def test_virtual_datasets_without_their_files(tmp_path) -> None:
    """HDF5 would read zeros."""
    save(tmp_path / "part.h5")
    layout = h5py.VirtualLayout(shape=(32, 32, 32), dtype="u1")
    layout[...] = h5py.VirtualSource("part.h5", "raw", shape=(32, 32, 32))
    with h5py.File(tmp_path / "whole.h5", "w") as file:
        file.create_virtual_dataset("raw", layout).attrs["resolution"] = (40, 4, 4)
    array = open_array(tmp_path / "whole.h5", "raw")
    assert array.read(array.roi).all()
    (tmp_path / "part.h5").unlink()
    with pytest.raises(
        ValueError,
        match=r"whole\.h5:raw cannot be opened: its values lie in part\.h5, which is not",
    ):
        open_array(tmp_path / "whole.h5", "raw")


def virtual(path, source, *, name="raw"):
    layout = h5py.VirtualLayout(shape=(32, 32, 32), dtype="u1")
    layout[...] = h5py.VirtualSource(source, name, shape=(32, 32, 32))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("raw", layout).attrs["resolution"] = (40, 4, 4)


def test_a_virtual_dataset_of_another_folder(tmp_path) -> None:
    """A link leads to it, and it takes its values from beside itself; what of it is on disk nobody
    knows, and all of it is read."""
    (tmp_path / "there").mkdir()
    save(tmp_path / "there/part.h5")
    virtual(tmp_path / "there/whole.h5", "part.h5")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["raw"] = h5py.ExternalLink("there/whole.h5", "raw")
    array = open_array(tmp_path / "a.h5", "raw")
    assert array.read(array.roi).all()
    assert stored(array) is None


@pytest.mark.parametrize(("lost", "name"), [("part.h5", "raw"), ("", "another")])
def test_virtual_datasets_whose_values_are_further_away(tmp_path, lost, name) -> None:
    """HDF5 would read zeros."""
    save(tmp_path / "part.h5")
    virtual(tmp_path / "whole.h5", "part.h5", name=name)
    virtual(tmp_path / "outer.h5", "whole.h5")
    if lost:
        (tmp_path / lost).unlink()
    array = open_array(tmp_path / "outer.h5", "raw")
    for ask in (lambda: array.read(array.roi), lambda: ArrayState.of(array)):
        with pytest.raises(ValueError, match=r"outer\.h5:raw cannot be read: its values lie.*part"):
            ask()


def test_values_beside_a_file_and_a_program_elsewhere(tmp_path, monkeypatch) -> None:
    """HDF5 looks for them where the program runs, be they others."""
    monkeypatch.chdir(tmp_path)
    with h5py.File("a.h5", "w") as file:
        values = file.create_dataset("raw", (4, 4, 4), "u1", external=[("values.bin", 0, 64)])
        values[...] = 7
    array = open_array("a.h5", "raw", voxel_size=(1, 1, 1))
    assert (array.read(array.roi) == 7).all()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for other in (b"", bytes(64)):
        (tmp_path / "elsewhere/values.bin").write_bytes(other)
        with pytest.raises(ValueError, match=r"lie in values\.bin, which HDF5 looks for"):
            open_array(tmp_path / "a.h5", "raw", voxel_size=(1, 1, 1))


@pytest.mark.parametrize("target", ["gone.h5", "text.h5"])
def test_links_that_lead_nowhere(tmp_path, target) -> None:
    (tmp_path / "text.h5").write_text("no HDF5")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["raw"] = h5py.ExternalLink(target, "raw")
    with pytest.raises(ValueError, match=r"a\.h5"):
        open_array(tmp_path / "a.h5", "raw", voxel_size=(1, 1, 1))
