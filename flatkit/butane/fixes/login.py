"""Nobody can log in: give the user core the learner's own public key. Pure: the key is given."""

from __future__ import annotations

from collections.abc import Iterator

from flatkit.butane.access import is_public_key
from flatkit.butane.fixes.writing import Unwritable, Writer, Written, insert, quoted
from flatkit.butane.source.node import MAPPING, NULL, SCALAR, SEQUENCE, Node
from flatkit.butane.transpile import Translation
from flatkit.report import Edit


def add_key(translation: Translation, key: str) -> Iterator[Edit]:
    """Yield the edit that gives core the key: in its own entry, as one more user, or in a new section. Raises Unwritable."""
    root, writer = translation.root, Writer(translation.text)
    if root is None or root.kind != MAPPING or not root.content:
        return
    keys: list[Written] = [quoted(key)]
    user: dict[str, Written] = {"name": "core", "ssh_authorized_keys": keys}
    section = root.child("passwd")
    users = section.child("users") if section is not None and section.kind == MAPPING else None
    core = _core(users)
    label = "give core your public key"
    if core is not None:
        present = core.child("ssh_authorized_keys")
        if present is None:
            edit = writer.add_entry(core, "ssh_authorized_keys", keys)
        elif (
            (present.kind == SCALAR and present.tag == NULL)
            or (present.kind == SEQUENCE and not present.content)
            or _is_useless(present)
        ):
            label = "write your public key in its place" if _is_useless(present) else label
            edit = writer.replace_entry(core, "ssh_authorized_keys", {"ssh_authorized_keys": keys}, label)
        else:
            return
    elif users is not None and users.kind == SEQUENCE and users.content:
        if users.flow:
            edit = insert(users.end_line, users.end_column - 1, f", {writer.flow(user)}", label)
        else:
            line, column = writer.end_of(users)
            indent = users.column - 1
            text = "\n" + " " * indent + "- " + writer.item(user, indent)
            edit = insert(line, column, text, label)
    elif users is not None:
        return
    elif section is not None:
        edit = writer.add_entry(section, "users", [user])
    elif root.flow:
        edit = writer.add_entry(root, "passwd", {"users": [user]})
    else:
        yield _new_section(translation, key, label)
        return
    yield Edit(span=edit.span, text=edit.text, label=label)


def _is_useless(keys: Node) -> bool:
    """True for a list of one key that no SSH server accepts: a placeholder, or half a key."""
    if keys.kind != SEQUENCE or len(keys.content) != 1 or keys.content[0].kind != SCALAR or keys.anchor:
        return False
    lines = [line for line in keys.content[0].value.split("\n") if line.strip()]
    return not any(is_public_key(line) for line in lines)


def _core(users: Node | None) -> Node | None:
    """The entry of the user core, if it is written out here."""
    for item in users.content if users is not None and users.kind == SEQUENCE else ():
        name = item.child("name") if item.kind == MAPPING else None
        if name is not None and name.value == "core":
            return item
    return None


def _new_section(translation: Translation, key: str, label: str) -> Edit:
    root, lines = translation.root, translation.text.split("\n")
    assert root is not None
    if any(line.startswith(("---", "...")) for line in lines[root.line - 1 :]):
        raise Unwritable
    lead = "" if translation.text.endswith("\n") else "\n"
    text = f"{lead}passwd:\n  users:\n    - name: core\n      ssh_authorized_keys:\n        - {quoted(key)}\n"
    return insert(len(lines), len(lines[-1]) + 1, text, label)
