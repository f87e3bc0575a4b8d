"""Turn trained weights into the model file that the package ships, with a card that says where it comes from."""

import argparse
import collections
import json
import pathlib
import sys
from typing import Any, Dict, List, Optional, Tuple

import numpy as np
import onnx
from onnx import numpy_helper

if not __package__:
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from train.trained import chosen, write_model  # noqa: E402
from wholebody.card import ModelCard  # noqa: E402
from wholebody.engines.onnxfile import card_of, parse_onnx, with_card  # noqa: E402
from wholebody.files import write_bytes  # noqa: E402
from wholebody.runtime.paf.options import SKELETON_MAY_SET  # noqa: E402
from wholebody.skeletons import get_skeleton  # noqa: E402

MOST_BYTES = 10000000
Decoding = Tuple[Tuple[str, float], ...]


def release(weights: pathlib.Path, skeleton: str, notes: str, decoding: Decoding, output: pathlib.Path) -> ModelCard:
    """Write the model file; its kernels are float32 numbers that half precision holds exactly.

    So the file opens everywhere, TensorRT 8.2 included, and yet packs to half its size in a wheel or in git.
    """
    write_model(weights, get_skeleton(skeleton), output)
    model = onnx.load(str(output))
    for initializer in model.graph.initializer:
        values = numpy_helper.to_array(initializer)
        if values.ndim > 1 and values.dtype == np.float32:
            rounded = values.astype(np.float16).astype(np.float32)
            initializer.CopyFrom(numpy_helper.from_array(rounded, initializer.name))
    data = model.SerializeToString()
    if len(data) > MOST_BYTES:
        raise ValueError("%s would have %d bytes; expected at most %d" % (output, len(data), MOST_BYTES))
    card = card_of(parse_onnx(data, str(output)), str(output))._replace(notes=notes, decoding=decoding)
    write_bytes(output, with_card(data, card), overwrite=True)
    return card


def provenance(options: Dict[str, Any], photographs: Dict[str, Any], commit: str) -> str:
    """What the network learnt from, as one paragraph; photographs as in COCO's annotation file."""
    licences = {entry["id"]: entry["name"] for entry in photographs.get("licenses", [])}
    counts = collections.Counter(image.get("license") for image in photographs["images"])
    each = ", ".join("%d under licence id %s (%s)" % (counts[number], number, licences.get(number, "not stated"))
                     for number in sorted(counts, key=str))
    people = sum(1 for entry in photographs["annotations"] if entry.get("num_keypoints"))
    parts = ["Trained by examples/train at commit %s, seed %d, %d steps of %d crops of %d px."
             % (commit, options["seed"], options["steps"], options["batch"], options["crop"]),
             "Data: %d photographs of COCO 2017 with %d labelled people (labels: COCO, CC BY 4.0); photographs from "
             "Flickr: %s." % (len(photographs["images"]), people, each)]
    if options.get("encoder"):
        parts.append("Encoder: EfficientNet-lite0 trained on ImageNet (%s, Apache-2.0)." % options["encoder"])
    if options.get("teacher"):
        parts.append("Teacher: %s." % options["teacher"])
    return " ".join(parts)


def main(argv: Optional[List[str]] = None) -> int:
    """Write the model file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("run", type=pathlib.Path, help="folder that train.py wrote")
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True, help="write the ONNX file here")
    parser.add_argument("--annotations", type=pathlib.Path, required=True, help="what it was trained on")
    parser.add_argument("--split", type=pathlib.Path, help="the photographs it was trained on")
    parser.add_argument("--commit", required=True, help="commit of the recipe")
    parser.add_argument("--teacher-name", default="", help="what the card calls the teacher")
    parser.add_argument("--encoder-name", default="", help="what the card calls the encoder's file")
    parser.add_argument("--note", default="", help="more for the card: accuracy, limits")
    parser.add_argument("--decoding", nargs="*", default=[], metavar="NAME=VALUE",
                        help="thresholds for the card: some of %s" % ", ".join(SKELETON_MAY_SET))
    args = parser.parse_args(argv)
    options = json.loads((args.run / "options.json").read_text(encoding="utf-8"))
    names = args.split.read_text(encoding="utf-8").split() if args.split else ()
    photographs = chosen(json.loads(args.annotations.read_text(encoding="utf-8")), names)
    options["teacher"] = args.teacher_name or options["teacher"]
    options["encoder"] = args.encoder_name or options["encoder"]
    notes = " ".join(filter(None, (provenance(options, photographs, args.commit), args.note)))
    decoding = tuple((name, float(value)) for name, _, value in (item.partition("=") for item in args.decoding))
    release(args.run / "weights.safetensors", options["skeleton"], notes, decoding, args.output)
    print("%s: %d bytes" % (args.output, args.output.stat().st_size))
    return 0


if __name__ == "__main__":
    sys.exit(main())
