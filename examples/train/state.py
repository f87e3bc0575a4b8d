"""What a run must remember to go on as if it had never stopped."""

import copy
import logging
import math
import pathlib
from typing import Any, Dict, List

import torch
from torch import Tensor, nn

from wholebody.export.networks.efficientnet import encoder_state
from wholebody.export.networks.lite import WholebodyLite
from wholebody.files import replace_when_done
from wholebody.skeletons import Skeleton

from .loss import Weights
from .options import Options

LEAST_RATE = 0.01  # share of the learning rate that the last step has

log = logging.getLogger("train.state")


def new_network(options: Options, skeleton: Skeleton) -> WholebodyLite:
    """The network before its first step, with the encoder's weights where a file has them."""
    torch.manual_seed(options.seed)
    network = WholebodyLite(skeleton.heatmap_channels, skeleton.paf_channel_count, options.refinements)
    for stage in (network.first, *network.refinements):
        for maps in (stage.heatmaps[-1], stage.pafs[-1]):
            nn.init.normal_(maps.weight, std=0.01)
            nn.init.zeros_(maps.bias)
    if options.encoder is not None:
        weights = torch.load(str(options.encoder), map_location="cpu", weights_only=True)
        network.encoder.load_state_dict(encoder_state(weights))
    return network


def frozen_parts(network: WholebodyLite, options: Options) -> List[nn.Module]:
    """What of the encoder stays as it is."""
    if not options.frozen_stages:
        return []
    return [network.encoder.stem, *list(network.encoder.stages)[:options.frozen_stages]]


class TrainingState:
    """Network, moving average of it, optimizer and step."""

    def __init__(self, options: Options, skeleton: Skeleton) -> None:
        self.options = options
        self.step = 0
        network = new_network(options, skeleton).to(options.device)
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        for part in frozen_parts(self.network, options):
            part.requires_grad_(False)
        self.weights = Weights(options.label_weight, options.teacher_weight, options.heatmap_weight,
                               options.peak_weight, skeleton.has_background)
        self.optimizer = torch.optim.AdamW(self._groups(), lr=options.learning_rate)

    def _groups(self) -> List[Dict[str, Any]]:
        """Encoder and head have rates of their own; what is not a matrix does not decay."""
        groups: Dict[Any, List[Tensor]] = {}
        for name, parameter in self.network.named_parameters():
            groups.setdefault((name.startswith("encoder."), parameter.dim() > 1), []).append(parameter)
        return [{"params": parameters, "weight_decay": self.options.weight_decay if matrix else 0.0,
                 "share": self.options.encoder_rate if encoder else 1.0}
                for (encoder, matrix), parameters in groups.items()]

    def set_rate(self) -> float:
        """Give every group the learning rate of this step."""
        rate = self.options.learning_rate * rate_share(self.step, self.options.steps, self.options.warm_up)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["share"]
        return rate

    def update_average(self) -> None:
        """Move the average towards the network; faster in the beginning."""
        kept = min(self.options.average, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for old, new in zip(self.average.state_dict().values(), self.network.state_dict().values()):
                if old.dtype.is_floating_point:
                    old.lerp_(new, 1 - kept)
                else:
                    old.copy_(new)

    def save(self, path: pathlib.Path) -> None:
        """Write everything, complete or not at all."""
        with replace_when_done(path, overwrite=True) as partial:
            torch.save({"step": self.step, "network": self.network.state_dict(),
                        "average": self.average.state_dict(), "optimizer": self.optimizer.state_dict(),
                        "random": torch.get_rng_state()}, str(partial))

    def load(self, path: pathlib.Path) -> None:
        """Go on from a file that `save` wrote."""
        saved = torch.load(str(path), map_location=self.options.device, weights_only=True)
        self.step = int(saved["step"])
        self.network.load_state_dict(saved["network"])
        self.average.load_state_dict(saved["average"])
        self.optimizer.load_state_dict(saved["optimizer"])
        torch.set_rng_state(saved["random"].cpu())
        log.info("going on after step %d of %s", self.step, path)


def rate_share(step: int, steps: int, warm_up: int) -> float:
    """A linear warm-up, then a cosine.

    >>> rate_share(0, 1000, 100), rate_share(1000, 1000, 100)
    (0.01, 0.01)
    """
    warm = min(1.0, (step + 1) / max(warm_up, 1))
    return warm * (LEAST_RATE + (1 - LEAST_RATE) * 0.5 * (1 + math.cos(math.pi * min(step / steps, 1.0))))
