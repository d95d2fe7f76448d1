"""Advice on users and groups: what makes useradd and usermod fail, and what keeps a user out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from flatkit.butane import advice_messages
from flatkit.butane.access import NO_LOGIN_SHELLS, find_unreadable_keys
from flatkit.butane.advice.hint import Hint, hint
from flatkit.butane.machine import image
from flatkit.butane.machine.plan import Plan
from flatkit.butane.source.node import Path
from flatkit.report import Kind
from flatkit.untrusted import is_number

# shadow's is_valid_name (lib/chkname.c); useradd and groupadd exit with an error for others.
_NAME = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]{0,31}|[A-Za-z0-9_.][A-Za-z0-9_.-]{0,30}\$")


def advise_accounts(plan: Plan) -> Iterator[Hint]:
    """Yield the advice on all users and groups. Source of the rules: Ignition's internal/exec/util/passwd.go."""
    defined = {str(group.get("name")) for group in plan.groups if group.get("shouldExist") is not False}
    for at, group in enumerate(plan.groups):
        name = str(group.get("name"))
        if name in image.hidden_groups() and group.get("shouldExist") is not False:
            yield hint(advice_messages.GROUP_EXISTS, ("passwd", "groups", at, "name"), group=name)
    yield from _names_and_ids(plan)
    # useradd makes a group for each user, in the order of the list.
    own: set[str] = set()
    for at, user in enumerate(plan.users):
        if user.get("shouldExist") is False:
            continue
        if not user.get("name"):
            yield hint(advice_messages.USER_NAMELESS, ("passwd", "users", at))
            continue
        if _gets_group(user):
            own.add(str(user.get("name")))
        yield from _user(user, ("passwd", "users", at), defined, own)
    for node, owner, mode in find_unreadable_keys(plan):
        yield hint(advice_messages.KEYS_UNREADABLE, (*node.json_path, "path"), user=owner, mode=f"{mode:04o}")


def _names_and_ids(plan: Plan) -> Iterator[Hint]:
    """Yield names that useradd and groupadd refuse, and numbers that are taken: neither is called with --non-unique."""
    for kind, key, known, items in (
        ("users", "uid", image.user_ids(), plan.users),
        ("groups", "gid", image.group_ids(), plan.groups),
    ):
        taken = {number: name for name, number in known.items()}
        for at, item in enumerate(items):
            name, number = str(item.get("name") or ""), item.get(key)
            if item.get("shouldExist") is False or not name:
                continue
            if not _NAME.fullmatch(name) or name in (".", "..") or is_number(name):
                yield hint(advice_messages.USER_NAME, ("passwd", kind, at, "name"), name=name, kind=kind[:-1])
            if isinstance(number, int) and taken.setdefault(number, name) != name:
                path = ("passwd", kind, at, key)
                yield hint(advice_messages.ID_TAKEN, path, key=key, number=str(number), other=taken[number])


def _gets_group(user: dict[str, Any]) -> bool:
    return user.get("name") not in image.users() and not user.get("primaryGroup") and not user.get("noUserGroup")


def _user(user: dict[str, Any], path: Path, defined: set[str], own: set[str]) -> Iterator[Hint]:
    name = str(user.get("name"))
    if _gets_group(user) and name in defined | image.groups():
        yield hint(advice_messages.USER_GROUP_EXISTS, (*path, "name"), name=name)
    for number, group in enumerate(user.get("groups", ())):
        yield from _group(str(group), name, (*path, "groups", number), defined | own)
    if user.get("primaryGroup"):
        yield from _group(str(user["primaryGroup"]), name, (*path, "primaryGroup"), defined | own)
    if name == "core" and user.get("groups"):
        yield from _replaced(user["groups"], (*path, "groups"))
    yield from _shell(user, name, (*path, "shell"))
    yield from _fields(user, path)


def _fields(user: dict[str, Any], path: Path) -> Iterator[Hint]:
    """Yield values that useradd and usermod refuse (shadow's useradd.c and usermod.c)."""
    program = "usermod" if user.get("name") in image.users() else "useradd"
    for key, name, fix in (
        ("homeDir", "home_dir", "Write a path that starts with /."),
        ("shell", "shell", "Write the whole path, for example /bin/bash."),
    ):
        value = str(user.get(key) or "")
        if value and not value.startswith("/"):
            yield hint(advice_messages.ACCOUNT_FIELD, (*path, key), key=name, value=value, program=program, fix=fix)
    comment = str(user.get("gecos") or "")
    if ":" in comment or "\n" in comment:
        fix = "Write it without colons, on one line."
        values = {"key": "gecos", "value": comment.partition("\n")[0], "program": program, "fix": fix}
        yield hint(advice_messages.ACCOUNT_FIELD, (*path, "gecos"), **values)


def _group(group: str, user: str, path: Path, known: set[str]) -> Iterator[Hint]:
    if not group or group in known or group in image.groups() or is_number(group):
        return
    if group in image.hidden_groups():
        yield hint(advice_messages.GROUP_HIDDEN, path, group=group, user=user)
    else:
        yield hint(advice_messages.GROUP_UNDEFINED, path, group=group)


def _replaced(groups: list[str], path: Path) -> Iterator[Hint]:
    lost = [group for group in image.groups_of_core() if group not in groups]
    if lost:
        found = [str(group) for group in groups if group not in image.hidden_groups()]
        everything = ", ".join(dict.fromkeys((*image.groups_of_core(), *found)))
        yield hint(advice_messages.GROUPS_REPLACED, path, Kind.INFO, lost=" and ".join(lost), all=everything)


def _shell(user: dict[str, Any], name: str, path: Path) -> Iterator[Hint]:
    shell = str(user.get("shell") or "")
    ways = [words for key, words in (("sshAuthorizedKeys", "keys"), ("passwordHash", "password")) if user.get(key)]
    if shell.endswith(NO_LOGIN_SHELLS) and ways:
        yield hint(advice_messages.NO_LOGIN_SHELL, path, shell=shell, user=name, ways=" and ".join(ways))
    elif image.lacks_shell(shell):
        yield hint(advice_messages.SHELL_MISSING, path, shell=shell, user=name)
