import pytest
import torch
from torch import nn
from torch.nn import functional as F

from untrained.nn.drop_path import drop_path
from untrained.nn.separable import DilConv, FactorizedReduce, SepConv
from untrained.seeds import derive


def images(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(derive("images", *shape)))


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("side", [1, 2, 5, 8, 9])
@pytest.mark.parametrize("stride", [1, 2])
def test_all_blocks_round_the_size_up(side: int, stride: int) -> None:
    x = images(2, 4, side, side + 1)
    blocks = [SepConv(4, 6, 3, stride), SepConv(4, 6, 5, stride), DilConv(4, 6, 3, stride), DilConv(4, 6, 5, stride)]
    if stride == 2:
        blocks.append(FactorizedReduce(4, 6))
    for block in blocks:
        assert block.eval()(x).shape == (2, 6, -(-side // stride), -(-(side + 1) // stride))


@pytest.mark.parametrize("kernel", [3, 5])
def test_parameter_counts(kernel: int) -> None:
    assert parameters(DilConv(4, 6, kernel)) == kernel**2 * 4 + 4 * 6 + 2 * 6
    assert parameters(SepConv(4, 6, kernel)) == 2 * kernel**2 * 4 + 4 * 4 + 4 * 6 + 2 * 4 + 2 * 6
    assert parameters(FactorizedReduce(4, 6)) == 4 * 6 + 2 * 6
    assert parameters(FactorizedReduce(4, 7)) == 4 * 7 + 2 * 7


@pytest.mark.parametrize(("kernel", "dilation", "reach"), [(3, 1, 1), (5, 1, 2), (3, 2, 2), (5, 2, 4)])
def test_an_output_sees_its_window_only(kernel: int, dilation: int, reach: int) -> None:
    block = DilConv(2, 2, kernel, dilation=dilation).eval()
    x = images(1, 2, 13, 13).abs().requires_grad_()
    block(x)[0, :, 6, 6].sum().backward()
    assert x.grad is not None
    seen = x.grad.abs().sum(dim=(0, 1)).nonzero().tolist()
    offsets = range(-reach, reach + 1, dilation)
    assert seen == [[6 + i, 6 + j] for i in offsets for j in offsets]


def test_the_reduction_sees_even_and_odd_pixels() -> None:
    block = FactorizedReduce(3, 4).eval()
    x = images(2, 3, 6, 6)
    active = x.relu()
    even = F.conv2d(active[:, :, 0::2, 0::2], block.even.weight)
    odd = F.conv2d(active[:, :, 1::2, 1::2], block.odd.weight)
    torch.testing.assert_close(block(x), torch.cat([even, odd], dim=1) / (1 + block.norm.eps) ** 0.5)


def test_an_odd_image_is_reduced_as_with_a_border_of_zeros() -> None:
    block = FactorizedReduce(3, 4).eval()
    x = images(2, 3, 7, 5)
    torch.testing.assert_close(block(x), block(F.pad(x, (0, 1, 0, 1))))


def test_drop_path_drops_whole_images_and_keeps_the_mean() -> None:
    x = torch.rand(4000, 2, 3, 3, generator=torch.Generator().manual_seed(0)) + 0.5
    with torch.random.fork_rng():
        torch.manual_seed(0)
        ratio = (drop_path(x, 0.25) / x).flatten(1)
    torch.testing.assert_close(ratio, ratio[:, :1].expand_as(ratio))
    kept = ratio[:, 0] > 0
    torch.testing.assert_close(ratio[kept], torch.full_like(ratio[kept], 1 / 0.75))
    # 4,000 draws: five standard deviations are 0.034.
    assert abs(kept.float().mean().item() - 0.75) < 0.034
