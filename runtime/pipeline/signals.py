"""Ctrl-C and SIGTERM as something a run looks at between frames, so that no thread and no file is left half-way."""
import signal
import time
from types import FrameType, TracebackType
from typing import Any, Callable, Dict, Optional, Type

AT_ONCE = 0.5  # seconds
_Handler = Callable[[int, Optional[FrameType]], Any]


class StopSignals:
    """Within the block, what the handler of a first SIGINT or SIGTERM raises is kept in `error`; a later one raises.

    One that comes at once is the first one again: `timeout` and shells tell a process and its group. A handler that
    raises nothing works as ever. In another thread than the main one there are no signals to keep.
    """

    def __init__(self, on_arrival: Callable[[], None] = lambda: None) -> None:
        """`on_arrival` is called in the handler of the first one."""
        self.error: Optional[BaseException] = None
        self._on_arrival, self._arrived_at = on_arrival, 0.0
        self._before: Dict[int, _Handler] = {}

    def __enter__(self) -> "StopSignals":
        for number in (signal.SIGINT, signal.SIGTERM):
            before = signal.getsignal(number)
            if callable(before):  # not where the signal is ignored, or ends the process
                try:
                    signal.signal(number, self._arrived)
                except ValueError:
                    break
                self._before[number] = before
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before = {}

    def check(self) -> None:
        """Raise what has arrived."""
        if self.error is not None:
            raise self.error

    def _arrived(self, number: int, frame: Optional[FrameType]) -> None:
        try:
            self._before[number](number, frame)
        except BaseException as error:
            if self.error is not None:
                if time.monotonic() - self._arrived_at < AT_ONCE:
                    return
                raise
            self.error, self._arrived_at = error, time.monotonic()
            self._on_arrival()
