"""Other users of a host, for tests of root: what one of them can read."""

from __future__ import annotations

import os
from pathlib import Path

from flatkit.machines.access import Owner
from flatkit.run import run
from flatkit.untrusted import lines_of

NOBODY = Owner(uid=65534, gid=65534)
_LOOK = 'for path; do cat "$path" >/dev/null && echo "$path"; ls "$path/" >/dev/null && echo "$path"; done'


def seen_by(owner: Owner, folder: Path) -> list[str]:
    """The names of what a user reads or lists in a folder; that user knows the name of everything in it."""
    user = ["setpriv", f"--reuid={owner.uid}", f"--regid={owner.gid}", "--clear-groups"]
    paths = [str(path) for path in (folder, *folder.rglob("*"))]
    done = run([*user, "sh", "-c", _LOOK, "sh", *paths], timeout=120, check=False)
    return sorted(Path(line).name for line in lines_of(done.stdout))


def open_parents(folder: Path) -> None:
    """Let every user enter what lies above a folder, as /var/lib does: what is tested must not depend on it."""
    for above in folder.parents:
        about = above.stat()
        if about.st_uid == os.geteuid() and not about.st_mode & 0o001:
            above.chmod(about.st_mode | 0o011)
