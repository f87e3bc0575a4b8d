"""Deformable convolution, version 1 (Dai et al. 2017), with operators that TensorRT's parser takes."""
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

GRID_SAMPLE_OPSET, DEFORM_CONV_OPSET = 16, 19


class DeformableConv(nn.Conv2d):
    """A 3x3 whose taps are read beside where they would lie, by offsets in pixels of its input.

    Offsets (N, 18, h, w): channel 2 * t is how much lower tap t = row * 3 + column is read, 2 * t + 1 how much further
    right. Outside the picture is zero. All taps are sampled at once into a picture of three by three cells for each
    cell of the output, and a 3x3 of stride 3 with the same weights goes over it.
    """

    OFFSETS = 18
    NATIVE_OPSET = DEFORM_CONV_OPSET

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__(channels, width, 3, stride, 1, bias=False)
        self.native = False  # export ONNX's own operator

    def forward(self, x: Tensor, offset: Tensor) -> Tensor:  # type: ignore[override]  # the offsets come along
        if self.native and torch.onnx.is_in_onnx_export():
            out: Tensor = _DeformConv.apply(x, self.weight, offset, self.stride[0])  # type: ignore[no-untyped-call]
            return out
        return sampled_deform_conv(x, self.weight, offset, self.stride[0])


def sampled_deform_conv(x: Tensor, weight: Tensor, offset: Tensor, stride: int) -> Tensor:
    """Deformable convolution by one GridSample and one convolution."""
    down = functional.pixel_shuffle(offset[:, 0::2], 3).squeeze(1)
    right = functional.pixel_shuffle(offset[:, 1::2], 3).squeeze(1)
    rows = _taps(offset.shape[2], stride, x.shape[2], x)
    columns = _taps(offset.shape[3], stride, x.shape[3], x)
    grid = torch.stack((right * (2 / x.shape[3]) + columns, down * (2 / x.shape[2]) + rows[:, None]), -1)
    taps = functional.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return functional.conv2d(taps, weight, None, 3)


def _taps(cells: int, stride: int, size: int, like: Tensor) -> Tensor:
    """Where the taps of all cells of one axis lie without offsets, as GridSample counts: (2 * pixel + 1) / size - 1."""
    tap = torch.arange(3 * cells, dtype=like.dtype, device=like.device)
    cell = torch.floor(tap / 3)
    pixel = cell * stride + (tap - 3 * cell) - 1
    return (2 * pixel + 1) / size - 1


class _DeformConv(torch.autograd.Function):
    """Stands for ONNX's operator while a network is exported, when shapes count and numbers do not."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, offset: Tensor, stride: int) -> Tensor:  # noqa: ARG004
        return x.new_zeros((offset.shape[0], weight.shape[0], *offset.shape[2:]))

    @staticmethod
    def symbolic(g: Any, x: Any, weight: Any, offset: Any, stride: int) -> Any:
        return g.op("DeformConv", x, weight, offset, kernel_shape_i=[3, 3], strides_i=[stride, stride],
                    pads_i=[1, 1, 1, 1], dilations_i=[1, 1], group_i=1, offset_group_i=1)
