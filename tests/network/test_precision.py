"""Which precision a device computes in."""

import logging
from types import SimpleNamespace

import pytest
import torch

from lsd.network import precision


@pytest.fixture(autouse=True)
def _forget():
    precision.choose.cache_clear()
    yield
    precision.choose.cache_clear()


def _processor(monkeypatch, **has):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has)


@pytest.mark.parametrize("feature", ["amx_bf16", "avx512_bf16", "bf16"])
def test_auto_is_bf16_where_the_processor_has_it(monkeypatch, feature):
    _processor(monkeypatch, avx2=True, **{feature: True})
    assert precision.choose("auto", "cpu") == "bf16"


def test_auto_is_fp32_elsewhere(monkeypatch):
    _processor(monkeypatch, avx2=True, avx512_bf16=False)
    assert precision.choose("auto", "cpu") == "fp32"
    assert precision.choose("auto", "mps") == "fp32"


@pytest.mark.parametrize("has", [True, False])
def test_auto_asks_the_gpu(monkeypatch, has):
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation: has and not including_emulation
    )
    assert precision.choose("auto", "cuda") == ("bf16" if has else "fp32")


def test_what_is_named_is_taken_and_said_to_be_slow_once(monkeypatch, caplog):
    _processor(monkeypatch, avx2=True)
    with caplog.at_level(logging.WARNING):
        assert [precision.choose("bf16", "cpu") for _ in range(3)] == ["bf16"] * 3
        assert [precision.choose(name, "cpu") for name in ("fp16", "fp32")] == ["fp16", "fp32"]
    assert [record.message for record in caplog.records] == [
        "this processor imitates bf16, in many times the time and memory of fp32; precision=auto "
        "takes fp32 here"
    ]


@pytest.mark.parametrize(
    ("name", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)]
)
def test_layers_compute_in_it(name, dtype):
    device = SimpleNamespace(type="cpu")
    with precision.autocast(name, device):
        assert torch.nn.Linear(2, 2)(torch.zeros(1, 2)).dtype == dtype
