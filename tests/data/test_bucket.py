"""Buckets come as folders, several objects at once, and are gone on with."""

import threading

import pytest

from lsd.data.bucket import bring_bucket, objects
from lsd.data.public import Bucket


def test_a_bucket_comes_as_a_folder(address, files, tmp_path) -> None:
    files.page = 2
    objects = {
        f"p/x.zarr/{name}": name.encode() * 9 for name in (".zgroup", "raw/.zarray", "raw/0")
    }
    files.content |= {f"/{key}": body for key, body in objects.items()} | {"/q/other": b"no"}
    bucket = Bucket(address, "p/", "training")
    files.content["/p/x.zarr/raw/1 +"] = b"odd name"
    # one that came before, and is not asked for again
    (tmp_path / "training.partial/x.zarr").mkdir(parents=True)
    (tmp_path / "training.partial/x.zarr/.zgroup").write_bytes(objects["p/x.zarr/.zgroup"])
    assert bring_bucket(bucket, tmp_path / "training", progress=lambda *_: None) == 4
    assert (tmp_path / "training/x.zarr/raw/0").read_bytes() == objects["p/x.zarr/raw/0"]
    assert (tmp_path / "training/x.zarr/raw/1 +").read_bytes() == b"odd name"
    assert "/p/x.zarr/.zgroup" not in [path for path, _ in files.asked]
    with pytest.raises(ValueError, match="has nothing below 'z/' any more"):
        bring_bucket(Bucket(address, "z/", "z"), tmp_path / "z", progress=lambda *_: None)


def test_a_bucket_that_was_replaced_meanwhile_holds_nothing_of_before(
    address, files, tmp_path
) -> None:
    files.content |= {"/p/a/.zarray": b"new", "/p/a/0/0": b"one", "/p/y/1": b"", "/p/b": b"2"}
    before = {"a/.zarray": b"old", "a/0.0": b"one", "b/c/d": b"", "a/1.part": b"o", "y": b"one"}
    for name, body in before.items():
        (tmp_path / "t.partial" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "t.partial" / name).write_bytes(body)
    bring_bucket(Bucket(address, "p/", "t"), tmp_path / "t", progress=lambda *_: None)
    there = {path.relative_to(tmp_path / "t") for path in (tmp_path / "t").rglob("*")}
    assert {str(path) for path in there} == {"a", "a/0", "a/0/0", "a/.zarray", "y", "y/1", "b"}
    assert (tmp_path / "t/a/.zarray").read_bytes() == b"new"


def test_objects_of_a_bucket_come_several_at_once(address, files, tmp_path) -> None:
    files.content |= {f"/p/{n}": bytes([n] * n) for n in range(1, 9)}
    files.gate, told = threading.Barrier(4), []
    bucket = Bucket(address, "p/", "training")
    assert bring_bucket(bucket, tmp_path / "training", progress=lambda *now: told.append(now)) == 8
    assert not files.gate.broken
    assert [(tmp_path / "training" / f"{n}").read_bytes() for n in (1, 8)] == [b"\1", b"\x08" * 8]
    assert (len(told), told[-1]) == (8, (36, 36))


def test_a_bucket_of_which_an_object_is_gone_is_gone_on_with(
    address, files, tmp_path, monkeypatch
) -> None:
    files.content |= {f"/p/{n}": b"a" for n in range(40)}
    bucket, folder = Bucket(address, "p/", "training"), tmp_path / "training"
    listed = list(objects(bucket))
    monkeypatch.setattr("lsd.data.bucket.objects", lambda _: iter(listed))
    gone = files.content.pop("/p/0")
    with pytest.raises(ValueError, match=r"p/0: 404"):
        bring_bucket(bucket, folder, progress=lambda *_: None)
    assert not folder.exists()
    files.content["/p/0"] = gone
    assert bring_bucket(bucket, folder, progress=lambda *_: None) == 40
    assert len(list(folder.iterdir())) == 40
