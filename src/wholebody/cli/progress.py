"""Progress of long work on stderr: one line rewritten on a terminal, one line now and then in a log."""
import sys
import time
from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    from wholebody.runtime.live_status import LiveStatus

_TERMINAL_SECONDS, _LOG_SECONDS = 0.2, 10.0


class _Line:
    """A line that is told now and then."""

    def __init__(self, quiet: bool, terminal_seconds: float) -> None:
        self._quiet, self._terminal = quiet, sys.stderr.isatty()
        self._every = terminal_seconds if self._terminal else _LOG_SECONDS
        self._said = time.monotonic()
        self._shown = False

    def _due(self) -> bool:
        now = time.monotonic()
        if self._quiet or now - self._said < self._every:
            return False
        self._said = now
        return True

    def _show(self, line: str) -> None:
        sys.stderr.write("\r\033[K" + line if self._terminal else line + "\n")
        sys.stderr.flush()
        self._shown = True

    def done(self) -> None:
        """Leaves the terminal on a fresh line."""
        if self._shown and self._terminal:
            sys.stderr.write("\r\033[K")


class Progress(_Line):
    """Says how far a run is, how fast and how long still."""

    def __init__(self, total: Optional[int], quiet: bool = False) -> None:
        super().__init__(quiet, _TERMINAL_SECONDS)
        self._total, self._started = total, self._said

    def __call__(self, frames: int, people: int) -> None:
        """After each frame."""
        if not self._due():
            return
        rate = frames / max(self._said - self._started, 1e-9)
        of_total, left = "", ""
        if self._total:
            of_total = "/%d" % self._total
            left = ", %.0f s left" % (max(self._total - frames, 0) / max(rate, 1e-9))
        line = "%d%s frames, %d people, %.1f frames/s%s" % (frames, of_total, people, rate, left)
        self._show(line)


class LiveLine(_Line):
    """How a live run is doing, told once a second on a terminal and every ten seconds in a log."""

    def __init__(self, status: "LiveStatus", quiet: bool = False) -> None:
        super().__init__(quiet, 1.0)
        self._status = status

    def __call__(self, frames: int, people: int) -> None:  # noqa: ARG002 - the status has counted them
        """After each frame."""
        from wholebody.runtime.live_status import line_of
        if self._due():
            self._show(line_of(self._status.snapshot()))


class BuildProgress:
    """Says what a build does, for how long it has been at it, and how long it may take."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet, self._terminal = quiet, sys.stderr.isatty()
        self._every = 1.0 if self._terminal else _LOG_SECONDS
        self._started = self._said = time.monotonic()
        self._expected: Optional[float] = None
        self._phase = ""
        self._shown = False

    def __call__(self, kind: str, value: Any) -> None:
        """After each event of the build."""
        if kind == "expected":
            self._expected, self._started = value, time.monotonic()
        elif kind == "progress":
            self._phase = ", %s: step %d of %d" % tuple(value)
        elif kind == "note" and not self._quiet:
            self.done()
            sys.stderr.write("%s\n" % value)
        self._show()

    def done(self) -> None:
        """Leaves the terminal on a fresh line."""
        if self._shown and self._terminal:
            sys.stderr.write("\r\033[K")
            self._shown = False

    def _show(self) -> None:
        now = time.monotonic()
        if self._quiet or now - self._said < self._every:
            return
        self._said = now
        passed = now - self._started
        of = " (the first build here: no estimate)" if self._expected is None else (
            " of about %.0f s" % self._expected if passed < self._expected else
            " (earlier builds took about %.0f s)" % self._expected)
        line = "building: %.0f s%s%s" % (passed, of, self._phase)
        sys.stderr.write("\r\033[K" + line if self._terminal else line + "\n")
        sys.stderr.flush()
        self._shown = True


class StepProgress:
    """Says how many steps of a long work are done, and how long the rest may take."""

    def __init__(self, what: str, quiet: bool = False) -> None:
        self._what, self._quiet, self._terminal = what, quiet, sys.stderr.isatty()
        self._every = _TERMINAL_SECONDS if self._terminal else _LOG_SECONDS
        self._started = self._said = time.monotonic()
        self._first, self._last = 0, -1
        self._shown = False

    def __call__(self, step: int, total: int, line: str = "") -> None:
        """After each step; `line` is said whatever the hour."""
        if self._quiet:
            return
        if line:
            self.done()
            sys.stderr.write("%s\n" % line)
            return
        now = time.monotonic()
        if self._last < 0 or step <= self._last:  # the first of this work, or of the next
            self._first, self._started = step - 1, now
        self._last = step
        if now - self._said < self._every:
            return
        self._said = now
        left = (now - self._started) / max(step - self._first, 1) * (total - step)
        said = "%d of %d %s, %.0f s left" % (step, total, self._what, left)
        sys.stderr.write("\r\033[K" + said if self._terminal else said + "\n")
        sys.stderr.flush()
        self._shown = True

    def done(self) -> None:
        """Leaves the terminal on a fresh line."""
        if self._shown and self._terminal:
            sys.stderr.write("\r\033[K")
        self._shown = False
