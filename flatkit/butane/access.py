"""Login on a machine: whether its config lets anybody in, and what keeps users out. Pure.

What an image cannot do with a config is the image's own knowledge, not this module's.
"""

from __future__ import annotations

import base64
import binascii
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from flatkit.butane.machine import image
from flatkit.butane.machine.plan import Plan, StorageNode, text_of
from flatkit.butane.machine.unit_file import parse
from flatkit.butane.source.node import Path
from flatkit.untrusted import is_number, lines_of

NO_LOGIN_SHELLS = ("/nologin", "/false")
KEY_TYPES = ("ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-")
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


@dataclass(frozen=True, kw_only=True)
class Login:
    """The ways for a user to log in: valid keys of the config, a key file, a password. `obstacle`: none of them works."""

    keys: int = 0
    key_file: bool = False
    password: bool = False
    obstacle: str = ""

    @property
    def possible(self) -> bool:
        """True if one of the ways works."""
        return not self.obstacle and bool(self.keys or self.key_file or self.password)


def is_public_key(line: str) -> bool:
    """Return True for a line of authorized_keys with a whole key: its base64 begins with the name of its own type."""
    words = line.split()
    for word, data in pairwise(words):
        if word.startswith(KEY_TYPES):
            try:
                blob = base64.b64decode(data.encode(), validate=True)
            except (binascii.Error, UnicodeEncodeError):
                return False
            fields = _fields_of(blob)
            return len(fields) > 1 and fields[0] == word.encode()
    return False


def _fields_of(blob: bytes) -> list[bytes]:
    """The fields of a key, each behind its length (RFC 4253, section 6.6); [] if the last one is not whole."""
    fields, at = [], 0
    while at < len(blob):
        end = at + 4 + int.from_bytes(blob[at : at + 4], "big")
        if end > len(blob):
            return []
        fields.append(blob[at + 4 : end])
        at = end
    return fields


def login_of(user: dict[str, Any], plan: Plan) -> Login:
    """Return how a user of the config, or core, may log in."""
    shell = str(user.get("shell") or "")
    obstacle = ""
    if user.get("shouldExist") is False:
        obstacle = "the user is removed"
    elif shell.endswith(NO_LOGIN_SHELLS):
        obstacle = f"the shell {shell} lets nobody in"
    elif image.lacks_shell(shell):
        obstacle = f"Flatcar's image does not have the shell {shell}"
    keys = [str(key) for key in user.get("sshAuthorizedKeys") or ()]
    return Login(
        keys=sum(is_public_key(line) for key in keys for line in lines_of(key)),
        key_file=_has_key_file(user, plan),
        password=_has_password(user),
        obstacle=obstacle,
    )


def allows_login(ignition: dict[str, Any]) -> bool:
    """Return True if the config lets somebody log in, or may do so: what it fetches is not known here."""
    plan = Plan(ignition)
    if not plan.is_whole:
        return True
    options = _sshd_options(ignition)
    if options is None or _OTHER_WAYS & set(options):
        return True
    return any(login_of(user, plan).possible for user in _accounts(ignition, plan.users))


def _has_key_file(user: dict[str, Any], plan: Plan) -> bool:
    options = _sshd_options(plan.ignition) or {}
    named = options.get("authorizedkeysfile")
    read = {_key_path(item, user) for item in (named[0].split() if named else _KEY_FILES)}
    for node in plan.nodes:
        if node.kind == "directories" or not (node.path in read or posixpath.dirname(node.path) + "/*" in read):
            continue
        if node.kind == "links" or (_has_keys(node.item) and not _is_unreadable(node, user, plan)):
            return True
    return False


def _has_keys(item: dict[str, Any]) -> bool:
    """True if a file gets a whole key; what is fetched counts."""
    for part in (item.get("contents", {}), *item.get("append", ())):
        text = text_of(part)
        if text is None or any(is_public_key(line) for line in lines_of(text)):
            return True
    return False


