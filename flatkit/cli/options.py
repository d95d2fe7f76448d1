"""Values of options, read with a message that names what was expected."""

from __future__ import annotations

import argparse
import stat
from pathlib import Path

from flatkit.files import kind_of
from flatkit.untrusted import is_number, printable


def whole_number(text: str) -> int:
    """Parse a whole number from 0 on, for argparse."""
    if not is_number(text):
        raise argparse.ArgumentTypeError(
            f'"{printable(text)}" is not a whole number; expected digits alone, at most 18, such as 8080'
        )
    return int(text)


def folder(text: str) -> Path:
    """Parse the path of a folder, which need not exist yet, for argparse."""
    path = Path(text)
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # nothing is there, or who uses the folder says what is the matter
        return path
    if not stat.S_ISDIR(mode):
        raise argparse.ArgumentTypeError(f'"{printable(text)}" is {kind_of(mode) or "a file"}; expected a folder')
    return path
