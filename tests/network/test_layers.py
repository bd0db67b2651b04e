import pytest
import torch

from lsd.network.layers import CONV, Pointwise
from lsd.network.logits import VOXELS, Logits


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("kind", [Pointwise, Logits])
@pytest.mark.parametrize("size", [(7, 6, 9), (16, 2 * VOXELS // 16, 1), (31, 97, 3)])
def test_a_pointwise_convolution_is_torchs(dims, last, kind, size):
    torch.manual_seed(0)
    x = torch.randn(2, 5, *size[:dims])
    if last:
        x = x.to(memory_format=torch.channels_last if dims == 2 else torch.channels_last_3d)
    layer = kind(5, 3, dims=dims, gain=1.0)
    theirs = CONV[dims](5, 3, 1)
    theirs.load_state_dict(layer.state_dict())
    results = []
    for module in (layer, theirs):
        given = x.clone().requires_grad_()
        out = module(given)
        (out * torch.linspace(-1, 1, out.numel()).reshape(out.shape)).sum().backward()
        results.append((out, given.grad, module.weight.grad, module.bias.grad))
    for ours, expected in zip(*results, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-3, atol=1e-3)


def test_a_pointwise_convolution_keeps_the_layout():
    x = torch.randn(2, 5, 4, 4, 4).to(memory_format=torch.channels_last_3d)
    assert Pointwise(5, 3, dims=3, gain=1.0)(x).is_contiguous(memory_format=torch.channels_last_3d)
    assert Pointwise(5, 3, dims=3, gain=1.0)(x.contiguous()).is_contiguous()


def test_logits_lie_channel_after_channel():
    x = torch.randn(2, 5, 4, 4, 4).to(memory_format=torch.channels_last_3d)
    layer = Logits(5, 3, dims=3, gain=1.0)
    for layout in (x, x.contiguous(), x[..., 1:]):
        assert layer(layout).is_contiguous()


def test_gradients_of_logits_are_differences():
    torch.manual_seed(0)
    x = torch.randn(2, 4, 3, 5, 4, dtype=torch.float64).to(memory_format=torch.channels_last_3d)
    layer = Logits(4, 3, dims=3, gain=1.0).double()

    def logits(x, weight, bias):
        return torch.func.functional_call(layer, {"weight": weight, "bias": bias}, (x,))

    torch.autograd.gradcheck(logits, (x.requires_grad_(), layer.weight, layer.bias))


def test_logits_in_bf16_are_those_of_a_matrix_product_in_bf16():
    """And as far from those in fp64, gradients of weights too, which are sums over all voxels."""
    torch.manual_seed(0)
    x = torch.randn(2, 16, 20, 40, 40).to(memory_format=torch.channels_last_3d)
    factors = torch.rand(2, 3, 20, 40, 40)
    results = []
    for kind, dtype in ((Logits, None), (Pointwise, None), (Pointwise, torch.float64)):
        torch.manual_seed(1)
        layer = kind(16, 3, dims=3, gain=1.0).to(dtype or torch.float32)
        given = x.to(layer.weight.dtype).clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype is None):
            out = layer(given)
        assert out.dtype == (dtype or torch.bfloat16)
        (out.double() * factors).sum().backward()
        results.append((out.double(), given.grad.double(), layer.weight.grad.double()))
    ours, theirs, exact = results
    for value, other in zip(ours[:2], theirs[:2], strict=True):
        torch.testing.assert_close(value, other, rtol=0.02, atol=0.02)
    for found, other, expected in zip(ours, theirs, exact, strict=True):
        assert (found - expected).norm() <= 1.5 * (other - expected).norm()
