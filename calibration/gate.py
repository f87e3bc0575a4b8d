"""The accuracy gate: FP32, FP16 and INT8 on the same pictures, and INT8 only where it finds the same people."""
import pathlib
import tempfile
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from wholebody.calibration.finite import check_half
from wholebody.calibration.measuring import Judged, Measured, OnPicture, measure, table_of
from wholebody.calibration.observing import watched
from wholebody.calibration.output_error import OutputError, costs, prepared
from wholebody.calibration.searching import Found, search
from wholebody.engines.calibration_table import CalibrationTable
from wholebody.engines.fp16_graph import convert
from wholebody.engines.onnxfile import read_bytes
from wholebody.engines.qdq_graph import graph_of, quantise
from wholebody.errors import WholebodyError
from wholebody.runtime.sources.pictures import Folder

PROBES = 4  # pictures by which blocks are compared


class Bar(NamedTuple):
    """What a network must reach.

    AP of a hundred pictures wavers by a point with nothing but rounding: labels alone let through by luck what finds
    other people than FP32, so agreement is asked for as well.
    """

    max_ap_drop: float = 0.5       # points of AP below FP32, where there are labels
    least_agreement: float = 0.94  # with FP32's people
    least_int8: float = 0.5        # part of the multiplications

    def passed(self, reference: Measured, found: Measured) -> bool:
        """Whether one network is good enough beside another."""
        if found.agreement is not None and found.agreement.overall < self.least_agreement:
            return False
        drop = _drop(reference, found)
        return drop <= self.max_ap_drop + 1e-9 if drop is not None else found.agreement is not None

    def said(self, reference: Measured, found: Measured) -> str:
        """How far it is, in words."""
        drop, said = _drop(reference, found), []
        if drop is not None:
            said.append("%+.2f points of AP (at most -%.2f)" % (0.0 - drop, self.max_ap_drop))
        if found.agreement is not None:
            said.append("agreement with FP32 %.4f (at least %.4f)" % (found.agreement.overall, self.least_agreement))
        return ", ".join(said)


def _drop(reference: Measured, found: Measured) -> Optional[float]:
    """Points of AP; None without labels."""
    if reference.statistics is None or found.statistics is None:
        return None
    return 100 * (reference.statistics["AP"] - found.statistics["AP"])


class GateReport(NamedTuple):
    """What was measured, and the choice."""

    passed: bool
    reason: str                      # one line
    rows: Tuple[Measured, ...]       # FP32, FP16 where it runs, INT8 as chosen or as tried last
    found: Found
    tried: Tuple[Measured, ...]      # INT8, one for each of the trials
    notes: Tuple[str, ...]

    @property
    def table(self) -> CalibrationTable:
        """The calibration table with what is kept."""
        return self.found.table

    def to_dict(self) -> Dict[str, Any]:
        """For JSON: the manifest's `accuracy`."""
        return {"passed": self.passed, "reason": self.reason, "notes": list(self.notes),
                "networks": [_row(row) for row in self.rows],
                "method": self.found.table.method, "methods": dict(self.found.methods),
                "kept": list(self.found.trials[-1].keep),
                "trade_off": [dict(_row(row), kept=len(trial.keep), method=trial.method, passed=trial.passed,
                                   int8_macs=round(trial.int8_macs, 4), output_error=trial.error)
                              for trial, row in zip(self.found.trials, self.tried)],
                "blocks": [{"nodes": list(block.nodes), "macs": block.macs, "error": block.error}
                           for block in self.found.blocks]}


def pass_gate(model: str, table: CalibrationTable, judged: Judged, bar: Bar = Bar(),
              say: Optional[OnPicture] = None) -> GateReport:
    """Measures FP32 and FP16, then INT8 with as little kept in float as the bar asks."""
    tell: OnPicture = say or (lambda done, total, line: None)  # noqa: ARG005
    data = read_bytes(model)
    quantise(data, table.ranges, where=model, channels=table.channels)  # what cannot be is said before the long work
    fed = prepared(model, _probe_pictures(judged), judged.estimator)
    with tempfile.TemporaryDirectory(prefix="wholebody-gate-") as scratch:
        place = pathlib.Path(scratch)
        notes: List[str] = []
        tell(0, 0, "FP32")
        reference = measure("FP32", model, judged, say)
        rows = [reference]
        tell(0, 0, "FP16")
        try:
            rows.append(_half(data, fed, place, judged, say, notes).against(reference))
        except WholebodyError as error:
            notes.append("FP16 was not measured: %s" % error)
        tried: List[Measured] = []

        def judge(made: bytes, keep: Tuple[str, ...]) -> Tuple[float, bool]:
            path = place / "int8.onnx"
            path.write_bytes(made)
            name = "INT8" + (", %d kept" % len(keep) if keep else "")
            tried.append(measure(name, str(path), judged, say).against(reference))
            good = bar.passed(reference, tried[-1])
            tell(0, 0, "%s: %s" % (name, bar.said(reference, tried[-1])))
            return _score(tried[-1]), good

        found = search(data, table._replace(keep=()), OutputError(data, fed), costs(data, fed[0]), judge,
                       bar.least_int8, say)
    chosen = next(row for trial, row in zip(found.trials, tried) if trial.keep == found.trials[-1].keep)
    reason = _reason(found, reference, chosen, bar, picture_statistics(data))
    return GateReport(found.passed, reason, (*rows, chosen), found, tuple(tried), tuple(notes))


