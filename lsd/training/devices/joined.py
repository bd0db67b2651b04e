"""Joining the other processes of a run, which `train.devices`, or torchrun, has started."""

from __future__ import annotations

import datetime
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist

from lsd.network.threads import threads as network_threads
from lsd.prediction.predictor import choose_device
from lsd.spec import Train
from lsd.system.ranks import rank
from lsd.training.devices.ranks import ALONE, Ranks
from lsd.training.devices.store import connect, of_group

# the first process validates as long as it takes, and the others wait for it; that one has gone is
# told by broken connections, and by those who started the processes
_PATIENCE = datetime.timedelta(days=7)


@contextmanager
def joined(train: Train) -> Iterator[Ranks]:
    """The processes of this run, once all of them are there; in a process of its own, it alone.

    Inside, each has its own GPU where train.device is one, and only the first logs what all of them
    would.  Raises ValueError where the device is not there.
    """
    number = rank()
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if number is None or size == 1:
        yield ALONE
        return
    local = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    _join(number, size, on_gpus=_take_device(train))
    level = logging.getLogger("lsd").level
    try:
        if number:
            logging.getLogger("lsd").setLevel(logging.ERROR)
        yield Ranks(rank=number, size=size, local=local)
        # after an error it could wait for what will not come
        dist.destroy_process_group()
    finally:
        logging.getLogger("lsd").setLevel(level)


def threads(train: Train, ranks: Ranks) -> int:
    """Of the CPU, for the network: as the config says, else the process's part of the cores."""
    return train.threads or max(1, network_threads(None) // ranks.local)


def _take_device(train: Train) -> bool:
    """Makes a GPU this process's own; whether the run is on GPUs."""
    device = choose_device(train.device)
    if device.type == "mps" or device.index is not None:
        raise ValueError(
            f"train.device={train.device} is one device, and each of several processes needs its "
            "own; take train.device=cuda or cpu"
        )
    if device.type == "cuda":
        # a scheduler may show each process a GPU of its own, which is number 0 then
        count = torch.cuda.device_count()
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")) % count)
    return device.type == "cuda"


def _join(number: int, size: int, *, on_gpus: bool) -> None:
    store = connect()
    if store is not None:
        # others may wait in the queue of a cluster
        store.set_timeout(_PATIENCE)
    dist.init_process_group(
        # what lies on the CPU, such as counts, goes its own way
        "cpu:gloo,cuda:nccl" if on_gpus else "gloo",
        store=store and of_group(store),
        rank=number,
        world_size=size,
        timeout=_PATIENCE,
    )
