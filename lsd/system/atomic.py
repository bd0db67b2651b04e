"""Files that are replaced whole: whoever reads meanwhile finds the old one or the new one."""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path, *, many_writers: bool = False, durable: bool = False) -> Iterator[Path]:
    """Yields a path beside `path` to write to; when the body ends without an error, it takes the
    place of `path`.

    many_writers: several processes or threads, also of machines that share a disk, may replace the
                  file at once, so each has a name of its own
    durable:      it is on the disk, and not only in the system's memory, before it takes the place
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(
        f"{path.name}.{uuid.uuid4().hex}.partial" if many_writers else f"{path.name}.partial"
    )
    staged.unlink(missing_ok=True)
    try:
        yield staged
        if durable:
            _sync(staged)
        os.replace(staged, path)
    finally:
        staged.unlink(missing_ok=True)
    if durable:
        try:
            _sync(path.parent)
        except OSError as error:
            # some file systems know this of files only
            if error.errno not in (errno.EINVAL, errno.EBADF, errno.ENOTSUP):
                raise


def write_text(path: Path, text: str, *, many_writers: bool = True, durable: bool = True) -> None:
    """Replaces `path` by a file that holds `text`, in UTF-8; see `replacing`."""
    with replacing(path, many_writers=many_writers, durable=durable) as staged:
        staged.write_text(text, encoding="utf-8")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
