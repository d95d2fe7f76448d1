"""Login on a machine: whether its config lets anybody in, and what keeps users out. Pure.

What an image cannot do with a config is the image's own knowledge, not this module's.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flatkit.butane.dataurl import decode_data_url
from flatkit.butane.source.node import Path
from flatkit.untrusted import lines_of

_NO_SHELL = ("/nologin", "/false")
# As Flatcar and the lab image start their SSH server: by socket, with a service behind it.
_SSH_UNITS = ("sshd.socket", "sshd.service")
# Where Flatcar's SSH server finds the keys of a user; other keys below authorized_keys.d are merged into the first.
_KEY_FILES = (".ssh/authorized_keys", ".ssh/authorized_keys.d/*")
# Options that let people in by other ways than key files: a program, or certificates.
_OTHER_WAYS = frozenset(("authorizedkeyscommand", "trustedusercakeys"))
_SSHD_LINE = re.compile(r"\s*([A-Za-z]+)(?:\s*=\s*|\s+)(.*\S)")


@dataclass(frozen=True, kw_only=True)
class Lockout:
    """The reason why nobody can log in, and its path in the Ignition JSON."""

    words: str
    path: Path = ()


def allows_login(ignition: dict[str, Any]) -> bool:
    """Return True if the config lets somebody log in, or may do so: what it fetches is not known here."""
    config = ignition.get("ignition", {}).get("config", {})
    if config.get("merge") or config.get("replace", {}).get("source"):
        return True
    users = [user for user in ignition.get("passwd", {}).get("users", ()) if _can_log_in(user)]
    if any(_has_key(user) or _has_password(user) for user in users):
        return True
    options = _sshd_options(ignition)
    if options is None or _OTHER_WAYS & set(options):
        return True
    named = options.get("authorizedkeysfile")
    key_files = named[0].split() if named else _KEY_FILES
    read = {_key_path(item, user) for user in _accounts(ignition, users) for item in key_files}
    storage = ignition.get("storage", {})
    files = [item["path"] for item in storage.get("files", ()) if _holds_anything(item)]
    links = [item["path"] for item in storage.get("links", ())]
    return any(path in read or posixpath.dirname(path) + "/*" in read for path in (*files, *links))


def _can_log_in(user: dict[str, Any]) -> bool:
    return user.get("shouldExist") is not False and not str(user.get("shell") or "").endswith(_NO_SHELL)


def _has_key(user: dict[str, Any]) -> bool:
    return any(str(key).strip() for key in user.get("sshAuthorizedKeys") or ())


def _has_password(user: dict[str, Any]) -> bool:
    # "*" and "!" mean no password, or a locked one.
    return not (user.get("passwordHash") or "*").startswith(("*", "!"))


def _accounts(ignition: dict[str, Any], users: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The users of the config who can log in, and core, which every image has."""
    named = {user.get("name") for user in ignition.get("passwd", {}).get("users", ())}
    return users if "core" in named else [*users, {"name": "core"}]


def _key_path(pattern: str, user: dict[str, Any]) -> str:
    """The absolute path of an AuthorizedKeysFile pattern."""
    name = str(user.get("name", ""))
    home = user.get("homeDir") or ("/root" if name == "root" else f"/home/{name}")
    values = {"%%": "%", "%h": home, "%u": name}
    return posixpath.join(home, re.sub("%[%hu]", lambda match: values[match[0]], pattern))


def _holds_anything(item: dict[str, Any]) -> bool:
    """True if a file gets contents that are not blank; what is fetched counts."""
    return any(
        (text := _text_of(part)) is None or text.strip() for part in (item.get("contents", {}), *item.get("append", ()))
    )


def _text_of(resource: dict[str, Any]) -> str | None:
    """The text of a resource, None if it has to be fetched."""
    source = resource.get("source") or "data:,"
    data = decode_data_url(source, packed=resource.get("compression") == "gzip")
    return None if data is None else data.decode(errors="replace")


def _sshd_options(ignition: dict[str, Any]) -> dict[str, tuple[str, Path]] | None:
    """The SSH server's options for everybody, by lower-case name, with the file's path; None if they must be fetched.

    The first value of an option counts, and sshd_config includes its drop-ins before all else.
    """
    found: dict[str, tuple[str, Path]] = {}
    files = list(enumerate(ignition.get("storage", {}).get("files", ())))
    dropins = [pair for pair in files if re.fullmatch(r"/etc/ssh/sshd_config\.d/[^/]+\.conf", pair[1].get("path", ""))]
    main = [pair for pair in files if pair[1].get("path") == "/etc/ssh/sshd_config"]
    for at, item in (*sorted(dropins, key=lambda pair: str(pair[1]["path"])), *main):
        for resource in (item.get("contents", {}), *item.get("append", ())):
            text = _text_of(resource)
            if text is None:
                return None
            for name, value in _sshd_lines(text):
                found.setdefault(name, (value, ("storage", "files", at, "contents")))
    return found


def _sshd_lines(text: str) -> Iterator[tuple[str, str]]:
    for line in lines_of(text):
        match = _SSHD_LINE.match(line)
        if match is None:
            continue
        if match[1].lower() == "match":
            return
        yield match[1].lower(), match[2].replace('"', "")


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
    keys = (_sshd_options(ignition) or {}).get("pubkeyauthentication")
    if keys and keys[0].lower() == "no":
        yield Lockout(words="the SSH server is configured to accept no keys", path=keys[1])
