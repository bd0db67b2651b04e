"""The precision that a network computes in; weights stay fp32."""

from __future__ import annotations

import logging
from functools import lru_cache

import torch

from lsd.spec import Precision

log = logging.getLogger(__name__)

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def autocast(precision: Precision, device: torch.device) -> torch.autocast:
    """A context inside which layers on `device` compute in `precision`."""
    chosen = choose(precision, device.type)
    # without a dtype torch takes one of its own
    return torch.autocast(
        device.type, None if chosen == "fp32" else DTYPES[chosen], enabled=chosen != "fp32"
    )


@lru_cache(maxsize=8)
def choose(precision: Precision, device: str) -> Precision:
    """What "auto" stands for on a kind of device: bf16 where its arithmetic is built in, else fp32;
    others are as named.

    Warns, once a process, of bf16 on a processor that has to imitate it: convolutions then take
    many times as long, and memory.
    """
    built_in = _has_bf16(device)
    if precision == "auto":
        return "bf16" if built_in else "fp32"
    if precision == "bf16" and device == "cpu" and not built_in:
        log.warning(
            "this processor imitates bf16, in many times the time and memory of fp32; "
            "precision=auto takes fp32 here"
        )
    return precision


def _has_bf16(device: str) -> bool:
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device == "cpu":
        has = torch.cpu.get_capabilities()
        return bool(has.get("amx_bf16") or has.get("avx512_bf16") or has.get("bf16"))
    return False
