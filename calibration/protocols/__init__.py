"""How the papers measure: one module a protocol, each with labels, results and numbers in its standard formats."""
import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wholebody.calibration.protocols.base import Protocol


def open_protocol(module: str) -> "Protocol":
    """The protocol that a module of this package defines."""
    protocol: Protocol = importlib.import_module("wholebody.calibration.protocols." + module).PROTOCOL
    return protocol
