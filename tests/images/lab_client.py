"""The shell functions of the lab image's update client, run on this host."""

from __future__ import annotations

import subprocess
from pathlib import Path

from flatkit.images.lab import recipe

USR = recipe.files() / "usr"
PARTS = USR / "lib/flatcar/update"
SCRIPTS = sorted(
    path
    for path in (
        *USR.glob("bin/*"),
        *USR.glob("sbin/*"),
        *USR.glob("lib/flatcar/*"),
        *PARTS.glob("*"),
        *USR.glob("lib/flatcar/cgpt/*"),
    )
    if path.is_file() and path.read_text(errors="replace").startswith(("#!/bin/bash", "#!/bin/sh", "# shellcheck"))
)


def shell(folder: Path, script: str, **values: str) -> subprocess.CompletedProcess[str]:
    """Run the client's functions with its two folders below `folder`; `values` are variables."""
    variables = {
        "run": str(folder), "state": str(folder), "parts": str(PARTS), "version": "110.2.0", "boot_id": "boot",
        "boot_event": "", "last_checked": "0", "new_version": "0.0.0", "new_size": "0", "server": "disabled",
    }  # fmt: skip
    text = "".join(f"{name}={value!r}\n" for name, value in {**variables, **values}.items())
    text += ". $parts/common.sh\n. $parts/omaha.sh\n. $parts/payload.sh\n. $parts/slots.sh\n" + script
    return subprocess.run(["bash", "-c", text], capture_output=True, text=True, timeout=120)


def client_text(folder: Path) -> str:
    """Return update_engine_client, to be run by bash -c; the files of its daemon are in `folder`."""
    text = (USR / "bin/update_engine_client").read_text().replace("run=/run/update_engine", f"run={folder}")
    return text.replace("${BASH_SOURCE[0]%/*}", f"{USR}/bin")
