"""wb-export inspect ENGINE: how an engine was built, and what TensorRT made of its layers."""
import argparse
import json
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

from wholebody.cli.frame import OK
from wholebody.errors import WholebodyError

if TYPE_CHECKING:
    from wholebody.engines.layers import Layer
    from wholebody.engines.manifest import Manifest


def inspect_engine(args: argparse.Namespace) -> int:
    """Prints it."""
    from wholebody.engines.engine_pair import read_manifest, read_plan
    manifest = read_manifest(args.model)
    read_plan(args.model, manifest)
    layers, told_by = _layers(args.model, manifest)
    if args.json:
        print(json.dumps(_report(args.model, manifest, layers, told_by), indent=2, sort_keys=True))
    else:
        print("\n".join(_lines(args, manifest, layers, told_by)))
    return OK


def _layers(path: str, manifest: "Manifest") -> "Tuple[Optional[List[Layer]], str]":
    """The layers, and who told."""
    from wholebody.engines.layers import inspect_layers, layers_from_json
    from wholebody.engines.trt_opening import open_trt_engine
    from wholebody.runtime.cuda import CudaDevice
    try:
        engine = open_trt_engine(path, CudaDevice)
        with engine:
            return inspect_layers(engine.trt, engine.handle), "TensorRT's inspector, here"
    except WholebodyError as error:
        noted = layers_from_json(manifest.layers)
        return noted, "the manifest, as this machine does not open the engine (%s)" % error


def _report(path: str, manifest: "Manifest", layers: "Optional[List[Layer]]", told_by: str) -> Dict[str, Any]:
    from wholebody.engines.layers import count_by
    from wholebody.engines.manifest import manifest_to_json
    return {"engine": path, "manifest": dict(json.loads(manifest_to_json(manifest)), layers=None),
            "layers": None if layers is None else [dict(layer._asdict()) for layer in layers], "layers_from": told_by,
            "precisions": None if layers is None else count_by(layers, "precision"),
            "kinds": None if layers is None else count_by(layers, "kind")}


def _lines(args: argparse.Namespace, manifest: "Manifest", layers: "Optional[List[Layer]]", told_by: str) -> List[str]:
    from wholebody.engines.engine_pair import rebuild_command
    from wholebody.engines.layers import count_by
    spec = manifest.spec
    where = "for " + spec.target if spec.target else "on " + str(manifest.board)
    lines = ["%s: %.1f MB, %s, by %s %s %s in %.1f s" % (
        args.model, manifest.engine_bytes / 1e6, spec.precision.upper(), manifest.product, manifest.tensorrt, where,
        manifest.build_seconds)]
    lines += ["input   %s %s" % (shape, shape.dtype) for shape in manifest.inputs]
    lines += ["output  " + str(info) for info in manifest.outputs]
    card = manifest.card
    heads = ", ".join(head.kind for head in card.heads) if card else ""
    lines.append("card    " + ("%s: %s" % (card.name, heads) if card else "none"))
    lines.append("graph   %s, sha256 %s" % (manifest.onnx_file, manifest.graph_sha256))
    lines.append("by      %s (%s)" % (manifest.strategy, ", ".join(manifest.builder_flags) or "no flags"))
    lines.append("again   " + rebuild_command(args.model, manifest))
    if layers is None:
        return lines + ["layers  unknown: they are not in " + told_by]
    lines.append("layers  %d: %s" % (len(layers), _counts(count_by(layers, "precision"))))
    lines.append("kinds   " + _counts(count_by(layers, "kind")))
    lines.append("told by " + told_by)
    return lines + ["        %-8s %s %s" % ("reformat" if layer.reformat else layer.precision, layer.kind, layer.name)
                    for layer in layers[:max(args.layers, 0)]]


def _counts(counts: Dict[str, int]) -> str:
    return ", ".join("%d %s" % (count, name) for name, count in counts.items())
