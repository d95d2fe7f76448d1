"""Options and variables of every Jupyter server that flatkit starts: kernels explain slips, terminals find flatkit."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from flatkit import paths

# PYTHONSTARTUP of the kernels.
KERNEL_START = Path(paths.__file__).with_name("widgets") / "kernel_start.py"


def environment() -> dict[str, str]:
    """Return the variables for the server, which its kernels and terminals inherit; a start-up file of the user's own stays."""
    return {
        "PYTHONSTARTUP": os.environ.get("PYTHONSTARTUP") or str(KERNEL_START),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
    }


def options() -> list[str]:
    """Return the server's options.

    Without a terminal of its own Jupyter starts login shells (jupyter_server_terminals/app.py), and Debian's /etc/profile
    replaces PATH in these: they would not find flatkit.
    """
    shell = os.environ.get("SHELL") or shutil.which("bash") or "sh"
    settings = {"shell_command": [shell]}
    return [f"--ServerApp.terminado_settings={settings}"]
