"""wb-export plan: will this network be fast enough on that board, before anything is built."""
import argparse
import json
import re
from typing import TYPE_CHECKING, List, Optional, Tuple

from wholebody.cli.frame import OK, REFUSED, USAGE, Parser
from wholebody.cli.values import size_of

if TYPE_CHECKING:
    from wholebody.engines.planning import Network, Plan
    from wholebody.jetson.boards import BoardFacts
    from wholebody.jetson.dla import Split


def add_plan(commands: "argparse._SubParsersAction[Parser]") -> None:
    """Adds the subcommand."""
    plan = commands.add_parser(
        "plan", help="tell whether a network will be fast enough on a board, before building it",
        description="Tell from the network's graph and the board's roofline what speed to expect, as a range: which "
                    "size of input would fit, memory and time of a build, what a deep-learning accelerator (DLA) takes "
                    "and how to share frames with it. Runs anywhere. Exit code 3 where even the fast end of the range "
                    "is too slow.")
    plan.set_defaults(run=_plan, parser=plan)
    plan.add_argument("model", metavar="MODEL.onnx", nargs="?",
                      help="the network; without one wholebody-lite, which comes along")
    plan.add_argument("--board", metavar="NAME", help="such as orin-nx (default: the board this runs on)")
    plan.add_argument("--fps", metavar="N", type=_fps, default=30.0, help="frames a second that are wanted")
    one = plan.add_mutually_exclusive_group()
    for name in ("fp32", "fp16", "int8"):
        one.add_argument("--" + name, dest="precision", action="store_const", const=name, default="fp16",
                         help="for an engine in %s%s" % (name.upper(), " (unless said otherwise)" * (name == "fp16")))
    plan.add_argument("--size", metavar="WxH", type=size_of,
                      help="of the network's input (default: the card's at 16:9)")
    plan.add_argument("--people", metavar="N", type=_count, default=1,
                      help="in each frame, for a network that sees one person at a time")
    plan.add_argument("--memory", metavar="GB", type=_count, help="of the board (default: its smallest variant's)")
    plan.add_argument("--layers", action="store_true", help="show every kernel and whether the DLA takes it")
    plan.add_argument("--json", action="store_true", help="print it as JSON")


def _plan(args: argparse.Namespace) -> int:
    from wholebody.default_model import default_model_path
    from wholebody.engines.planning import Wish, check_size, fixed_size, make_plan, plan_to_dict, read_network
    from wholebody.jetson.boards import board_named
    board = board_named(args.board) if args.board else _here(args)
    network = read_network(args.model or default_model_path())
    if args.size:
        check_size(network, args.size)
    size = args.size or fixed_size(network) or _card_size(args, network)
    plan = make_plan(network, Wish(board, args.fps, args.precision, size, args.people, args.memory), size)
    if args.json:
        print(json.dumps(plan_to_dict(plan, network.path), indent=2))
    else:
        print("\n".join(_text(plan, network.path, args.layers)))
    return REFUSED if plan.verdict == "no" else OK


def _here(args: argparse.Namespace) -> "BoardFacts":
    from wholebody.jetson.boards import all_boards, board_here
    board = board_here()
    if board is not None:
        return board
    raise _usage(args, "this is no board that is known: name one with --board, of %s"
                 % ", ".join(board.name for board in all_boards()))


def _usage(args: argparse.Namespace, message: str) -> SystemExit:
    args.parser.error(message)
    return SystemExit(USAGE)


def _card_size(args: argparse.Namespace, network: "Network") -> Tuple[int, int]:
    from wholebody.runtime.geometry import Resolution, net_size
    if network.card is None:
        raise _usage(args, "%s has no card and takes any size: name one with --size WxH" % network.path)
    width, height = net_size(network.card.input, 16, 9, Resolution())
    return height, width


_VERDICTS = {"yes": "yes: even the slow end of the range reaches it",
             "perhaps": "perhaps: it lies inside the range, so build and measure",
             "no": "no: even the fast end of the range is too slow"}


