"""The states of the random generators that training draws from, in forms that a checkpoint can
hold."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch


def capture() -> dict[str, Any]:
    """States of Python's, numpy's global, and torch's generators (CPU and every GPU)."""
    numpy_state: Any = np.random.get_state(legacy=False)  # noqa: NPY002 (the generator gunpowder draws from)
    # the key is an array, which loads only by running code
    numpy_state = {
        **numpy_state,
        "state": {**numpy_state["state"], "key": numpy_state["state"]["key"].tolist()},
    }
    return {
        "python": random.getstate(),
        "numpy": numpy_state,
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def restore(states: Mapping[str, Any]) -> None:
    """Sets the generators to what `capture` found; GPUs that are not there are left out."""
    random.setstate(states["python"])
    key = np.asarray(states["numpy"]["state"]["key"], np.uint32)
    np.random.set_state({**states["numpy"], "state": {**states["numpy"]["state"], "key": key}})  # noqa: NPY002
    torch.set_rng_state(states["torch"].cpu())
    for device, state in enumerate(states["cuda"][: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(state.cpu(), device)
