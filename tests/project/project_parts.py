"""What the tests of set-up share: whether a part of this host can be cut off for them."""

from __future__ import annotations

import os
import subprocess

# A part of this host with mounts, processes and a network of its own, gone with its first process.
CUT_OFF = ("unshare", "--mount", "--pid", "--net", "--fork", "--mount-proc", "--kill-child")


def may_cut_off() -> bool:
    """Whether this user may do that."""
    return os.geteuid() == 0 and subprocess.run([*CUT_OFF, "true"], check=False).returncode == 0
