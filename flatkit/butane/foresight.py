"""What can be foreseen about a config before anything boots: whether somebody will be able to log in. Pure.

What an image cannot do with a config is the image's own knowledge, not this module's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flatkit.butane.ignition.dataurls import decode_data_url

_NO_SHELL = ("/nologin", "/false")
# As Flatcar and the lab image start their SSH server: by socket, with a service behind it.
_SSH_UNITS = ("sshd.socket", "sshd.service")


@dataclass(frozen=True, kw_only=True)
class Lockout:
    """Why nobody will get in, in words, at this path of the Ignition JSON."""

    words: str
    path: tuple[str | int, ...] = ()


def has_way_in(ignition: dict[str, Any]) -> bool:
    """Whether the config itself gives somebody a key or a password. A config that merges others may do so in those."""
    users = ignition.get("passwd", {}).get("users", [])
    config = ignition.get("ignition", {}).get("config", {})
    merges = bool(config.get("merge") or config.get("replace", {}).get("source"))
    keys = any(".ssh/authorized_keys" in item.get("path", "") for item in ignition.get("storage", {}).get("files", []))
    return merges or keys or any(user.get("sshAuthorizedKeys") or user.get("passwordHash") for user in users)


def find_lockouts(ignition: dict[str, Any]) -> Iterator[Lockout]:
    """Yield what keeps the user core from logging in over SSH even with a key."""
    for at, found in enumerate(ignition.get("passwd", {}).get("users", [])):
        if found.get("name") != "core":
            continue
        if found.get("shouldExist") is False:
            yield Lockout(words='the user "core" is removed', path=("passwd", "users", at, "shouldExist"))
        if str(found.get("shell", "")).endswith(_NO_SHELL):
            yield Lockout(words='the user "core" has no shell', path=("passwd", "users", at, "shell"))
    for at, unit in enumerate(ignition.get("systemd", {}).get("units", [])):
        if unit.get("name") in _SSH_UNITS and unit.get("mask"):
            yield Lockout(words=f'the SSH server\'s "{unit["name"]}" is masked', path=("systemd", "units", at, "mask"))
        elif unit.get("name") == "sshd.socket" and unit.get("enabled") is False:
            yield Lockout(words='the SSH server\'s "sshd.socket" is disabled', path=("systemd", "units", at, "enabled"))
    for at, item in enumerate(ignition.get("storage", {}).get("files", [])):
        text = _text_of(item)
        if item.get("path", "").startswith("/etc/ssh/sshd_config") and "PubkeyAuthentication no" in text:
            yield Lockout(words="the SSH server is told to take no keys", path=("storage", "files", at, "contents"))


def _text_of(item: dict[str, Any]) -> str:
    contents = item.get("contents", {})
    data = decode_data_url(contents.get("source") or "", packed=contents.get("compression") == "gzip")
    return data.decode(errors="replace") if data else ""