def _is_unreadable(node: StorageNode, user: dict[str, Any], plan: Plan) -> bool:
    """sshd reads a key file as the user: one of root's, in a mode for root alone, is closed to it."""
    folder = plan.by_path.get(posixpath.dirname(node.path))
    return _is_closed(node, user, 0o004, 0o644) or (folder is not None and _is_closed(folder, user, 0o001, 0o755))


def _is_closed(node: StorageNode, user: dict[str, Any], bit: int, default: int) -> bool:
    owner = node.item.get("user", {})
    is_roots = (owner.get("name") or owner.get("id") or 0) in (0, "root")
    return user.get("name") != "root" and is_roots and not node.item.get("mode", default) & bit


def find_unreadable_keys(plan: Plan) -> Iterator[tuple[StorageNode, str, int]]:
    """Yield key files that their user cannot read: the file, the user, the mode."""
    for user in _accounts(plan.ignition, plan.users):
        node = plan.by_path.get(_key_path(_KEY_FILES[0], user))
        if node is not None and node.kind == "files" and _is_unreadable(node, user, plan):
            yield node, str(user.get("name")), node.item.get("mode", 0o644)


def _has_password(user: dict[str, Any]) -> bool:
    # "*" and "!" mean no password, or a locked one; what does not begin with $ or _ is not a hash.
    return str(user.get("passwordHash") or "*").startswith(("$", "_"))


def _accounts(ignition: dict[str, Any], users: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The users of the config, and core, which every image has."""
    named = {user.get("name") for user in ignition.get("passwd", {}).get("users", ())}
    return users if "core" in named else [*users, {"name": "core"}]


def _key_path(pattern: str, user: dict[str, Any]) -> str:
    """The absolute path of an AuthorizedKeysFile pattern."""
    name = str(user.get("name", ""))
    home = user.get("homeDir") or ("/root" if name == "root" else f"/home/{name}")
    values = {"%%": "%", "%h": home, "%u": name}
    return posixpath.join(home, re.sub("%[%hu]", lambda match: values[match[0]], pattern))


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
            text = text_of(resource)
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
        if str(found.get("shell", "")).endswith(NO_LOGIN_SHELLS):
            yield Lockout(words='the user "core" has no shell', path=("passwd", "users", at, "shell"))
    for at, unit in enumerate(ignition.get("systemd", {}).get("units", [])):
        if unit.get("name") in _SSH_UNITS and unit.get("mask"):
            yield Lockout(words=f'the SSH server\'s "{unit["name"]}" is masked', path=("systemd", "units", at, "mask"))
        elif unit.get("name") == "sshd.socket" and unit.get("enabled") is False:
            yield Lockout(words='the SSH server\'s "sshd.socket" is disabled', path=("systemd", "units", at, "enabled"))
    keys = (_sshd_options(ignition) or {}).get("pubkeyauthentication")
    if keys and keys[0].lower() == "no":
        yield Lockout(words="the SSH server is configured to accept no keys", path=keys[1])


def ssh_ports(ignition: dict[str, Any]) -> tuple[str, ...]:
    """Return where SSH listens: ports or addresses, ("22",) unless the config changes sshd.socket or sshd's Port.

    Flatcar starts sshd by sshd.socket, and Port counts only where that is masked and sshd.service is enabled
    (flatcar-website security/cert-auth/customizing-sshd.md).
    """
    plan = Plan(ignition)
    units = {unit.get("name"): unit for unit in plan.units}
    if units.get("sshd.socket", {}).get("mask") and units.get("sshd.service", {}).get("enabled"):
        port = (_sshd_options(ignition) or {}).get("port")
        return (port[0],) if port else ("22",)
    ports = ["22"]
    contents, dropins = plan.unit_texts.get("sshd.socket", ("", []))
    if contents:
        ports.clear()
    for text in (contents, *(text for _, text in sorted(dropins))):
        for item in parse(text).assignments:
            if (item.section, item.key) == ("Socket", "ListenStream"):
                ports = [*ports, item.value] if item.value else []
    return tuple(ports)


def port_of(address: str) -> str:
    """Return the port of a ListenStream= value, "" if it is none."""
    port = address.strip().rpartition(":")[2]
    return port if is_number(port) else ""
