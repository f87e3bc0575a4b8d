"""wb-export build --int8 --images: ranges, the accuracy gate and what it says, around the build itself."""
import argparse
import json
import pathlib
from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, Optional, Tuple

from wholebody.cli.export_calibrate import METHODS, estimator_options, need_host
from wholebody.cli.progress import StepProgress
from wholebody.errors import WholebodyError

if TYPE_CHECKING:
    from wholebody.calibration.gate import Bar, GateReport
    from wholebody.calibration.measuring import Judged
    from wholebody.engines.build_spec import BuildSpec


class Gated(NamedTuple):
    """What came of the gate."""

    report: "GateReport"
    scales: str      # the table, with what is kept in it
    judged: "Judged"
    bar: "Bar"


def add_gate(build: argparse.ArgumentParser) -> None:
    """The flags of --int8 that concern pictures."""
    group = build.add_argument_group("accuracy of --int8")
    group.add_argument("--images", metavar="DIR",
                       help="measure the ranges on these pictures, and build only what finds the same people in them")
    group.add_argument("--annotations", metavar="FILE.json", default="",
                       help="COCO keypoints of the pictures: AP is compared as well")
    group.add_argument("--method", choices=METHODS, default="",
                       help="what a range leaves out (default: what changes the outputs least)")
    group.add_argument("--max-ap-drop", metavar="POINTS", type=_number, default=0.5,
                       help="points of AP below FP32 that are allowed, where there are labels")
    group.add_argument("--least-agreement", metavar="A", type=_number, default=0.94,
                       help="of the people found with those of FP32 (0 to 1), with labels and without")
    group.add_argument("--least-int8", metavar="PART", type=_number, default=0.5,
                       help="part of the multiplications below which INT8 is refused rather than more kept in float")
    group.add_argument("--gate-report", metavar="FILE.json", default="", help="write all that was measured there")


def pass_build_gate(args: argparse.Namespace, model: str, spec: "BuildSpec") -> Gated:
    """Calibrates where there is no table yet, measures, and writes the table with what is to be kept."""
    need_host("build --images")
    from wholebody.calibration.gate import Bar, pass_gate, report_lines
    from wholebody.calibration.measuring import Judged
    from wholebody.engines.calibration_table import table_to_json
    from wholebody.files import check_free, write_text
    if args.gate_report:
        check_free(args.gate_report, args.overwrite)
    options = _estimator_options(args, spec)
    progress = StepProgress("steps", args.quiet)
    try:
        table = _table(args, model, options, progress)
        judged = Judged(args.images, args.annotations, options)
        bar = Bar(args.max_ap_drop, args.least_agreement, args.least_int8)
        if args.method:
            table = table._replace(statistics={args.method: table.statistics[args.method]})
        report = pass_gate(model, table, judged, bar, progress)
    finally:
        progress.done()
    if args.gate_report:
        write_text(args.gate_report, json.dumps(report.to_dict(), indent=1) + "\n", args.overwrite)
    if not args.json:
        print("\n".join(report_lines(report)))
    scales = str(pathlib.Path(args.output).with_suffix(".scales.json"))
    if report.passed:
        write_text(scales, table_to_json(report.table), overwrite=True)
    return Gated(report, scales, judged, bar)


def judge_engine(gated: Gated, engine: str, notes: List[str]) -> Tuple[bool, Optional[Dict[str, Any]]]:
    """Measures the engine itself where it opens; False, with its manifest's `accuracy`, where it is not good enough."""
    from wholebody.calibration.measuring import measure
    accuracy = gated.report.to_dict()
    reference = gated.report.rows[0]
    try:
        measured = measure("engine", engine, gated.judged).against(reference)
    except WholebodyError as error:
        notes.append("the engine itself was not measured: %s" % error)
        return True, accuracy
    said = gated.bar.said(reference, measured)
    notes.append("the engine itself: %s, %.1f ms" % (said, measured.network_ms))
    accuracy["engine"] = {"people": measured.people, "statistics": measured.statistics, "said": said,
                          "agreement": measured.agreement.overall if measured.agreement else None}
    return gated.bar.passed(reference, measured), accuracy


def _table(args: argparse.Namespace, model: str, options: Tuple[Tuple[str, Any], ...], progress: StepProgress) -> Any:
    from wholebody.calibration.calibrating import CalibrationOptions, calibrate
    from wholebody.engines.calibration_table import read_table
    from wholebody.engines.onnxfile import card_of, graph_sha256, parse_onnx, read_bytes
    if args.calibration:
        data = read_bytes(model)
        return read_table(args.calibration, graph_sha256(data), model, card_of(parse_onnx(data, model), model))
    scales = str(pathlib.Path(args.output).with_suffix(".scales.json"))
    found = calibrate(model, args.images, scales, CalibrationOptions(estimator=options), args.overwrite, progress)
    for line in found.warnings:
        progress(0, 0, "warning: %s" % line)
    return found.table


def _estimator_options(args: argparse.Namespace, spec: "BuildSpec") -> Tuple[Tuple[str, Any], ...]:
    """The size that the engine is tuned for is the one to calibrate and to measure."""
    from wholebody.engines.build_spec import size_text
    args.net_resolution = size_text(spec.opt_size) if spec.opt_size and spec.min_size == spec.max_size else ""
    return estimator_options(args)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError("expected a number from 0 to 100, got %r" % text)
    return value
