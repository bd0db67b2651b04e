"""Public data sets from a server on loopback: brought, compared, unzipped; and what is said where
that does not do."""

import errno
import hashlib
import io
import subprocess
import sys
import zipfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from lsd.blockwise.on_disk.lock import exclusive
from lsd.data.fetch import fetch, listing, unzip
from lsd.data.public import PUBLIC_DATA, Bucket, PublicData, PublicFile


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


def test_an_archive_that_a_person_brought_is_compared_as_well(address, files, tmp_path) -> None:
    whole = zipped({"set/a.txt": "text"})
    data = data_of(address, checksum=f"sha256:{hashlib.sha256(whole).hexdigest()}")
    (tmp_path / "set.zip").write_bytes(zipped({"set/a.txt": "text of another set"}))
    with pytest.raises(ValueError, match=r"set\.zip has the checksum .*, published is .*delete it"):
        get(data, tmp_path)
    assert not (tmp_path / "set").exists()
    (tmp_path / "set.zip").write_bytes(whole)
    assert "set.zip has the published checksum" in get(data, tmp_path)
    assert (tmp_path / "set/a.txt").read_text() == "text"
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
