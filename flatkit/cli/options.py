"""Values of options, read with a message that names what was expected."""

from __future__ import annotations

import argparse
import os
import stat
import sys
from pathlib import Path

from flatkit.errors import UsageError
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


def add_board(parser: argparse.ArgumentParser) -> None:
    """Add the option for a board that another host serves."""
    parser.add_argument(
        "--board", metavar="URL",
        help="the board at this address (default: this host's); asks for the trainers' password, or for a token of its hub",
    )  # fmt: skip


def board_password() -> str:
    """Return the trainers' password of the board at an address. Raises UsageError where it cannot be asked for."""
    return secret("FLATKIT_TRAINER_PASSWORD", "the trainers' password, or a token of its hub")


def secret(variable: str, what: str) -> str:
    """Return the secret in this variable, else ask for it. Raises UsageError where nobody can be asked."""
    if found := os.environ.get(variable):
        return found
    if not sys.stdin.isatty():
        raise UsageError(f"{what} is missing", hint=f"in a terminal, which asks for it, or in the variable {variable}")
    import getpass

    return getpass.getpass(f"{what}: ")
