"""wb-export inspect: what a model file holds and what it costs."""
import argparse
import json
import sys
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

from wholebody.cli.frame import OK, REFUSED, Parser
from wholebody.errors import MissingPackage, ModelError

if TYPE_CHECKING:
    from wholebody.card import ModelCard
    from wholebody.engines.inspection import Inspection


def add_inspect(commands: "argparse._SubParsersAction[Parser]") -> None:
    """Adds the subcommand."""
    inspect = commands.add_parser(
        "inspect", help="show what a model holds and what it costs",
        description="Show inputs, outputs, card, operators, parameters and cost of an ONNX file (the cost of each "
                    "layer needs the onnx package), or how a TensorRT engine was built, its layers and their real "
                    "precision: asked of TensorRT where it opens the engine, else as noted when it was built.")
    inspect.set_defaults(run=_inspect, parser=inspect)
    inspect.add_argument("model", metavar="MODEL", help="an ONNX file or a TensorRT engine")
    inspect.add_argument("--size", metavar="WxH", help="picture size that the cost is counted for "
                                                       "(default: the card's at 16:9, else the file's own)")
    inspect.add_argument("--layers", type=int, default=5, metavar="N",
                         help="show the N costliest layers; of an engine, the first N")
    inspect.add_argument("--capability", action="store_true",
                         help="of an ONNX file: ask TensorRT's parser which nodes it takes; exit code 3 when not all")
    inspect.add_argument("--json", action="store_true", help="print it as JSON")


def _inspect(args: argparse.Namespace) -> int:
    if args.model.lower().endswith(".engine"):
        if args.capability:
            args.parser.error("--capability is asked of ONNX files; %s has been built already" % args.model)
        from wholebody.cli.export_inspect_engine import inspect_engine
        return inspect_engine(args)
    from wholebody.card import METADATA_KEY
    from wholebody.engines.inspection import inspect_onnx
    from wholebody.engines.onnxfile import card_of
    found = inspect_onnx(args.model)
    card = card_of(found.model, args.model) if METADATA_KEY in found.model.metadata else None
    report = _report(args, found, card)
    lines = _text(report)
    taken = True
    if args.capability:
        from wholebody.cli.export_capability import capability_report, capability_text
        report["capability"] = capability_report(args.model)
        lines += capability_text(report["capability"])
        taken = report["capability"]["taken"]
    print(json.dumps(report, indent=2) if args.json else "\n".join(lines))
    return OK if taken else REFUSED


def _report(args: argparse.Namespace, found: "Inspection", card: "Optional[ModelCard]") -> Dict[str, Any]:
    from wholebody.card import card_to_json
    return {
        "model": args.model, "bytes": found.file_bytes, "opset": found.model.opset, "ir": found.model.ir_version,
        "inputs": [str(info) for info in found.inputs], "outputs": [str(info) for info in found.outputs],
        "card": json.loads(card_to_json(card)) if card else None, "parameters": found.parameters,
        "weight_types": dict(found.weight_types), "int64_constants": found.int64_constants,
        "operators": dict(found.operators), "cost": _cost(args, found, card)}


def _cost(args: argparse.Namespace, found: "Inspection", card: "Optional[ModelCard]") -> Dict[str, Any]:
    """MACs at a size, or why there are none."""
    size = _size(args, found, card)
    if size is None:
        return {"unknown": "the input has any size: name one with --size WxH"}
    layout = card.input.layout if card else "NHWC" if found.inputs[0].shape[-1:] == (3,) else "NCHW"
    if sys.version_info < (3, 10):
        return {"unknown": "counting it needs Python 3.10 and the onnx package"}
    try:
        from wholebody.export.macs import count_macs
        layers = count_macs(args.model, size[1], size[0], layout)
    except (MissingPackage, ModelError) as error:
        return {"unknown": str(error)}
    costliest = sorted(layers, key=lambda layer: -layer.macs)[:max(args.layers, 0)]
    return {"width": size[0], "height": size[1], "gmacs": sum(layer.macs for layer in layers) / 1e9,
            "costliest": [{"layer": x.name, "operator": x.operator, "gmacs": x.macs / 1e9} for x in costliest]}


def _size(args: argparse.Namespace, found: "Inspection", card: "Optional[ModelCard]") -> Optional[Tuple[int, int]]:
    from wholebody.card import InputSpec
    from wholebody.runtime.geometry import Resolution, net_size
    if args.size:
        asked = Resolution.parse(args.size)
        return net_size(card.input if card else InputSpec("", multiple=1), 16, 9, asked)
    if card:
        return net_size(card.input, 16, 9, Resolution())
    fixed = [dim for dim in found.inputs[0].shape[1:] if isinstance(dim, int) and dim != 3] if found.inputs else []
    return (fixed[1], fixed[0]) if len(fixed) == 2 else None


def _text(report: Dict[str, Any]) -> List[str]:
    card, cost = report["card"], report["cost"]
    lines = ["%s: %.1f MB, opset %d, IR %d" % (report["model"], report["bytes"] / 1e6, report["opset"], report["ir"])]
    lines += ["input   " + text for text in report["inputs"]] + ["output  " + text for text in report["outputs"]]
    if card:
        skeleton = card["skeleton"]["name"] if isinstance(card["skeleton"], dict) else card["skeleton"]
        lines.append("card    %s: %s, %s" % (card["name"], skeleton or "detector",
                                             ", ".join(head["kind"] for head in card["heads"])))
    else:
        lines.append("card    none: wb-export card %s --preset NAME -o OUT.onnx" % report["model"])
    types = ", ".join("%s %d" % item for item in report["weight_types"].items())
    lines.append("weights %d parameters (%s), %d int64 constants" % (report["parameters"], types,
                                                                     report["int64_constants"]))
    lines.append("nodes   " + ", ".join("%s %d" % item for item in report["operators"].items()))
    if "unknown" in cost:
        return lines + ["cost    unknown: " + cost["unknown"]]
    lines.append("cost    %.3f GMAC (%.3f GFLOP) for one %dx%d picture"
                 % (cost["gmacs"], 2 * cost["gmacs"], cost["width"], cost["height"]))
    return lines + ["        %6.3f GMAC  %s %s" % (x["gmacs"], x["operator"], x["layer"]) for x in cost["costliest"]]
