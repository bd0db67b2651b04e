"""Files that are replaced whole, or stay as they were."""

import errno
import os
import stat

import pytest

from lsd.system.atomic import replacing, write_text


@pytest.mark.parametrize("many_writers", [False, True])
@pytest.mark.parametrize("durable", [False, True])
def test_a_file_is_replaced_whole(tmp_path, many_writers, durable) -> None:
    path = tmp_path / "folder" / "a.json"
    write_text(path, "one", many_writers=many_writers, durable=durable)
    with replacing(path, many_writers=many_writers, durable=durable) as staged:
        staged.write_text("two")
        assert path.read_text() == "one"
    assert path.read_text() == "two"
    assert list(path.parent.iterdir()) == [path]


def test_what_fails_leaves_the_file_as_it_was(tmp_path) -> None:
    path = tmp_path / "a"
    path.write_text("one")

    def fails() -> None:
        with replacing(path) as staged:
            staged.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert path.read_text() == "one"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_written_over(tmp_path) -> None:
    (tmp_path / "a.partial").write_text("a torn and long line")
    write_text(tmp_path / "a", "new", many_writers=False)
    assert (tmp_path / "a").read_text() == "new"
    assert not (tmp_path / "a.partial").exists()


def test_writers_of_one_number_do_not_take_each_others_file(tmp_path, monkeypatch) -> None:
    """Of two containers, say, whose first process is number 1 in both."""
    monkeypatch.setattr(os, "getpid", lambda: 1)
    path = tmp_path / "best.pt"
    with replacing(path, many_writers=True) as one:
        one.write_text("one")
        with replacing(path, many_writers=True) as other:
            other.write_text("other")
        assert path.read_text() == "other"
    assert path.read_text() == "one"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_system_that_syncs_files_only(tmp_path, monkeypatch) -> None:
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    write_text(tmp_path / "a", "new", durable=True)
    assert (tmp_path / "a").read_text() == "new"
