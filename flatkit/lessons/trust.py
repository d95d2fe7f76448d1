"""Trust in the course's own notebooks: JupyterLab asks before it runs what an unsigned notebook's buttons want."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flatkit.files import read_regular
from flatkit.untrusted import parse_json

_BYTES_MAX = 64 * 1024 * 1024


def trust(notebook: Path) -> bool:
    """Sign a notebook for this user, as `jupyter trust` does. Return False where nbformat is missing or nothing may be stored.

    Only for notebooks that flatkit has laid out itself: the outputs of a trusted notebook may run scripts.
    """
    try:
        import nbformat
        from nbformat import sign
    except ImportError:  # without Jupyter nobody asks
        return False
    try:
        data = read_regular(notebook, limit=_BYTES_MAX)
        values = parse_json(data, limit=_BYTES_MAX)
        if not isinstance(values, dict) or values.get("nbformat") != 4:
            return False
        reads: Any = nbformat.reads  # without types
        make_notary: Any = sign.NotebookNotary
        notary = make_notary()
        notary.sign(reads(data.decode(), as_version=4))
        notary.store.close()
    except (OSError, ValueError):
        return False
    return True
