"""Unexpected exceptions: one sentence for the user, and a file for the developers."""

from __future__ import annotations

import os
import platform
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from flatkit import __version__, paths
from flatkit.cli.show import print_error
from flatkit.errors import FlatkitError, HostError
from flatkit.files import write_atomic
from flatkit.untrusted import escape_hidden

# An internal software error, as in sysexits.h.
EXIT_STATUS = 70


def report_fault(error: Exception, words: Sequence[str]) -> int:
    """Print what happened and how to report it; return the exit status. FLATKIT_DEBUG=1 prints the traceback as well."""
    trace = "".join(traceback.format_exception(error))
    if os.environ.get("FLATKIT_DEBUG"):
        sys.stderr.write(trace)
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        print_error(paths.refused(Path(os.fsdecode(error.filename)), error))
        return HostError.exit_status
    if isinstance(error, FileNotFoundError) and _is_folder_gone():
        print_error(HostError("the current folder was removed; expected one that is there", hint="cd"))
        return HostError.exit_status
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    kept = _keep(trace, words)
    hint = f'report it, with the file "{kept}"' if kept else "FLATKIT_DEBUG=1 in the environment shows what to report"
    print_error(FlatkitError(f"this is a fault in flatkit, not in what you typed: {said}", hint=hint))
    return EXIT_STATUS


def _is_folder_gone() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return True
    return False


def _keep(trace: str, words: Sequence[str]) -> Path | None:
    """Save the traceback to a file; return None where that is impossible."""
    about = (
        f"flatkit {__version__}, Python {platform.python_version()}, {platform.platform()}\nflatkit {' '.join(words)}\n"
    )
    with suppress(OSError):  # also for a FLATKIT_STATE that is refused
        file = paths.state_dir() / "last-fault.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, escape_hidden(f"{about}\n{trace}"), mode=0o600)
        return file
    return None
