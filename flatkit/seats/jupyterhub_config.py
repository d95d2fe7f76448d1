"""The file that JupyterHub is started with. The supervisor names the room's folder."""

import os
from pathlib import Path

from flatkit.seats.hub_config import configure
from flatkit.seats.supervisor import MARK

configure(get_config(), Path(os.environ[MARK]))  # type: ignore[name-defined]  # noqa: F821
