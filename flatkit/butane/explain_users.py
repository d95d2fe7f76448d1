"""Sentences about users and groups, and about their ways to log in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flatkit.butane.access import login_of
from flatkit.butane.machine import image
from flatkit.butane.machine.plan import Plan
from flatkit.butane.machine.told import Told, count, listed
from flatkit.butane.transpile import Translation


def explain_users(plan: Plan, _: Translation) -> Iterator[Told]:
    """Yield a sentence for each group and user."""
    for at, group in enumerate(plan.groups):
        verb = "deleted" if group.get("shouldExist") is False else "created if it is missing"
        subject = f"The group {group['name']}"
        yield Told(text=f"{subject} is {verb}.", path=("passwd", "groups", at), failure=f"{subject} cannot be created.")
    for at, user in enumerate(plan.users):
        verb = "changed" if user["name"] in image.users() else "created"
        failure = f"The user {user['name']} cannot be {verb}." if user["name"] else ""
        yield Told(text=_user(user, plan), path=("passwd", "users", at), failure=failure)

    if "core" not in {user["name"] for user in plan.users} and login_of({"name": "core"}, plan).possible:
        yield Told(text="The user core, which Flatcar has already, may log in with a key file.", path=("passwd",))


def _user(user: dict[str, Any], plan: Plan) -> str:
    name = str(user["name"])
    if user.get("shouldExist") is False:
        return f"The user {name} is deleted."
    is_old = name in image.users()
    acts = [] if is_old else ["is created"]
    groups = [str(group) for group in user.get("groups", ())]
    if groups and is_old:
        acts.append(
            f"has {listed(groups)} as the only {'group' if len(groups) == 1 else 'groups'} in /etc/group from now on"
        )
    elif groups:
        acts.append(f"joins {listed(groups)}")
    acts.append(_login(user, plan))
    who = f"The user {name}, which Flatcar has already," if is_old else f"The user {name}"
    return f"{who} {', '.join(acts[:-1])}{', and ' if len(acts) > 2 else ' and ' if len(acts) > 1 else ''}{acts[-1]}."


def _login(user: dict[str, Any], plan: Plan) -> str:
    login = login_of(user, plan)
    ways = [count(login.keys, "SSH key")] if login.keys else []
    ways += ["a key file"] if login.key_file else []
    ways += ["a password"] if login.password else []
    if login.obstacle:
        return f"cannot log in: {login.obstacle}"
    if ways:
        return f"may log in with {' or '.join(ways)}"
    given = [words for key, words in (("sshAuthorizedKeys", "key"), ("passwordHash", "password")) if user.get(key)]
    if given:
        return f"cannot log in: the {' and the '.join(given)} given here {'is' if len(given) == 1 else 'are'} not valid"
    return "cannot log in" if plan.is_whole else "cannot log in by this config alone"
