"""A public data set by its name: brought, checked, unzipped, and in its place when it is whole."""

from __future__ import annotations

import os
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from lsd.blockwise.on_disk.lock import exclusive
from lsd.data.bucket import bring_bucket
from lsd.data.download import Progress, checksum_of, download
from lsd.data.public import PUBLIC_DATA, Bucket, PublicData, PublicFile
from lsd.spec.mistakes import suggestion
from lsd.spec.plurals import counted
from lsd.system.atomic import write_text

Say = Callable[[str], object]
# gives what is told of bytes, for a file or folder of this name
Bars = Callable[[str], Progress]


def listing(data: Mapping[str, PublicData] = PUBLIC_DATA) -> Iterator[str]:
    """Lines about all data sets."""
    for name, each in data.items():
        yield f"{name}: {each.title}"
        untried = "" if each.is_tried else "; its address was not tried when this was written"
        yield f"    {each.size}; licence: {each.licence}; cite {each.citation}"
        yield f"    {each.page}{untried}"
        if each.by_hand:
            yield f"    by hand: {each.by_hand}"


def fetch(
    name: str,
    root: Path,
    *,
    say: Say,
    bars: Bars,
    data: Mapping[str, PublicData] = PUBLIC_DATA,
) -> None:
    """Brings a data set to the data root; what is there already is left alone.

    Raises ValueError for a name that is unknown, for a data set that people must bring by hand, and
    as `download`, and RuntimeError where another process brings the same.
    """
    if name not in data:
        raise ValueError(
            f"there is no data set {name!r}{suggestion(name, data)}; there are: {', '.join(data)}"
        )
    chosen = data[name]
    say(f"{name}: {chosen.title}; licence: {chosen.licence}; cite {chosen.citation}")
    if chosen.by_hand:
        raise ValueError(
            f"{name} wants a click in a browser, so it cannot be fetched: {chosen.by_hand} ({root})"
        )
    wanted: tuple[PublicFile | Bucket, ...] = (*chosen.files, *chosen.buckets)
    for each in wanted:
        place = root / each.place
        if place.exists():
            say(f"{place} is there already")
            continue
        with exclusive(place, elsewhere="name another data root"):
            # who held the lock may have brought it
            if not place.exists():
                _bring(each, root, say=say, bars=bars)
        say(f"{place} is there")


def _bring(each: PublicFile | Bucket, root: Path, *, say: Say, bars: Bars) -> None:
    if isinstance(each, Bucket):
        count = bring_bucket(each, root / each.place, progress=bars(each.folder))
        say(f"{counted(count, 'file')} came")
    else:
        _bring_file(each, root, say=say, bars=bars)


def _bring_file(file: PublicFile, root: Path, *, say: Say, bars: Bars) -> None:
    target = root / file.path
    if target.exists():
        # an archive that a person brought
        made = checksum_of(target, (file.checksum or "sha256").partition(":")[0])
        if file.checksum not in (None, made):
            raise ValueError(
                f"{target} has the checksum {made}, published is {file.checksum}: it is damaged, "
                f"or another file; delete it, and bring it once more"
            )
    else:
        made = download(file.url, target, checksum=file.checksum, progress=bars(file.path))
    _tell_checksum(file, target, made, say)
    if file.unzips is not None:
        unzip(target, root / file.unzips)
        target.unlink()


def _tell_checksum(file: PublicFile, target: Path, made: str, say: Say) -> None:
    if file.checksum is not None:
        say(f"{target.name} has the published checksum")
        return
    record = target.with_name(f"{target.name}.sha256")
    write_text(record, f"{made.partition(':')[2]}  {target.name}\n")
    say(
        f"no checksum of {target.name} is published, so nobody can say that it is whole; its "
        f"sha256 is noted in {record}"
    )


def unzip(archive: Path, folder: Path) -> None:
    """Unzips an archive as `folder`, which is there once it is whole; of an archive that holds one
    folder, that one.

    Raises ValueError where it is no archive, damaged, packed in a way that is not known here, or
    empty, takes more room than there is, or holds what would lie outside.
    """
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with zipfile.ZipFile(archive) as opened:
            _check(opened, archive, folder.parent)
            opened.extractall(partial)
        inside = [entry for entry in partial.iterdir() if entry.name != "__MACOSX"]
        alone = len(inside) == 1 and inside[0].is_dir()
        os.replace(inside[0] if alone else partial, folder)
    # a password, or a way of packing that the library does not know
    except RuntimeError as error:
        raise ValueError(
            f"{archive} cannot be unzipped here ({error}); unzip it by another program, so that "
            f"{folder} is there"
        ) from error
    except (zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise ValueError(
            f"{archive} cannot be unzipped ({error}): it is damaged; delete it and fetch it again"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _check(opened: zipfile.ZipFile, archive: Path, root: Path) -> None:
    members = opened.infolist()
    if not members:
        raise ValueError(f"{archive} holds nothing; look at the page of the data set")
    out = [one.filename for one in members if _leads_out(one.filename)]
    if out:
        raise ValueError(f"{archive} holds {out[0]!r}, which would lie outside its folder")
    wanted, free = sum(one.file_size for one in members), shutil.disk_usage(root).free
    if wanted > free:
        raise ValueError(
            f"{archive} takes {wanted / 1e9:.3g} GB when it is unzipped, {free / 1e9:.3g} GB are "
            f"free in {root}; make room, and run it again"
        )


def _leads_out(name: str) -> bool:
    return name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/")