def report_lines(report: GateReport) -> List[str]:
    """The report for people: what was measured, the trade-off, what is kept."""
    lines = table_of(report.rows)
    found = report.found
    if len(found.trials) > 1:
        lines.append("trade-off: kept nodes, MACs in INT8, ranges by, error of the outputs, agreement%s"
                     % (", AP" if report.tried[0].statistics else ""))
        lines += ["  %4d %7.1f %% %-18s %10.2e %9.4f%s %s" % (
            len(t.keep), 100 * t.int8_macs, t.method, t.error, row.agreement.overall if row.agreement else 0,
            " %7.4f" % row.statistics["AP"] if row.statistics else "", "passed" if t.passed else "")
            for t, row in zip(found.trials, report.tried)]
    lines += list(report.notes)
    kept = found.trials[-1].keep
    if report.passed and kept:
        lines.append("kept in float: %s" % ", ".join(kept))
    return lines + [report.reason]


def _reason(found: Found, reference: Measured, last: Measured, bar: Bar, unfolded: Sequence[str]) -> str:
    trial = found.trials[-1]
    what = "INT8 (ranges by %s) with %d nodes kept in float, %.1f %% of the multiplications in INT8" % (
        found.table.method or "the table", len(trial.keep), 100 * trial.int8_macs)
    if found.passed:
        return "passed: %s: %s" % (what, bar.said(reference, last))
    costly = ", ".join(name for block in found.blocks[:8] for name in block.nodes[:1])
    why = ("; %d BatchNormalizations take their statistics from each picture and cannot be folded into convolutions: %s"
           % (len(unfolded), ", ".join(unfolded))) if unfolded else ""
    return ("refused: %s: %s; keeping more would leave less than %.0f %% in INT8. What costs most: %s%s. Build with "
            "--fp16" % (what, bar.said(reference, last), 100 * bar.least_int8, costly, why))


def picture_statistics(data: bytes) -> List[str]:
    """BatchNormalizations whose mean or variance are computed from the picture."""
    graph = graph_of(data)
    moving = set(watched(graph))
    return [node.name for node in graph.nodes if node.operator == "BatchNormalization"
            and not moving.isdisjoint(node.inputs[1:])]


def _half(data: bytes, fed: Sequence[Dict[str, Any]], place: pathlib.Path, judged: Judged, say: Optional[OnPicture],
          notes: List[str]) -> Measured:
    keep: Tuple[str, ...] = ()
    for feeds in fed:
        keep = check_half(data, feeds, keep).keep_fp32
    if keep:
        notes.append("FP16 keeps in FP32, for numbers beyond it: %s" % ", ".join(keep))
    path = place / "fp16.onnx"
    path.write_bytes(convert(data, keep).data)
    return measure("FP16", str(path), judged, say)


def _probe_pictures(judged: Judged) -> List[pathlib.Path]:
    """A few, from all over the set."""
    paths = Folder(pathlib.Path(judged.images)).paths
    return paths[::max(1, len(paths) // PROBES)][:PROBES]


def _score(measured: Measured) -> float:
    if measured.statistics is not None:
        return measured.statistics["AP"]
    return measured.agreement.overall if measured.agreement else 0.0


def _row(measured: Measured) -> Dict[str, Any]:
    return {"name": measured.name, "megabytes": round(measured.megabytes, 3),
            "network_ms_cpu": round(measured.network_ms, 2), "people": measured.people,
            "statistics": measured.statistics,
            "agreement": None if measured.agreement is None else round(measured.agreement.overall, 4),
            "agreement_of_parts": {name: round(value, 4) for name, value in measured.agreement.parts}
            if measured.agreement else {}}
