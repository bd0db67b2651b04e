"""One file from a server on loopback: resumed, checked; and what is said where that does not do."""

import errno
import hashlib
import http.client
import shutil
import ssl
from collections import namedtuple

import pytest

import lsd.data.download
from lsd.data.bucket import objects
from lsd.data.download import download
from lsd.data.public import Bucket

BODY = bytes(range(256)) * 20_000
SHA256 = f"sha256:{hashlib.sha256(BODY).hexdigest()}"


@pytest.fixture
def address(address, files):
    files.content["/file.bin"] = BODY
    return address


def bring(address, folder, *, path="/file.bin", checksum=SHA256, told=None):
    return download(
        f"{address}{path}",
        folder / "file.bin",
        checksum=checksum,
        progress=lambda *now: None if told is None else told.append(now),
    )


def test_a_file_comes_whole(address, tmp_path) -> None:
    told = []
    assert bring(address, tmp_path, told=told) == SHA256
    assert (tmp_path / "file.bin").read_bytes() == BODY
    assert told[-1] == (len(BODY), len(BODY))
    assert [file.name for file in tmp_path.iterdir()] == ["file.bin"]
    md5 = f"md5:{hashlib.md5(BODY).hexdigest()}"
    assert bring(address, tmp_path, checksum=md5) == md5
    assert bring(address, tmp_path, checksum=None) == SHA256


def test_what_is_cut_is_gone_on_with(address, files, tmp_path) -> None:
    files.cuts = [3_000_000, 500_000]
    bring(address, tmp_path)
    assert (tmp_path / "file.bin").read_bytes() == BODY
    ranges = [wanted for _, wanted in files.asked]
    assert ranges == [None, "bytes=3000000-", "bytes=3500000-"]


def test_a_busy_server_is_asked_again(address, files, tmp_path, monkeypatch) -> None:
    waited = []
    monkeypatch.setattr("lsd.data.download.time.sleep", waited.append)
    files.cuts, files.busy = [1_000_000], [503, 429]
    bring(address, tmp_path)
    assert (tmp_path / "file.bin").read_bytes() == BODY
    assert waited == [1, 2]
    files.busy = [503] * 9
    with pytest.raises(ValueError, match=r"cannot be reached \(503 Service Unavailable\); .* kept"):
        bring(address, tmp_path)


def test_a_run_that_ended_is_gone_on_with(address, files, tmp_path) -> None:
    files.cuts = [1_000_000, *[0] * 10]
    with pytest.raises(ValueError, match=r"cannot be reached .* kept, and gone on from"):
        bring(address, tmp_path)
    assert (tmp_path / "file.bin.part").stat().st_size == 1_000_000
    assert not (tmp_path / "file.bin").exists()
    files.cuts, files.asked = [], []
    bring(address, tmp_path)
    assert files.asked == [("/file.bin", "bytes=1000000-")]
    assert (tmp_path / "file.bin").read_bytes() == BODY


def test_a_file_that_was_replaced_meanwhile_comes_from_its_begin(address, files, tmp_path) -> None:
    files.cuts = [1_000_000, *[0] * 10]
    with pytest.raises(ValueError, match="cannot be reached"):
        bring(address, tmp_path)
    files.cuts, files.tag, files.content["/file.bin"] = [], '"two"', BODY[::-1]
    bring(address, tmp_path, checksum=None)
    assert (tmp_path / "file.bin").read_bytes() == BODY[::-1]


def test_a_server_that_gives_a_part_of_what_it_has_now(address, files, tmp_path) -> None:
    files.knows_if_range = False
    test_a_file_that_was_replaced_meanwhile_comes_from_its_begin(address, files, tmp_path)
    # and one that has nothing beyond what is here, which is as long as the file of before
    (tmp_path / "file.bin.part").write_bytes(BODY)
    (tmp_path / "file.bin.part.from").write_text('"one"')
    bring(address, tmp_path, checksum=None)
    assert (tmp_path / "file.bin").read_bytes() == BODY[::-1]