def _text(plan: "Plan", model: str, layers: bool) -> List[str]:
    wish, cost, expected = plan.wish, plan.cost, plan.expected
    low, high = expected.fps
    people = ", %d people" % wish.people if wish.people > 1 else ""
    lines = [
        "%s on %s, %s, %dx%d%s" % (model, wish.board.title, wish.precision.upper(), plan.size[1], plan.size[0], people),
        "%g frames/s  %s" % (wish.fps, _VERDICTS[plan.verdict]),
        "expected  %s to %s frames/s for the network alone (%.2f to %.2f ms), in the fastest power mode"
        % (_rate(low), _rate(high), expected.fastest_ms, expected.slowest_ms),
        "roofline  %s frames/s, which no engine exceeds; most of the time goes to %s"
        % (_rate(expected.roofline_fps), expected.bound),
        "cost      %.2f GFLOP, %d kernels, %.1f million parameters, %.0f million numbers moved at least"
        % (wish.people * cost.flop / 1e9, len(cost.kernels), cost.parameters / 1e6, cost.traffic / 1e6),
        "sizes     " + _sizes(plan),
        "memory    %d MB to build, %d MB to run; about %d MB are free on %s"
        % (plan.build.total_mb, plan.running_mb, plan.ram_mb,
           "a board of %d GB" % (wish.memory_gb or wish.board.memory_gb[0])) + _short(plan),
        "build     %s to %s, a guess: no board has measured it yet"
        % tuple(_duration(seconds) for seconds in plan.build_seconds)]
    return lines + _dla_text(plan, layers)


def _sizes(plan: "Plan") -> str:
    surely, at_best = (_size(plan, size) for size in plan.fits)
    return "%s surely reaches %g frames/s, %s at best" % (surely, plan.wish.fps, at_best)


def _size(plan: "Plan", size: "Optional[Tuple[int, int]]") -> str:
    if size is None:
        return "none"
    return "%dx%d%s" % (size[1], size[0], " or more" if size[0] >= 2 * plan.size[0] else "")


def _short(plan: "Plan") -> str:
    if plan.build.total_mb <= plan.ram_mb:
        return ""
    return ": too little to build; --workspace 64 --own-kernels needs %d MB" % (
        plan.build.total_mb - plan.build.workspace_mb - 300 + 64)


def _dla_text(plan: "Plan", layers: bool) -> List[str]:
    from wholebody.engines.dla_coverage import reasons
    cover, board = plan.coverage, plan.wish.board
    if cover is None:
        return ["DLA       this board has none"]
    lines = ["DLA       takes %.1f %% of the arithmetic in %s, with %d switches between it and the GPU"
             % (100 * cover.flop_share, "1 piece" if cover.loadables == 1 else "%d pieces" % cover.loadables,
                cover.switches)]
    lines += ["          %d on the GPU: %s" % (number, reason) for reason, number in reasons(cover)[:5]]
    if layers:
        lines += ["          %-4s %8.3f GFLOP  %s %s%s" % (
            "GPU" if one.reason else "DLA", 2e-9 * one.kernel.macs, one.kernel.operator, one.kernel.name,
            ": " + one.reason if one.reason else "") for one in cover.kernels]
    if not plan.ways:
        return lines + ["          no advice on sharing frames: %s" % _why_no_advice(plan)]
    lines += [_way(way, way == plan.best) for way in plan.ways]
    if plan.best is None:
        lines.append("          none of them surely reaches %g frames/s" % plan.wish.fps)
    return lines + ["          fps/W is of the accelerators alone, against the GPU's, as NVIDIA measured on AGX Orin; "
                    "%d %s, TensorRT up to 10.7" % (board.dla, "core" if board.dla == 1 else "cores")]


def _why_no_advice(plan: "Plan") -> str:
    if plan.wish.people > 1:
        return "several people go through the network at once"
    if plan.coverage is not None and plan.coverage.flop_share < 0.99:
        return "the GPU has to do its part of every frame"
    return "the DLA's speed in %s is not published for this board; ask with --int8" % plan.wish.precision.upper()


def _way(way: "Split", best: bool) -> str:
    name = ("GPU alone" if way.gpu_share == 1 else "DLA alone" if way.gpu_share == 0
            else "GPU %.0f %% of the frames, DLA the others" % (100 * way.gpu_share))
    return "          %s: %s to %s frames/s, %.1f to %.1f times the GPU's fps/W%s" % (
        name, _rate(way.fps[0]), _rate(way.fps[1]), way.fps_per_watt[0], way.fps_per_watt[1],
        "  <- most for each watt" if best else "")


def _rate(value: float) -> str:
    return "%.1f" % value if value < 20 else "%.0f" % value


def _duration(seconds: float) -> str:
    return "%.0f s" % seconds if seconds < 120 else "%.0f min" % (seconds / 60)


def _fps(text: str) -> float:
    if not re.match(r"\d{1,4}(\.\d{1,3})?$", text) or float(text) <= 0:
        raise argparse.ArgumentTypeError("expected a number of frames a second, got %r" % text)
    return float(text)


def _count(text: str) -> Optional[int]:
    if not re.match(r"[1-9]\d{0,2}$", text):
        raise argparse.ArgumentTypeError("expected a number from 1 to 999, got %r" % text)
    return int(text)
