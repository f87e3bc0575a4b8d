"""Values of flags that several commands take."""
import argparse
import re
from typing import Tuple


def size_of(text: str) -> Tuple[int, int]:
    """WxH as (height, width).

    >>> size_of("656x368")
    (368, 656)
    """
    found = re.match(r"([1-9]\d{0,4})[xX]([1-9]\d{0,4})$", text)
    if not found:
        raise argparse.ArgumentTypeError("expected WIDTHxHEIGHT such as 656x368, got %r" % text)
    return int(found.group(2)), int(found.group(1))


def part_of(text: str) -> float:
    """A number from 0 to 1."""
    if not re.match(r"(0?\.[0-9]{1,6}|0|1(\.0+)?)$", text):
        raise argparse.ArgumentTypeError("expected a number from 0 to 1, got %r" % text)
    return float(text)
