"""One file over HTTP: resumed where it was cut, checked, and put in its place when it is whole.

What has come so far lies beside the file, as <file>.part, and in <file>.part.from what the server
calls this state of it.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import os
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lsd.system.atomic import write_text

# told bytes that are here, and of how many; None: nobody knows
Progress = Callable[[int, int | None], object]

_PIECE = 1 << 20
# seconds without a byte; how often a connection that is cut is made again
_PATIENCE, _TRIES = 60.0, 5
# answers of a server that is busy, as a bucket is that many ask; seconds until it is asked again,
# twice as many each time
_BUSY, _PAUSE = (429, 500, 502, 503, 504), 1.0


def download(url: str, target: Path, *, checksum: str | None, progress: Progress) -> str:
    """Brings a file to `target`, which replaces what is there; returns its checksum.

    checksum: "sha256:..." or "md5:..."; None: none is known, and the sha256 is returned
    A proxy is taken from the environment (https_proxy, no_proxy).  Raises ValueError that says what
    to do where the server cannot be reached or does not have the file, there is no room, or the
    checksum is another one; what has come so far stays, but for a wrong checksum.
    """
    part, _ = parts_of(target)
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        for attempt in range(_TRIES):
            if _continue(url, part, progress, attempt=attempt):
                break
        else:
            raise http.client.HTTPException("the server never gave what was asked for")
        name = (checksum or "sha256").partition(":")[0]
        made = checksum_of(part, name)
        if checksum is not None and made != checksum:
            _forget(part)
            raise ValueError(
                f"{url} has the checksum {made}, published is {checksum}: what came is damaged, or "
                f"was replaced by its authors; it was removed: try again, and compare with the page"
            )
        os.replace(part, target)
        _forget(part)
        return made
    except urllib.error.HTTPError as error:
        raise ValueError(_not_given(url, target, error)) from error
    except (urllib.error.URLError, http.client.HTTPException) as error:
        raise ValueError(
            f"{url} cannot be reached ({getattr(error, 'reason', error)}); where there is a proxy, "
            f"set https_proxy; else bring the file from another machine, as {target}.  What has "
            f"come so far is kept, and gone on from"
        ) from error
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise ValueError(
            f"there is no room left for {target}; make some, or name another data root, and run it "
            f"again: it goes on from what has come so far"
        ) from error


def parts_of(target: Path) -> tuple[Path, Path]:
    """Where what has come so far lies, and what the server calls this state of it."""
    part = target.with_name(f"{target.name}.part")
    return part, part.with_name(f"{part.name}.from")


def checksum_of(file: Path, name: str) -> str:
    """That of a file, as "md5:..." or "sha256:..."; name: which of them."""
    with file.open("rb") as content:
        return f"{name}:{hashlib.file_digest(content, name).hexdigest()}"


def opened(request: urllib.request.Request | str) -> Any:
    """The answer of a server, by the proxy that the environment names now.

    Raises URLError, also where a connection ends before there is an answer.
    """
    try:
        return urllib.request.build_opener().open(request, timeout=_PATIENCE)
    except urllib.error.URLError:
        raise
    except (OSError, http.client.HTTPException) as error:
        raise urllib.error.URLError(error) from error


def _continue(url: str, part: Path, progress: Progress, *, attempt: int) -> bool:
    """Asks for what is missing; whether all is here then."""
    last = attempt == _TRIES - 1
    begin, state = _state(part)
    request = urllib.request.Request(
        url, headers={"User-Agent": "lsd", "Accept-Encoding": "identity"}
    )
    if begin and state:
        request.add_header("Range", f"bytes={begin}-")
        request.add_header("If-Range", state)
    try:
        with opened(request) as answer:
            return _receive(answer, part, begin, state, progress, last=last)
    except urllib.error.HTTPError as error:
        if error.code in _BUSY:
            if last:
                raise http.client.HTTPException(f"{error.code} {error.reason}") from error
            time.sleep(_PAUSE * 2**attempt)
            return False
        if error.code != 416:
            raise
        # nothing lies beyond what is here: it is whole, or of another state of the file
        total = re.fullmatch(r"bytes \*/(\d+)", error.headers.get("Content-Range", ""))
        if total and int(total[1]) == begin and _is_of(error.headers, state):
            return True
        _forget(part)
        return False


def _receive(
    answer: Any, part: Path, begin: int, state: str, progress: Progress, *, last: bool
) -> bool:
    goes_on = answer.status == 206 and _begins_at(answer) == begin and _is_of(answer.headers, state)
    if answer.status == 206 and not goes_on:
        # a server that answers something else: from the begin, without asking for a part
        _forget(part)
        return False
    here = begin if goes_on else 0
    length = answer.headers.get("Content-Length")
    total = None if length is None else here + int(length)
    if total is not None:
        _check_room(part, total - here)
    if not goes_on:
        # first, so that what is of another state is never called by this one's name
        _forget(part)
        _note(part, _state_of(answer.headers))
    with part.open("ab" if goes_on else "wb") as file:
        try:
            for piece in _pieces(answer):
                file.write(piece)
                here += len(piece)
                progress(here, total)
        except http.client.HTTPException:
            if last:
                raise
            return False
    if total is not None and here < total:
        if last:
            raise http.client.HTTPException(f"it was cut after {here} of {total} bytes")
        return False
    return True


def _pieces(answer: Any) -> Iterator[bytes]:
    """What comes.  Raises HTTPException where the connection is cut, in whatever way it is."""
    try:
        while piece := answer.read(_PIECE):
            yield piece
    except OSError as error:
        raise http.client.HTTPException(f"it was cut: {error}") from error


def _begins_at(answer: Any) -> int | None:
    told = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return int(told[1]) if told else None


def _state_of(headers: Any) -> str:
    """What tells this state of the file from another; a weak name would not do."""
    tag = headers.get("ETag", "")
    return str(tag if tag and not tag.startswith("W/") else headers.get("Last-Modified", ""))


def _is_of(headers: Any, state: str) -> bool:
    """Whether an answer is of this state of the file, as far as it says: some servers give a part
    of what they have now, whatever If-Range asks."""
    return _state_of(headers) in ("", state)


def _state(part: Path) -> tuple[int, str]:
    """Bytes that are here, and what the server called the file that they are of."""
    named = part.with_name(f"{part.name}.from")
    if not part.exists() or not named.exists():
        return 0, ""
    return part.stat().st_size, named.read_text(encoding="utf-8")


def _note(part: Path, state: str) -> None:
    write_text(part.with_name(f"{part.name}.from"), state)


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    part.with_name(f"{part.name}.from").unlink(missing_ok=True)


def _check_room(part: Path, wanted: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if wanted > free:
        raise OSError(errno.ENOSPC, f"{wanted} bytes are wanted, {free} are free")


def _not_given(url: str, target: Path, error: urllib.error.HTTPError) -> str:
    why = (
        "the file is not there any more, or was moved"
        if error.code in (404, 410)
        else "the server does not give it"
    )
    return (
        f"{url}: {error.code} {error.reason}: {why}; look at the page of the data set, and bring "
        f"the file by hand, as {target}"
    )
