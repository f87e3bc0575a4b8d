"""Everything a training run is told."""

import dataclasses
import json
import pathlib
from dataclasses import dataclass, field
from typing import Any, Dict, Optional

from .augment import Augmentation


@dataclass(frozen=True)
class Options:
    """One run. The defaults are for a longer one than the default network had; its own are in README.md."""

    images: pathlib.Path
    annotations: pathlib.Path
    output: pathlib.Path
    split: Optional[pathlib.Path] = None       # names of the photographs to learn from, one a line; all without it
    dev_split: Optional[pathlib.Path] = None   # names of those to measure on
    skeleton: str = "COCO_18"                  # what is learnt: a set's name or a .json file
    labels: str = "COCO_17"                    # what the annotations hold, likewise
    encoder: Optional[pathlib.Path] = None     # EfficientNet-lite0 as efficientnet_lite_pytorch names it
    teacher: Optional[pathlib.Path] = None     # a model file with a card and the same skeleton
    cache: Optional[pathlib.Path] = None       # where the teacher's maps are kept; output/teacher without it
    teacher_weight: float = 1.0
    label_weight: float = 0.3
    heatmap_weight: float = 3.0                # of heat maps beside fields, whose squares are many more
    peak_weight: float = 2.0                   # how much more a cell counts where a map is 1 than where it is 0
    refinements: int = 1
    steps: int = 8000
    batch: int = 12
    crop: int = 320                            # pixels, a multiple of 16
    learning_rate: float = 2e-3
    encoder_rate: float = 0.5                  # times the learning rate
    weight_decay: float = 1e-4
    warm_up: int = 300                         # steps
    clip: float = 5.0                          # longest gradient
    average: float = 0.998                     # of the weights: share that one step leaves as it was
    freeze_norms: bool = False                 # leave the encoder's batch-norm statistics as they came
    frozen_stages: int = 0                     # of the encoder, with its stem: left as they are
    precision: str = "float32"                 # or bfloat16
    device: str = "cpu"
    seed: int = 0
    workers: int = 1
    threads: int = 0                           # of torch on the CPU; 0 leaves it to torch
    save_every: int = 200                      # steps
    measure_every: int = 0                     # steps; 0 measures at the end alone
    augmentation: Augmentation = field(default_factory=Augmentation)

    def to_json(self) -> str:
        """For the record beside the weights: what was asked for, without the folders of this machine."""
        data: Dict[str, Any] = dataclasses.asdict(self)
        return json.dumps({key: value.name if isinstance(value, pathlib.PurePath) else value
                           for key, value in data.items()}, indent=2)
