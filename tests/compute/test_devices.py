"""Devices, precision and repeatability."""

from __future__ import annotations

import pytest
import torch

from pipeline.compute import devices
from pipeline.errors import ConfigError


def test_auto_is_cuda_where_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert devices.pick("auto") == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert devices.pick("auto") == "cuda"


@pytest.mark.parametrize("name", ["gpu", "cuda:99"])
def test_a_device_that_is_not_here_is_named(name):
    with pytest.raises(ConfigError, match=f"DEVICE={name}"):
        devices.pick(name)


def test_generators_continue_where_they_were():
    devices.seed_everything(5)
    torch.rand(3)
    states = devices.generator_states()
    expected = torch.rand(4)
    devices.restore_generators(states)
    assert torch.equal(torch.rand(4), expected)


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [("float32", torch.float32), ("bfloat16", torch.bfloat16), ("float16", torch.float16)],
)
def test_autocast_sets_the_arithmetic(precision, dtype):
    with devices.autocast("cpu", precision):
        assert torch.nn.Linear(2, 2)(torch.ones(1, 2)).dtype == dtype
    assert devices.scaler("cpu", precision).is_enabled() == (precision == "float16")


@pytest.mark.parametrize(
    ("capabilities", "meant"),
    [({"avx512_f": True, "avx512_bf16": True}, "bfloat16"), ({"avx512_f": True}, "float32"), ({}, "float32")],
)
def test_auto_is_bfloat16_where_the_processor_has_it(monkeypatch, capabilities, meant):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert devices.arithmetic("cpu", "auto") == meant
    with devices.autocast("cpu", "auto"):
        assert torch.nn.Linear(2, 2)(torch.ones(1, 2)).dtype == devices.PRECISIONS[meant]


def test_an_unknown_precision_is_named():
    with pytest.raises(ConfigError, match="PRECISION=int8"):
        devices.autocast("cpu", "int8")
