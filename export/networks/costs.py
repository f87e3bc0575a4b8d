"""What a network costs: parameters, and multiply-accumulates for one picture."""
import copy
import math
from typing import Any

import torch
from torch import Tensor, nn


def count_parameters(network: nn.Module) -> int:
    """All trained numbers: weights, biases, PReLU slopes, scale and shift of batch-norms."""
    return sum(parameter.numel() for parameter in network.parameters())


def count_macs(network: nn.Module, height: int, width: int) -> int:
    """Multiply-accumulates of all (transposed) convolutions and linear layers for one picture; nothing is computed.

    >>> count_macs(nn.Conv2d(3, 64, 3, padding=1), 10, 20) == 3 * 64 * 9 * 10 * 20
    True
    """
    network = copy.deepcopy(network).to("meta").eval()
    total = 0

    def add(module: nn.Module, inputs: tuple[Tensor, ...], output: Any) -> None:
        nonlocal total
        assert isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear))
        # Each weight of a transposed convolution is used once a cell of its input, of the others once a cell
        # of their output; a linear layer's cells are its tokens.
        cells = inputs[0] if isinstance(module, nn.ConvTranspose2d) else output
        # A part of a network may see several crops of the picture.
        sides = cells.shape[:-1] if isinstance(module, nn.Linear) else (cells.shape[0], *cells.shape[2:])
        total += module.weight.numel() * math.prod(sides)

    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            module.register_forward_hook(add)
    with torch.no_grad():
        network(torch.empty(1, 3, height, width, device="meta"))
    return total
