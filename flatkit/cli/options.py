"""Values of options, read with a message that names what was expected."""

from __future__ import annotations

import argparse

from flatkit.untrusted import is_number, printable


def whole_number(text: str) -> int:
    """Parse a whole number from 0 on, for argparse."""
    if not is_number(text):
        raise argparse.ArgumentTypeError(
            f'"{printable(text)}" is not a whole number; expected digits alone, at most 18, such as 8080'
        )
    return int(text)
