"""The user's own public SSH key, which a suggested edit writes into a config: from ~/.ssh, else from the SSH agent."""

from __future__ import annotations

import base64
import binascii
import functools
import os
from collections.abc import Iterator
from pathlib import Path

from flatkit.errors import FlatkitError
from flatkit.files import read_regular
from flatkit.run import run
from flatkit.untrusted import lines_of

# Best first, as ssh itself tries them; other names come after these.
_NAMES = ("id_ed25519.pub", "id_ecdsa.pub", "id_rsa.pub")
_MAX_BYTES = 16 * 1024


def is_public_key(text: str) -> bool:
    """True for `TYPE BASE64 [COMMENT]` whose base64 contains the same type (RFC 4253, 6.6)."""
    words = text.split()
    if len(words) < 2 or not words[0].startswith(("ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-")) or not text.isprintable():
        return False
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (binascii.Error, ValueError):
        return False
    name = words[0].encode()
    return blob.startswith(len(name).to_bytes(4, "big") + name) and len(blob) > len(name) + 4 + 16


def find_public_key() -> str:
    """Return the user's public key as one line, "" if there is none."""
    folder = Path.home() / ".ssh"
    try:
        changed = folder.stat().st_mtime_ns
    except OSError:
        changed = 0
    return _find(folder, changed, os.environ.get("SSH_AUTH_SOCK", ""))


@functools.lru_cache(maxsize=4)
def _find(folder: Path, _changed: int, agent: str) -> str:
    # Once for each state of the folder: the editor asks at every key that is typed.
    return next((line for line in (*_in_folder(folder), *_in_agent(agent)) if is_public_key(line)), "")


def _in_folder(folder: Path) -> Iterator[str]:
    try:
        names = sorted(path.name for path in folder.iterdir() if path.suffix == ".pub")
    except OSError:
        return
    others = [name for name in names if name not in _NAMES and not name.endswith("-cert.pub")]
    for name in (*(name for name in _NAMES if name in names), *others):
        try:
            text = read_regular(folder / name, limit=_MAX_BYTES).decode("utf-8", "replace")
        except (OSError, ValueError):
            continue
        yield from (line.strip() for line in lines_of(text))


def _in_agent(agent: str) -> Iterator[str]:
    if not agent:
        return
    try:
        done = run(["ssh-add", "-L"], check=False, timeout=2)
    except FlatkitError:
        return
    if done.status == 0:
        yield from (line.strip() for line in lines_of(done.stdout))
