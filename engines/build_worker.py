"""The process in which an engine is built: job as JSON on stdin, events as JSON lines on stdout, plan to a descriptor.

python -m wholebody.engines.build_worker PLAN_FD. Neither torch nor a card's code is here, so that all memory is
TensorRT's, and its crash or the kernel's kill takes nothing else along.
"""
import ctypes
import json
import logging
import os
import signal
import sys
import threading
from typing import Any, Dict, TextIO

from wholebody.engines.build_spec import spec_from_dict, spec_to_dict
from wholebody.engines.layers import engine_layers
from wholebody.engines.shapes import shape_from_dict, shape_to_dict
from wholebody.engines.trt_builder import BuildJob, BuiltPlan, build_plan
from wholebody.engines.trt_module import RTX, TENSORRT, load_tensorrt
from wholebody.errors import WholebodyError
from wholebody.files import output_error
from wholebody.jetson.identity import Board

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
NOTE, DONE, FAILED, LAYERS = "note", "done", "failed", "layers"


def job_to_dict(job: BuildJob, verbose: bool) -> Dict[str, Any]:
    """For JSON."""
    return {"model": job.model, "graph_sha256": job.graph_sha256, "spec": spec_to_dict(job.spec),
            "shapes": [shape_to_dict(shape) for shape in job.shapes],
            "board": dict(job.board._asdict()), "workspace_mb": job.workspace_mb, "verbose": verbose}


def job_from_dict(data: Any) -> BuildJob:
    """From JSON."""
    return BuildJob(data["model"], data["graph_sha256"], spec_from_dict(data["spec"], "job"),
                    tuple(shape_from_dict(shape) for shape in data["shapes"]), Board(**data["board"]),
                    data["workspace_mb"])


def main() -> int:
    """Entry point of the process."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # TensorRT does not come back for Python to raise anything
    plan_fd = int(sys.argv[1])
    parent = os.getppid()
    _die_with_parent()
    data = json.load(sys.stdin)
    if os.getppid() != parent:  # it died before it could be watched
        return 1
    if data["verbose"]:
        logging.basicConfig(stream=sys.stderr, level=logging.DEBUG, format="%(message)s")
    events, lock = _claim_stdout(), threading.Lock()

    def say(kind: str, value: Any) -> None:
        with lock:  # TensorRT reports progress from its own threads
            events.write(json.dumps([kind, value]) + "\n")
            events.flush()

    try:
        job = job_from_dict(data)
        trt = load_tensorrt(RTX if job.spec.target else TENSORRT)
        built = build_plan(trt, job, say)
        _write_plan(plan_fd, built)
    except (WholebodyError, OSError, MemoryError) as error:
        say(FAILED, str(error) or type(error).__name__)
        return 1
    say(DONE, built.facts)
    if not job.spec.target:
        # Last, when the builder is gone and the plan is safe: opening it takes memory, and may fail on a small board.
        say(LAYERS, engine_layers(trt, built.data))
    return 0


def _write_plan(descriptor: int, built: BuiltPlan) -> None:
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(built.data)
    except OSError as error:
        raise output_error("the engine", error)


def _claim_stdout() -> TextIO:
    """Our own stdout; what a library prints goes to stderr instead."""
    ours = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return ours


def _die_with_parent() -> None:
    """On Linux, a killed parent takes its build along."""
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    except (OSError, AttributeError, TypeError):
        return


if __name__ == "__main__":
    sys.exit(main())
