"""`python -P -m flatkit.jupyter_start MODULE ARGUMENT...`: run a Jupyter program as `python -m MODULE` does, in half the time.

jsonschema imports rfc3987_syntax if it is installed, and that builds 38 grammars when it is imported: more than a second of
processor time and 15 MiB in each server, to check the formats "iri" and "iri-reference", which no schema of Jupyter uses.

With -P, files in the current folder are not imported: a learner's own random.py there does not keep JupyterLab from starting.
"""

from __future__ import annotations

import runpy
import sys

_GRAMMARS = "rfc3987_syntax"


def command(module: str) -> list[str]:
    """Return the command that runs a module in this way; its arguments follow."""
    return [sys.executable, "-P", "-m", __name__, module]


def leave_grammars_out() -> None:
    """Let jsonschema go on without the grammars in this process, if it has not imported them already."""
    sys.modules.setdefault(_GRAMMARS, None)  # type: ignore[arg-type]  # None: "import" fails as if it were not installed


if __name__ == "__main__":
    leave_grammars_out()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