def test_what_is_of_before_has_no_name_of_now(address, files, tmp_path, monkeypatch) -> None:
    (tmp_path / "file.bin.part").write_bytes(b"before")
    (tmp_path / "file.bin.part.from").write_text('"zero"')
    note = lsd.data.download._note

    def killed(*given) -> None:
        note(*given)
        raise KeyboardInterrupt

    monkeypatch.setattr(lsd.data.download, "_note", killed)
    with pytest.raises(KeyboardInterrupt):
        bring(address, tmp_path)
    monkeypatch.undo()
    bring(address, tmp_path)
    assert (tmp_path / "file.bin").read_bytes() == BODY


@pytest.mark.parametrize("error", [ConnectionResetError, ssl.SSLEOFError, TimeoutError])
def test_however_a_connection_is_cut(address, files, tmp_path, monkeypatch, error) -> None:
    read, pieces = http.client.HTTPResponse.read, iter(range(100))

    def cut(answer, amount=None):
        if next(pieces) in (1, 2):
            raise error("cut")
        return read(answer, amount)

    monkeypatch.setattr(http.client.HTTPResponse, "read", cut)
    bring(address, tmp_path)
    assert (tmp_path / "file.bin").read_bytes() == BODY
    monkeypatch.setattr(http.client.HTTPResponse, "read", lambda *_: raised(error("cut")))
    with pytest.raises(ValueError, match=r"cannot be reached .*it was cut.* kept, and gone on"):
        bring(address, tmp_path)
    with pytest.raises(ValueError, match=r"cannot be listed .*cut"):
        list(objects(Bucket(address, "p/", "training")))
    monkeypatch.setattr(http.client.HTTPConnection, "getresponse", lambda *_: raised(error("no")))
    with pytest.raises(ValueError, match=r"cannot be reached .*no"):
        bring(address, tmp_path)


def raised(error):
    raise error


def test_a_server_without_ranges(address, files, tmp_path) -> None:
    files.has_ranges, files.cuts = False, [1_000_000]
    bring(address, tmp_path)
    assert (tmp_path / "file.bin").read_bytes() == BODY


def test_all_was_here_but_not_in_its_place(address, files, tmp_path) -> None:
    (tmp_path / "file.bin.part").write_bytes(BODY)
    (tmp_path / "file.bin.part.from").write_text(files.tag)
    bring(address, tmp_path)
    assert (tmp_path / "file.bin").read_bytes() == BODY
    assert len(files.asked) == 1


def test_a_wrong_checksum_leaves_what_was_there(address, tmp_path) -> None:
    (tmp_path / "file.bin").write_text("before")
    with pytest.raises(ValueError, match=f"has the checksum {SHA256}, published is sha256:00"):
        bring(address, tmp_path, checksum="sha256:00")
    assert [file.name for file in tmp_path.iterdir()] == ["file.bin"]
    assert (tmp_path / "file.bin").read_text() == "before"


def test_what_the_server_does_not_have(address, tmp_path) -> None:
    with pytest.raises(ValueError, match=r"404 Not Found: the file is not there any more.*by hand"):
        bring(address, tmp_path, path="/other.bin")


def test_a_server_that_is_not_there(tmp_path) -> None:
    with pytest.raises(ValueError, match=r"cannot be reached .*refused.*https_proxy.*another mach"):
        bring("http://127.0.0.1:1", tmp_path)


def test_a_proxy_of_the_environment_is_asked(address, files, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("http_proxy", address)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    bring("http://nowhere.invalid", tmp_path)
    assert (tmp_path / "file.bin").read_bytes() == BODY


def test_no_room(address, tmp_path, monkeypatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10, 9, 1))
    with pytest.raises(ValueError, match=r"there is no room left for .* goes on from what"):
        bring(address, tmp_path)
    monkeypatch.undo()
    bring(address, tmp_path)

    def full(*_) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr("lsd.data.download._note", full)
    with pytest.raises(ValueError, match="there is no room left"):
        bring(address, tmp_path)
