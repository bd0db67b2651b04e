"""All objects of a public bucket below a prefix (S3, without an account)."""

from __future__ import annotations

import http.client
import os
import urllib.parse
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from xml.etree import ElementTree

from lsd.data.download import Progress, checksum_of, download, opened, parts_of
from lsd.data.public import Bucket

# objects that come at once: most are small, so that it takes longer to ask than to get them
_AT_ONCE = 8


class Object(NamedTuple):
    """An object of a bucket.  tag: the MD5 of its content, where it was uploaded at once"""

    key: str
    size: int
    tag: str


def objects(bucket: Bucket) -> Iterator[Object]:
    """Those below the prefix.  Raises ValueError where the bucket cannot be listed."""
    query = {"list-type": "2", "prefix": bucket.prefix}
    while True:
        page = _page(f"{bucket.address}/?{urllib.parse.urlencode(query)}")
        for entry in page.iterfind("{*}Contents"):
            fields = {child.tag.rpartition("}")[2]: child.text or "" for child in entry}
            yield Object(fields["Key"], int(fields["Size"]), fields.get("ETag", "").strip('"'))
        token = page.findtext("{*}NextContinuationToken")
        if not token:
            return
        query["continuation-token"] = token


def bring_bucket(bucket: Bucket, folder: Path, *, progress: Progress) -> int:
    """Brings all objects, several at once, to `folder`, which is there once it is whole; returns
    how many.

    What is here already, in <folder>.partial, is not brought again, as far as its content is that
    of the bucket now; what the bucket does not have any more goes.  Raises ValueError as
    `download`, and where there is nothing.
    """
    partial = folder.with_name(f"{folder.name}.partial")
    listed = [one for one in objects(bucket) if not one.key.endswith("/")]
    if not listed:
        raise ValueError(
            f"{bucket.address} has nothing below {bucket.prefix!r} any more; look at the page of "
            f"the data set"
        )
    _leave(partial, [partial / _below(one.key, bucket.prefix) for one in listed])
    total, here = sum(one.size for one in listed), 0
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        coming = {pool.submit(_bring, bucket, one, partial): one for one in listed}
        try:
            for done in as_completed(coming):
                done.result()
                here += coming[done].size
                progress(here, total)
        except BaseException:
            # those that have not begun do not begin
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    os.replace(partial, folder)
    return len(listed)


def _bring(bucket: Bucket, one: Object, folder: Path) -> None:
    """Brings an object, if it is not here."""
    file = folder / _below(one.key, bucket.prefix)
    checksum = f"md5:{one.tag}" if one.tag and "-" not in one.tag else None
    is_here = file.is_file() and file.stat().st_size == one.size
    # chunks of a volume that was replaced may be as large as those of before
    if is_here and checksum in (None, checksum_of(file, "md5")):
        return
    url = f"{bucket.address}/{urllib.parse.quote(one.key)}"
    download(url, file, checksum=checksum, progress=lambda *_: None)


def _leave(folder: Path, files: Iterable[Path]) -> None:
    """Removes what else an earlier try brought: the bucket has it no more."""
    kept = {path for file in files for path in (file, *parts_of(file))}
    for file in [path for path in folder.rglob("*") if path.is_file() and path not in kept]:
        file.unlink()
        for parent in file.parents:
            if parent == folder or any(parent.iterdir()):
                break
            parent.rmdir()


def _below(key: str, prefix: str) -> PurePosixPath:
    """The path of an object below the folder.  Raises ValueError for one that leads out of it."""
    path = PurePosixPath(key.removeprefix(prefix))
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"the bucket names an object {key!r}, which would lie outside its folder")
    return path


def _page(url: str) -> ElementTree.Element:
    try:
        with opened(url) as answer:
            return ElementTree.fromstring(answer.read())
    except (OSError, http.client.HTTPException, ElementTree.ParseError) as error:
        raise ValueError(
            f"{url} cannot be listed ({error}); where there is a proxy, set https_proxy; else "
            f"bring the folder from another machine"
        ) from error
