"""wb-export: from a checkpoint or a foreign ONNX file to what wb-run runs."""
import argparse
import sys
from typing import TYPE_CHECKING, List, Optional

from wholebody.cli.export_build import add_build
from wholebody.cli.export_bundle import add_bundle
from wholebody.cli.export_calibrate import add_calibrate
from wholebody.cli.export_inspect import add_inspect
from wholebody.cli.export_onnx import add_onnx
from wholebody.cli.export_plan import add_plan
from wholebody.cli.export_verify import add_verify
from wholebody.cli.frame import OK, Parser, run_command

if TYPE_CHECKING:
    from wholebody.card import ModelCard


def main(argv: Optional[List[str]] = None) -> int:
    """Entry point of wb-export."""
    parser = Parser(prog="wb-export", description="Turn a pose network into a model file that says all about itself.")
    commands = parser.commands()
    _add_card(commands)
    add_inspect(commands)
    add_onnx(commands)
    add_verify(commands)
    add_plan(commands)
    add_build(commands)
    add_calibrate(commands)
    add_bundle(commands)
    return run_command(parser, _run, argv)


def _add_card(commands: "argparse._SubParsersAction[Parser]") -> None:
    card = commands.add_parser(
        "card", help="give a foreign ONNX file its card, or show the card it has",
        description="Give a foreign ONNX file its card: skeleton, preprocessing and what each output is. "
                    "One blank picture is run to prove that it fits. Without --preset: show the card the file has.")
    card.set_defaults(run=_card, parser=card)
    card.add_argument("model", metavar="MODEL.onnx", nargs="?", help="the network")
    card.add_argument("--preset", metavar="NAME", help="a known kind of network (--list), or your own card.json")
    card.add_argument("-o", "--output", metavar="OUT.onnx", help="where to write the network with its card")
    card.add_argument("--list", action="store_true", help="list the presets")
    card.add_argument("--json", action="store_true", help="print the card as JSON")
    card.add_argument("--overwrite", action="store_true", help="replace OUT.onnx where it exists")


def _run(args: argparse.Namespace) -> int:
    return int(args.run(args))


def _card(args: argparse.Namespace) -> int:
    if args.list:
        return _list_presets()
    if args.model is None:
        args.parser.error("expected MODEL.onnx, or --list")
    if args.preset is None:
        if args.output:
            args.parser.error("-o needs --preset NAME: see wb-export card --list")
        return _show_card(args.model, args.json)
    if not args.output:
        args.parser.error("--preset needs -o OUT.onnx")
    from wholebody.card import card_to_json
    from wholebody.export.cards import give_card
    card = give_card(args.model, args.preset, args.output, args.overwrite)
    if args.json:
        print(card_to_json(card))
    else:
        print("wrote %s: %s" % (args.output, _one_line(card)))
        print(_next_command(card, args.output))
    return OK


def _next_command(card: "ModelCard", output: str) -> str:
    kinds = {head.kind for head in card.heads}
    if card.input.crop is not None:
        flag = "--face" if card.input.crop.kind == "face" else "--hands"
        return "Next: wb-run --engine BODY.onnx %s %s --source photo.jpg --overlay out" % (flag, output)
    if "paf" in kinds:
        return "Next: wb-run --engine %s --source photo.jpg --overlay out" % output
    if kinds & {"heatmap", "integral", "simcc", "regression"}:
        return "Next: wb-run --engine %s --detector DETECTOR.onnx --source photo.jpg --overlay out" % output
    if "boxes" in kinds:
        return "Next: wb-run --engine POSE.onnx --detector %s --source photo.jpg --overlay out" % output
    return "wb-run does not take it: no head of it finds people (it has: %s)" % ", ".join(sorted(kinds))


def _show_card(model: str, as_json: bool) -> int:
    from wholebody.card import card_to_json
    from wholebody.engines.onnxfile import card_of, parse_onnx, read_bytes
    card = card_of(parse_onnx(read_bytes(model), model), model)
    print(card_to_json(card) if as_json else "%s: %s" % (model, _one_line(card)))
    return OK


def _list_presets() -> int:
    from wholebody.export.presets import load_preset, preset_names
    for name in preset_names():
        print("%-20s %s" % (name, _one_line(load_preset(name))))
    return OK


def _one_line(card: "ModelCard") -> str:
    spec = card.input
    size = "%dx%d" % (spec.size[1], spec.size[0]) if spec.size else "any size, height %d" % spec.height
    heads = ", ".join("%s at stride %d" % (h.kind, h.stride) if h.stride else h.kind for h in card.heads)
    return "%s, %s, %s %s %s" % (card.skeleton.name if card.skeleton else "detector", heads, spec.color.upper(),
                                 spec.layout, size)


if __name__ == "__main__":
    sys.exit(main())
