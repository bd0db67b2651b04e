"""Public data sets from a server on loopback: resumed, checked, unzipped; and what is said where
that does not do."""

import errno
import hashlib
import http.client
import io
import shutil
import ssl
import subprocess
import sys
import zipfile
from collections import namedtuple
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

import lsd.data.download
from lsd.blockwise.on_disk.lock import exclusive
from lsd.data.bucket import objects
from lsd.data.download import download
from lsd.data.fetch import fetch, listing, unzip
from lsd.data.public import PUBLIC_DATA, Bucket, PublicData, PublicFile

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


def zipped(names: dict[str, str]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, text in names.items():
            archive.writestr(name, text)
    return made.getvalue()


def data_of(address, *, unzips="set", checksum=None, **fields):
    file = PublicFile(f"{address}/set.zip", "set.zip", checksum, unzips)
    known = {"title": "A set", "size": "1 B", "licence": "none", "citation": "us", "page": "here"}
    return {"set": PublicData(**known, files=(file,), **fields)}


def get(data, root):
    said = []
    fetch("set", root, say=said.append, bars=lambda name: lambda *_: None, data=data)
    return "\n".join(said)


@pytest.mark.parametrize("inside", ["set/", "another/", ""])
def test_an_archive_becomes_its_folder(address, files, tmp_path, inside) -> None:
    names = {f"{inside}a/1.txt": "one", f"{inside}b/2.txt": "two"}
    files.content["/set.zip"] = zipped(names)
    said = get(data_of(address), tmp_path)
    assert (tmp_path / "set/a/1.txt").read_text() == "one"
    assert (tmp_path / "set/b/2.txt").read_text() == "two"
    sha256 = hashlib.sha256(files.content["/set.zip"]).hexdigest()
    assert (tmp_path / "set.zip.sha256").read_text() == f"{sha256}  set.zip\n"
    assert "no checksum of set.zip is published" in said
    assert {entry.name for entry in tmp_path.iterdir()} == {"set", "set.zip.sha256"}
    files.asked.clear()
    assert "is there already" in get(data_of(address), tmp_path)
    assert not files.asked


def test_an_archive_that_is_none_or_leads_out(address, files, tmp_path) -> None:
    files.content["/set.zip"] = b"no archive"
    with pytest.raises(ValueError, match=r"set\.zip cannot be unzipped .* delete it and fetch it"):
        get(data_of(address), tmp_path)
    (tmp_path / "set.zip").write_bytes(zipped({"../out.txt": "x"}))
    with pytest.raises(ValueError, match=r"holds '\.\./out\.txt', which would lie outside"):
        unzip(tmp_path / "set.zip", tmp_path / "set")
    whole = zipped({"set/a.txt": "text" * 1000})
    (tmp_path / "set.zip").write_bytes(whole[:30] + b"\0" * 20 + whole[50:])
    with pytest.raises(ValueError, match="cannot be unzipped"):
        unzip(tmp_path / "set.zip", tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_an_archive_that_holds_nothing_or_is_packed_in_another_way(tmp_path, monkeypatch) -> None:
    archive, folder = tmp_path / "set.zip", tmp_path / "set"
    archive.write_bytes(zipped({}))
    with pytest.raises(ValueError, match=r"set\.zip holds nothing"):
        unzip(archive, folder)
    whole = zipped({"set/a.txt": "text"})
    for place in (whole.index(b"PK\3\4") + 8, whole.index(b"PK\1\2") + 10):
        # deflate64, which Python does not know
        whole = whole[:place] + b"\x09\0" + whole[place + 2 :]
    archive.write_bytes(whole)
    with pytest.raises(ValueError, match=r"by another program, so that .*/set is there"):
        unzip(archive, folder)
    assert [entry.name for entry in tmp_path.iterdir()] == ["set.zip"]


def test_what_another_process_brought_meanwhile_stays(
    address, files, tmp_path, monkeypatch
) -> None:
    files.content["/p/a"] = b"ours"
    known = data_of(address)["set"]
    data = {"set": replace(known, files=(), buckets=(Bucket(address, "p/", "set"),))}

    @contextmanager
    def after_another(place, **_):
        place.mkdir()
        (place / "a").write_bytes(b"theirs")
        yield

    monkeypatch.setattr("lsd.data.fetch.exclusive", after_another)
    get(data, tmp_path)
    assert (tmp_path / "set/a").read_bytes() == b"theirs"


def test_one_at_a_time(address, files, tmp_path) -> None:
    files.content["/set.zip"] = zipped({"set/a.txt": "text"})
    with (
        exclusive(tmp_path / "set"),
        pytest.raises(RuntimeError, match=r"set is being written by process .* wait for it"),
    ):
        get(data_of(address), tmp_path)
    assert not files.asked
    get(data_of(address), tmp_path)
    assert {entry.name for entry in tmp_path.iterdir()} == {"set", "set.zip.sha256"}


def test_no_room_while_it_is_unzipped(address, files, tmp_path, monkeypatch) -> None:
    files.content["/set.zip"] = zipped({"set/a.txt": "text"})

    def full(*_) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(zipfile.ZipFile, "extractall", full)
    with pytest.raises(OSError, match=r"no space; make room, then the same command goes on"):
        get(data_of(address), tmp_path)
    assert not (tmp_path / "set.partial").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"cannot write .*or name another data root"):
        get(data_of(address), tmp_path / "file")


def test_a_name_that_is_unknown(tmp_path) -> None:
    with pytest.raises(ValueError, match=r"no data set 'mitolb'.*mitolab.*cremi"):
        fetch("mitolb", tmp_path, say=print, bars=lambda name: lambda *_: None)


def test_a_set_that_wants_a_click_says_where_and_how(tmp_path) -> None:
    said = []
    with pytest.raises(ValueError, match=r"emads wants a click .*: open https://\S+ in a browser"):
        fetch("emads", tmp_path, say=said.append, bars=lambda name: lambda *_: None)
    assert "licence" in said[0]
    assert PUBLIC_DATA["emads"].by_hand in "\n".join(listing())
    assert not list(tmp_path.iterdir())
    assert all(each.files or each.buckets or each.by_hand for each in PUBLIC_DATA.values())


def test_the_list_says_what_people_must_know() -> None:
    text = "\n".join(listing())
    for name, each in PUBLIC_DATA.items():
        assert f"{name}: " in text
        assert all(known in text for known in (each.licence, each.citation, each.page, each.size))
        assert all(one.url.startswith("https://") for one in each.files)
    assert text.count("was not tried") == sum(not each.is_tried for each in PUBLIC_DATA.values())


def test_the_script_lists(tmp_path) -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, root / "fetch.py"], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout == "".join(f"{line}\n" for line in listing())
    wrong = subprocess.run(
        [sys.executable, root / "fetch.py", "nothing", "--data-root", tmp_path],
        cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "there is no data set 'nothing'" in wrong.stderr
