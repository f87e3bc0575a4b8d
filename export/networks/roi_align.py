"""RoIAlign (He et al. 2017) of boxes that the network itself finds, with operators that TensorRT's parser takes."""
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

SAMPLES = 2             # along each side of a cell
ROI_ALIGN_OPSET = 16    # half-pixel coordinates came with it
_OUTSIDE = -2.0         # a pixel so far out that GridSample gives zero


class RoIAlign(nn.Module):
    """Features (N, C, h, w) within boxes (N, R, 4) to (N * R, C, size, size), picture after picture.

    Boxes are x0, y0, x1, y1 in pixels of the network's input, of which the features' cells are `stride` wide, and end
    at the pixels' edges (`half_pixel` of ONNX's operator, `aligned` of torchvision's). A cell is the mean of 2 x 2
    samples.
    """

    NATIVE_OPSET = ROI_ALIGN_OPSET

    def __init__(self, size: int, stride: int) -> None:
        super().__init__()
        self.size, self.stride = size, stride
        self.native = False  # export ONNX's own operator

    def forward(self, features: Tensor, boxes: Tensor) -> Tensor:
        if self.native and torch.onnx.is_in_onnx_export():
            picture = torch.arange(boxes.shape[0], device=boxes.device)[:, None].expand(-1, boxes.shape[1]).reshape(-1)
            out: Tensor = _RoiAlign.apply(  # type: ignore[no-untyped-call]
                features, boxes.reshape(-1, 4), picture, self.size, self.stride)
            return out
        return sampled_roi_align(features, boxes, self.size, self.stride)


def sampled_roi_align(features: Tensor, boxes: Tensor, size: int, stride: int) -> Tensor:
    """RoIAlign by one GridSample for all boxes of a picture, one below the other, and one mean over the samples."""
    channels, height, width = features.shape[1:]
    count = boxes.shape[1]
    corners = boxes / stride - 0.5
    columns = _samples(corners[:, :, 0], corners[:, :, 2], size, width)           # (N, R, samples)
    rows = _samples(corners[:, :, 1], corners[:, :, 3], size, height)
    across = columns[:, :, None].expand(-1, -1, SAMPLES * size, -1)
    down = rows[:, :, :, None].expand(-1, -1, -1, SAMPLES * size)
    grid = torch.stack((across, down), -1).flatten(1, 2)                          # (N, R * samples, samples, 2)
    sampled = functional.grid_sample(features, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    cells = functional.avg_pool2d(sampled, SAMPLES)
    return cells.reshape(-1, channels, count, size, size).transpose(1, 2).reshape(-1, channels, size, size)


def _samples(first: Tensor, end: Tensor, size: int, pixels: int) -> Tensor:
    """Where the samples of boxes from `first` to `end` lie, as GridSample counts: (2 * pixel + 1) / pixels - 1.

    RoIAlign repeats the border up to one pixel outside; from there on all is zero.
    """
    step = torch.arange(SAMPLES * size, dtype=first.dtype, device=first.device) + 0.5
    at = first[:, :, None] + step * ((end - first) / (SAMPLES * size))[:, :, None]
    inside = at.clamp(0, pixels - 1)
    at = torch.where((at < -1) | (at > pixels), torch.full_like(at, _OUTSIDE), inside)
    return (2 * at + 1) / pixels - 1


class _RoiAlign(torch.autograd.Function):
    """Stands for ONNX's operator while a network is exported, when shapes count and numbers do not."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, boxes: Tensor, picture: Tensor, size: int,  # noqa: ARG004
                stride: int) -> Tensor:  # noqa: ARG004
        return features.new_zeros((boxes.shape[0], features.shape[1], size, size))

    @staticmethod
    def symbolic(g: Any, features: Any, boxes: Any, picture: Any, size: int, stride: int) -> Any:
        return g.op("RoiAlign", features, boxes, picture, coordinate_transformation_mode_s="half_pixel", mode_s="avg",
                    output_height_i=size, output_width_i=size, sampling_ratio_i=SAMPLES, spatial_scale_f=1 / stride)
