"""TensorRT's log, folded: errors are kept for the error message, the INT64 flood becomes one line."""
import logging
import re
from typing import Any, List

_log = logging.getLogger(__name__)
_INT64 = re.compile(r"INT64", re.IGNORECASE)
_LAST = 3
_LONGEST = 400


class LogBook:
    """What TensorRT said: its errors in order, how many INT64 warnings, every other warning once."""

    def __init__(self) -> None:
        self.errors: List[str] = []
        self.warnings: List[str] = []
        self.int64_warnings = 0

    def error(self, message: str) -> None:
        """One error."""
        self.errors.append(one_line(message))
        _log.debug("TensorRT: error: %s", self.errors[-1])

    def warning(self, message: str) -> None:
        """One warning; those on INT64 are counted."""
        if _INT64.search(message):
            self.int64_warnings += 1
        elif one_line(message) not in self.warnings:
            self.warnings.append(one_line(message))
        _log.debug("TensorRT: warning: %s", one_line(message))

    def last_errors(self) -> str:
        """The last errors as one line; TensorRT calls some of its reasons warnings."""
        return "; ".join(self.errors[-_LAST:] or self.warnings[-1:]) or "TensorRT gave no reason"

    def summary(self) -> List[str]:
        """Lines worth showing after a build."""
        if not self.int64_warnings:
            return list(self.warnings)
        return ["INT64 became INT32 in %d constants or tensors, as this TensorRT has no INT64: harmless for "
                "shapes and indices" % self.int64_warnings] + self.warnings


def make_logger(trt: Any, book: LogBook) -> Any:
    """A TensorRT logger that writes into `book`; -v shows all of it."""
    class Logger(trt.ILogger):  # type: ignore[misc]  # its base is only known now
        """Severities are compared by identity: their order is not part of the API."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, msg: str) -> None:
            """Called by TensorRT, also from its own threads."""
            levels = trt.ILogger
            if severity in (levels.ERROR, levels.INTERNAL_ERROR):
                book.error(msg)
            elif severity == levels.WARNING:
                book.warning(msg)
            elif severity == levels.INFO:
                _log.debug("TensorRT: %s", msg)

    return Logger()


def one_line(message: str) -> str:
    """A message without line ends, cut where it would fill the screen."""
    text = " ".join(str(message).split())
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."
