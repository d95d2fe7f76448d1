"""Options and variables of every Jupyter server that flatkit starts: kernels explain slips, terminals find flatkit.

For a kernel: the path by which its server, and so the browser, knows a file.
"""

from __future__ import annotations

import os
import shutil
import sys
from functools import cache
from pathlib import Path

from flatkit import paths
from flatkit.files import read_regular
from flatkit.run import program_path
from flatkit.untrusted import parse_json

_INFO_MAX = 64 * 1024

# Jupyter's own list, without *~.
_HIDDEN = ("__pycache__", "*.pyc", "*.pyo", ".DS_Store")
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
    replaces PATH in these: they would not find flatkit. By default the list of files leaves out `first.bu~`, where flatkit
    keeps a learner's text.
    """
    shell = os.environ.get("SHELL") or shutil.which("bash", path=program_path()) or "/bin/sh"
    settings = {"shell_command": [shell]}
    hidden = [f"--ContentsManager.hide_globs={name}" for name in _HIDDEN]
    return [f"--ServerApp.terminado_settings={settings}", *hidden]


def path_on_server(file: Path) -> str:
    """Return the path of a file from the root of this kernel's server; its name where no server is found."""
    try:
        return (file.parent.resolve() / file.name).relative_to(_root()).as_posix()
    except (OSError, ValueError):
        return file.name


@cache
def _root() -> Path:
    """Return the root of the server that is this process's parent. Raises OSError, ValueError."""
    try:
        from jupyter_core.paths import jupyter_runtime_dir

        # The server writes this file while it runs.
        about = Path(jupyter_runtime_dir()) / f"jpserver-{os.getppid()}.json"
        return Path(parse_json(read_regular(about, limit=_INFO_MAX), limit=_INFO_MAX)["root_dir"]).resolve()
    except (ImportError, KeyError, TypeError) as error:
        raise ValueError(str(error)) from None
