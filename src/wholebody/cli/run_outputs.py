"""What wb-run writes: the sinks that its flags ask for, and where those of each of several sources go."""
import argparse
import pathlib
import re
from typing import TYPE_CHECKING, List, Optional, Sequence

from wholebody.cli.run import STDOUT

if TYPE_CHECKING:
    from wholebody.runtime.sinks import Sink
    from wholebody.runtime.sources import Source
    from wholebody.runtime.web import WebAddress


def check_outputs(args: argparse.Namespace) -> None:
    """Refuses outputs that do not go together, before anything is opened."""
    from wholebody.errors import OutputError
    if args.write_heatmaps and (args.face or args.hands):
        raise OutputError("--write-heatmaps writes the maps of one network: leave --face and --hands out")
    in_space = args.cameras is not None and (not args.json_3d or STDOUT in args.json_3d)
    on_stdout = [flag for flag, there in (("--json", STDOUT in args.json), ("--json-lines", args.json_lines),
                                          ("--json-3d -", in_space)) if there]
    if len(on_stdout) > 1:
        advice = "name a file: --json-3d people.jsonl" if in_space else "give --json a DIR, or leave one out"
        raise OutputError("%s and %s both write to stdout; %s" % (on_stdout[-1], on_stdout[0], advice))


def make_sinks(args: argparse.Namespace, sources: "Sequence[Source]", has_background: bool) -> "List[List[Sink]]":
    """The sinks of each source."""
    if len(sources) == 1:
        return [_sinks(args, sources[0], has_background, "")]
    return [_sinks(args, source, has_background, place_of(number, source.name))
            for number, source in enumerate(sources)]


def web_address(args: argparse.Namespace) -> "Optional[WebAddress]":
    """Where --web listens; None where nobody asked for it."""
    from wholebody.errors import OutputError
    from wholebody.runtime.web import WebAddress
    if args.web is None:
        if args.web_token is not None:
            raise OutputError("--web-token is for --web HOST:PORT, which is not there; add --web 127.0.0.1:8080")
        return None
    return WebAddress.parse(args.web, args.web_token or "")


def place_of(number: int, source: str) -> str:
    """What the results of one of several sources are named after.

    >>> place_of(0, "clips/left hall.mp4"), place_of(1, "csi://0")
    ('0-left_hall', '1-0')
    """
    return "%d-%s" % (number, re.sub(r"[^A-Za-z0-9.-]+", "_", pathlib.Path(source).stem) or "source")


def _sinks(args: argparse.Namespace, source: "Source", has_background: bool, place: str) -> "List[Sink]":
    from wholebody.runtime import sinks as available
    sinks: List[Sink] = []
    names, overwrite = source.frame_names, args.overwrite
    for folder in args.json:
        if folder != STDOUT:
            sinks.append(available.OpenPoseJson(_folder(folder, place), overwrite, names, args.json_keep))
    if args.json_lines:
        sinks.append(available.JsonLines())
    if args.mqtt:
        sinks.append(available.MqttMessages("%s/%s" % (args.mqtt.rstrip("/"), place) if place else args.mqtt))
    if args.coco:
        sinks.append(available.CocoJson(_file(args.coco, place), overwrite, names, args.coco_variants.split(",")))
    if args.alphapose_json:
        sinks.append(available.AlphaPoseJson(_file(args.alphapose_json, place), args.alphapose_format, overwrite))
    if args.overlay:
        sinks.append(available.OverlayPictures(_folder(args.overlay, place), overwrite, names))
    if args.video:
        sinks.append(available.OverlayVideo(_file(args.video, place), source.fps or 30.0, overwrite,
                                            live=source.live))
    if args.write_heatmaps:
        which = args.heatmaps_add or ("parts,background,pafs" if has_background else "parts,pafs")
        sinks.append(available.HeatmapFiles(_folder(args.write_heatmaps, place), which, args.heatmaps_format,
                                            args.heatmaps_scale, overwrite, names))
    return sinks


def _folder(folder: str, place: str) -> str:
    return str(pathlib.Path(folder) / place) if place else folder


def _file(file: str, place: str) -> str:
    path = pathlib.Path(file)
    return str(path.with_name("%s-%s%s" % (path.stem, place, path.suffix))) if place else file
