import pytest
import torch

from lsd.network.layers import CONV, Pointwise


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("last", [False, True])
def test_a_pointwise_convolution_is_torchs(dims, last):
    torch.manual_seed(0)
    x = torch.randn(2, 5, *(7, 6, 9)[:dims])
    if last:
        x = x.to(memory_format=torch.channels_last if dims == 2 else torch.channels_last_3d)
    layer = Pointwise(5, 3, dims=dims, gain=1.0)
    theirs = CONV[dims](5, 3, 1)
    theirs.load_state_dict(layer.state_dict())
    results = []
    for module in (layer, theirs):
        given = x.clone().requires_grad_()
        out = module(given)
        (out * torch.arange(out.numel()).reshape(out.shape)).sum().backward()
        results.append((out, given.grad, module.weight.grad, module.bias.grad))
    for ours, expected in zip(*results, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4)


def test_a_pointwise_convolution_keeps_the_layout():
    x = torch.randn(2, 5, 4, 4, 4).to(memory_format=torch.channels_last_3d)
    assert Pointwise(5, 3, dims=3, gain=1.0)(x).is_contiguous(memory_format=torch.channels_last_3d)
    assert Pointwise(5, 3, dims=3, gain=1.0)(x.contiguous()).is_contiguous()
