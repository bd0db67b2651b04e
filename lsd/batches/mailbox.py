"""Objects from process to process over a socket, their arrays through memory that both map.

A message is its length and a descriptor of that memory, then the pickle.  The memory has no name:
it vanishes with the last process that maps it, however that ends.
"""

from __future__ import annotations

import mmap
import os
import pickle
import socket
import struct
import tempfile
from collections.abc import Sequence
from typing import Any

HEADER = struct.Struct("!Q")
ALIGNED = 64


class Closed(Exception):
    """The other process has ended."""


def send(sock: socket.socket, message: object) -> None:
    """Sends `message`, which pickle understands.  Raises Closed if nobody is there."""
    buffers: list[pickle.PickleBuffer] = []
    body = pickle.dumps(message, protocol=5, buffer_callback=buffers.append)
    views = [buffer.raw() for buffer in buffers]
    pickled = pickle.dumps((body, [view.nbytes for view in views]))
    memory = _memory(views)
    try:
        socket.send_fds(sock, [HEADER.pack(len(pickled))], [memory])
        sock.sendall(pickled)
    except (BrokenPipeError, ConnectionResetError):
        raise Closed from None
    finally:
        os.close(memory)


def receive(sock: socket.socket) -> Any:
    """Waits for the next message; its arrays are writable.  Raises Closed if none will come."""
    try:
        header, descriptors, _, _ = socket.recv_fds(sock, HEADER.size, 1)
        if not header:
            raise Closed
        memory = descriptors[0]
        try:
            body, sizes = pickle.loads(_exactly(sock, HEADER.unpack(header)[0]))
            return pickle.loads(body, buffers=_views(memory, sizes))
        finally:
            os.close(memory)
    except ConnectionResetError:
        raise Closed from None


def _memory(views: Sequence[memoryview]) -> int:
    """Descriptor of memory that holds the buffers, each at a multiple of ALIGNED."""
    descriptor = _nameless()
    at = 0
    for view in views:
        begin = at
        while at < begin + view.nbytes:  # a write may stop at 2 GB
            at += os.pwrite(descriptor, view[at - begin :], at)
        at += -at % ALIGNED
    os.ftruncate(descriptor, at)
    return descriptor


def _nameless() -> int:
    if hasattr(os, "memfd_create"):  # Linux
        descriptor: int = os.memfd_create("lsd")
        return descriptor
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _views(descriptor: int, sizes: Sequence[int]) -> list[memoryview]:
    ends = [0]
    for size in sizes:
        ends.append(ends[-1] + size + -size % ALIGNED)
    if not ends[-1]:
        return [memoryview(bytearray()) for _ in sizes]
    shared = memoryview(mmap.mmap(descriptor, ends[-1]))
    return [shared[begin : begin + size] for begin, size in zip(ends, sizes, strict=False)]


def _exactly(sock: socket.socket, size: int) -> bytes:
    parts = []
    while size:
        part = sock.recv(min(size, 1 << 20))
        if not part:
            raise Closed
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
