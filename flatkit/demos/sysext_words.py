"""Words of systemd-sysext and systemd-dissect that do not say what is wrong, and what they mean for an extension.

Sources: systemd's src/sysext/sysext.c, src/shared/dissect-image.c and extension-util.c; systemd#21448, flatcar/sysext-bakery 52
and 69.
"""

from __future__ import annotations

import re

from flatkit.untrusted import lines_of, printable

_NAME = (
    "it has no extension-release for its file's name: NAME.raw must contain "
    "usr/lib/extension-release.d/extension-release.NAME"
)
# The words of systemd-sysext -> their meaning. The first one that fits counts; `{}` are the parts in parentheses.
_WORDS = (
    (r"No medium found", f'{_NAME} (systemd says "No medium found")'),
    (r"extension-release\.\S*.*No such file or directory", f'{_NAME} (systemd-sysext then says "No medium found")'),
    (r"is for OS '([^']*)', but deployed on top of '([^']*)'", 'it is for ID "{}", this system is "{}"'),
    (r"is for sysext API level '([^']*)', but running on sysext API level '([^']*)'",
     'it is for SYSEXT_LEVEL "{}", this system has "{}"'),
    (r"is for OS version '([^']*)', but deployed on top of '([^']*)'", 'it is for VERSION_ID "{}", this system has "{}"'),
    (r"is for architecture '([^']*)', but deployed on top of '([^']*)'", 'it is for ARCHITECTURE "{}", this system is "{}"'),
    (r"os-release.*not allowed|not allowed.*os-release", "it has a usr/lib/os-release, which would hide the system's"),
    (r"No suitable extensions found", "every extension was left out: SYSTEMD_LOG_LEVEL=debug systemd-sysext refresh says why"),
    (r"Required key not available|Key was rejected|signature", "it is signed with a key that this system does not know"),
    (r"suitable partition|No data available|not a valid|Package not installed|Wrong medium type|superblock|fstype|Not a tty",
     "it is not an image that can be read: half a download, or another file (flatkit sysext build makes one)"),
    (r"Device or resource busy|Resource busy", "something below /usr or /opt is mounted or in use: unmount it, then refresh"),
    (r"already merged", "extensions are merged already: systemd-sysext refresh takes changes over"),
    (r"Read-only file system", "a merged extension covers this folder, read-only: systemd-sysext unmerge, write, merge"),
)  # fmt: skip


def explain_words(said: str) -> str:
    """Return what systemd-sysext or systemd-dissect means by what it said; "" for words that are not known here."""
    for line in lines_of(said):
        for pattern, meaning in _WORDS:
            if found := re.search(pattern, line):
                return meaning.format(*(printable(part, limit=60) for part in found.groups()))
    return ""
