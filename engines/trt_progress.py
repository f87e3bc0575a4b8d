"""How far TensorRT's builder is, where it tells (10 and later)."""
from typing import Any, Callable, Dict


def make_monitor(trt: Any, say: Callable[[str, Any], None]) -> Any:
    """A progress monitor that reports the outermost phase: its name, steps done and steps in all."""
    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]  # its base is only known now
        """Called by TensorRT from its own threads."""

        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self._steps: Dict[str, int] = {}

        def phase_start(self, phase_name: str, parent_phase: Any, num_steps: int) -> None:
            """A phase begins."""
            if parent_phase is None:
                self._steps[phase_name] = num_steps

        def step_complete(self, phase_name: str, step: int) -> bool:
            """A step of it is done; True goes on."""
            if phase_name in self._steps:
                say("progress", [phase_name, step + 1, self._steps[phase_name]])
            return True

        def phase_finish(self, phase_name: str) -> None:
            """A phase ends."""
            self._steps.pop(phase_name, None)

    return Monitor()
