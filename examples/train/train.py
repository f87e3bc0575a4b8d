"""Train a PAF network on photographs with COCO-format labels, with a teacher where there is one."""

import argparse
import dataclasses
import logging
import pathlib
import sys
import typing
from typing import Any, List, Optional, Tuple

if not __package__:
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from train.augment import Augmentation  # noqa: E402
from train.loop import train  # noqa: E402
from train.options import Options  # noqa: E402

Flag = Tuple[str, str]
GROUPS: Tuple[Tuple[str, Tuple[Flag, ...]], ...] = (
    ("what is learnt", (
        ("images", "folder with the photographs"),
        ("annotations", "COCO-format json with keypoints"),
        ("split", "text file that names the photographs to learn from, one a line"),
        ("dev_split", "text file that names the photographs to measure on"),
        ("skeleton", "keypoint set to learn: a name, or your own .json"),
        ("labels", "keypoint set of the annotations, likewise"),
        ("output", "folder for checkpoint, log, weights and model; a run found there goes on"))),
    ("where it starts", (
        ("encoder", "EfficientNet-lite0 weights trained on ImageNet, a .pth file"),
        ("teacher", "model file with a card whose maps are learnt too"),
        ("cache", "folder for the teacher's maps"),
        ("teacher_weight", "weight of the teacher's maps"),
        ("label_weight", "weight of the labels"),
        ("heatmap_weight", "weight of heat maps beside fields"),
        ("peak_weight", "how much more a cell counts where a map is 1 than where it is 0"))),
    ("how it is learnt", (
        ("refinements", "stages after the first guess"),
        ("steps", "batches"),
        ("batch", "crops a batch"),
        ("crop", "side of a crop, pixels, a multiple of 16"),
        ("learning_rate", "highest learning rate"),
        ("encoder_rate", "the encoder's learning rate, times the other"),
        ("weight_decay", "weight decay of AdamW"),
        ("warm_up", "steps until the highest learning rate"),
        ("clip", "longest gradient"),
        ("average", "share of the averaged weights that a step leaves as it was"),
        ("freeze_norms", "leave the encoder's batch-norm statistics as they came"),
        ("frozen_stages", "stages of the encoder that, with its stem, stay as they are; 5 is all of it"),
        ("seed", "seed of weights and crops"))),
    ("augmentation", (
        ("scale", "smallest and largest size, times that at a height of 368"),
        ("degrees", "largest rotation"),
        ("flip", "share of mirrored crops"),
        ("on_person", "share of crops with somebody near the middle"),
        ("colour", "largest change of contrast, brightness and colour"),
        ("occlusion", "share of crops with things in the way"),
        ("blur", "share of crops out of focus"))),
    ("machine", (
        ("device", "torch device"),
        ("precision", "float32 or bfloat16"),
        ("workers", "processes that prepare crops"),
        ("threads", "CPU threads of torch; 0 leaves it to torch"),
        ("save_every", "steps between checkpoints"),
        ("measure_every", "steps between measurements on the dev split; 0 measures at the end"))),
)


def parse(argv: Optional[List[str]] = None) -> Options:
    """Options from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    owners = (Options, Augmentation)
    types = {name: kind for owner in owners for name, kind in typing.get_type_hints(owner).items()}
    fields = {field.name: field for owner in owners for field in dataclasses.fields(owner)}
    for title, flags in GROUPS:
        group = parser.add_argument_group(title)
        for name, text in flags:
            _add(group, name, text, types[name], fields[name].default)
    given = vars(parser.parse_args(argv))
    chosen = {name: given.pop(name) for name in list(given) if name in typing.get_type_hints(Augmentation)}
    chosen["scale"] = tuple(chosen["scale"])
    if given["crop"] % 16:
        parser.error("--crop %d: expected a multiple of 16" % given["crop"])
    return Options(augmentation=Augmentation(**chosen), **given)


def _add(group: Any, name: str, text: str, kind: Any, default: Any) -> None:
    flag = "--" + name.replace("_", "-")
    if kind is bool:
        group.add_argument(flag, action="store_true", help=text)
    elif default is dataclasses.MISSING:
        group.add_argument(flag, type=pathlib.Path, required=True, help=text)
    elif isinstance(default, tuple):
        group.add_argument(flag, type=float, nargs=len(default), default=default, help=text)
    elif default is None:
        group.add_argument(flag, type=pathlib.Path, help=text)
    else:
        group.add_argument(flag, type=type(default), default=default, help=text,
                           choices=("float32", "bfloat16") if name == "precision" else None)


def main(argv: Optional[List[str]] = None) -> int:
    """Train, and say where the model is."""
    options = parse(argv)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s")
    print(train(options))
    return 0


if __name__ == "__main__":
    sys.exit(main())
