"""What the processes of a run and who started them tell each other: small texts by name, which the
starter keeps and all of them reach over TCP.

Only JSON is read from it, and nothing that it holds is executed.
"""

from __future__ import annotations

import datetime
import json
import os
import socket
from dataclasses import asdict, dataclass, field
from typing import Any

from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]
from torch.distributed import Store as Store  # type: ignore[attr-defined]  # for those who hold one

# where processes find it: address:port
VARIABLE = "LSD_TRAINING_STORE"
LOOPBACK = "127.0.0.1"
# errors that are raised where a run was started as they are in its first process
ERRORS: dict[str, type[Exception]] = {
    error.__name__: error for error in (ValueError, OSError, MemoryError, ImportError, RuntimeError)
}
# to be connected, and to be answered
_PATIENCE = datetime.timedelta(seconds=60)


@dataclass(frozen=True)
class TrainingJob:
    """What is to be done.

    config:  JSON of the config;  imports: modules that define kinds, see `lsd.spec.kinds.imported`
    progress: whether the first process shows a bar
    """

    config: str
    imports: dict[str, str] = field(default_factory=dict)
    progress: bool = False


@dataclass(frozen=True)
class Report:
    """How a process ended.

    kind:  "done", "interrupted", "lost" (another process), "failed" (an error), "died", or
           "refused" (to be started)
    said:  the checkpoint that was trained, the error, or how the process died, in words
    error: which of ERRORS it is one of;  trace: its traceback
    """

    rank: int
    kind: str
    said: str
    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)
    error: str = ""
    trace: str = ""


def serve_store(host: str) -> tuple[TCPStore, str]:
    """A store in this process, and its address; host: name or address that others connect to.

    On the address of the machine itself (LOOPBACK) nobody else can connect.
    """
    listening = socket.create_server((LOOPBACK if host == LOOPBACK else "", 0))
    port = listening.getsockname()[1]
    store = TCPStore(
        host,
        port,
        None,
        True,
        _PATIENCE,
        wait_for_workers=False,
        master_listen_fd=listening.detach(),
    )
    return store, f"{host}:{port}"


def connect() -> TCPStore | None:
    """The store that this process was told of; None where it was told of none.

    Raises OSError where nothing answers there.
    """
    address = os.environ.get(VARIABLE)
    if not address:
        return None
    host, _, port = address.rpartition(":")
    try:
        return TCPStore(host, int(port), None, False, _PATIENCE, wait_for_workers=False)
    except RuntimeError as error:
        raise OSError(
            f"{address}, where the process that started this run listens, cannot be reached; if it "
            "has not ended, set train.hosts.host to an address of its machine that this one reaches"
        ) from error


def of_group(store: Store) -> Store:
    """The part of it in which torch's processes find each other."""
    return PrefixStore("group", store)


def store_value(store: Store, name: str, value: object) -> None:
    """Keeps a dataclass, or plain data, under a name."""
    plain = value if isinstance(value, str | int) else asdict(value)  # type: ignore[call-overload]
    store.set(name, json.dumps(plain))


def stored_value(store: Store, name: str) -> Any:
    """What is kept under a name, as plain data; None: nothing yet."""
    return json.loads(store.get(name)) if store.check([name]) else None


def report_of(store: Store, rank: int) -> Report | None:
    """How a process ended; None while it has not said so."""
    said = stored_value(store, f"ended/{rank}")
    return None if said is None else Report(**said)


def report(store: Store, ended: Report) -> None:
    """Says how a process ended; what was said first stays."""
    if report_of(store, ended.rank) is None:
        store_value(store, f"ended/{ended.rank}", ended)
