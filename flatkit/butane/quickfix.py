"""Quick fixes: suggested edits of the text for the entries of a report. Pure; nothing is applied here.

`fixes` makes candidates. Each is tried on the text before it is offered: the fault that it is for is gone, and nothing else
that Butane finds is new.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import islice

from flatkit.butane import messages, textwords
from flatkit.butane.access import allows_login
from flatkit.butane.fixes import keys, login, plain, types
from flatkit.butane.fixes.foreignkeys import ALIASES
from flatkit.butane.fixes.keys import suggest_key
from flatkit.butane.fixes.writing import Unwritable, apply_edit
from flatkit.butane.further import all_faults
from flatkit.butane.schema import FieldType, Shape, get_schema
from flatkit.butane.source.node import ALIAS, SCALAR, SEQUENCE, Node
from flatkit.butane.transpile import Translation, translate
from flatkit.report import Edit, Entry, Kind, Span

__all__ = ["ALIASES", "Trials", "apply_edit", "quick_fixes", "suggest_key"]

# Characters of text that may be tried out for one report, about 60 ms. Beyond that there are words and no edits: those come
# when the first faults are gone.
_BUDGET = 60_000
# YAML counts these as line breaks, and the places of edits do not.
_ODD_BREAKS = re.compile("\r(?!\n)|[\x85\u2028\u2029]")
# Not faults of the text: that no folder of files was given, and that a mapping is written by an alias.
_APART = frozenset((messages.NO_FILES_DIR.code, messages.NULL_MAPPING.code))

# The kind, code and words of an entry. Not its path, which changes with what is moved.
Fault = tuple[Kind, str, str]


class Trials:
    """Tries edits of one text, as many as there is time for."""

    def __init__(self, translation: Translation) -> None:
        self.translation = translation
        # To look for an edit also takes its time.
        self.cost = len(translation.text) // 50
        self.left = -1 if _ODD_BREAKS.search(translation.text) else _BUDGET

    @cached_property
    def before(self) -> Counter[Fault]:
        """The faults of the text itself."""
        return _faults(self.translation)

    def is_good(self, edit: Edit, entry: Entry) -> bool:
        """True if the edit takes the fault away and brings none."""
        after = self.after(edit)
        if after is None:
            return False
        fault = _fault(entry)
        return _faults(after)[fault] < self.before[fault] and not self.spoils(after)

    def spoils(self, after: Translation) -> bool:
        """True if a translation has a fault that the text did not have."""
        faults, before = _faults(after), self.before
        if _errors(faults) > _errors(before) or faults.total() > before.total():
            return True
        # Of a text that cannot be read nobody knows what else is wrong with it.
        is_known = self.translation.root is not None
        return is_known and any(code not in _APART for _, code, _ in faults - before)

    def after(self, edit: Edit) -> Translation | None:
        """The translation of the text with the edit, None if it changes nothing or there was too much to try."""
        text = self.translation.text
        if self.left < 0 or _reaches_elsewhere(edit.span, self.translation.root):
            return None
        edited = apply_edit(text, edit)
        self.left -= len(text) + 500
        return None if edited == text else translate(edited, files_dir=self.translation.files_dir)


def _faults(translation: Translation) -> Counter[Fault]:
    return Counter(_fault(entry) for entry in all_faults(translation))


def _errors(faults: Counter[Fault]) -> int:
    return sum(count for (kind, _, _), count in faults.items() if kind is Kind.ERROR)


def _fault(entry: Entry) -> Fault:
    return entry.kind, entry.code, re.sub(r"\bline \d+", "", entry.message)


def quick_fixes(code: str, entry: Entry, translation: Translation, trials: Trials | None = None) -> tuple[Edit, ...]:
    """Return the edits that fix the entry, tried out; () when there is no simple one."""
    suggest = _SUGGESTIONS.get(code)
    trials = trials or Trials(translation)
    if suggest is None or trials.left < 0:
        return ()
    trials.left -= trials.cost
    good = (edit for edit in _safely(suggest(entry, translation)) if trials.is_good(edit, entry))
    # A key has one meaning; a text may be contents or the name of a file.
    return tuple(islice(good, 1) if code == messages.UNUSED_KEY.code else good)


def login_fixes(translation: Translation, key: str, trials: Trials) -> tuple[Edit, ...]:
    """Return the edit that gives the user core this public key, tried out: then somebody can log in."""
    good = []
    for edit in _safely(login.add_key(translation, key)):
        after = trials.after(edit)
        if (
            after is not None
            and after.ignition is not None
            and allows_login(after.ignition)
            and not trials.spoils(after)
        ):
            good.append(edit)
    return tuple(good)


def _safely(edits: Iterable[Edit]) -> Iterator[Edit]:
    try:
        yield from edits
    except Unwritable:
        return


def _reaches_elsewhere(span: Span, root: Node | None) -> bool:
    """True if an edit changes anchored text that aliases use in another role, where the new value may be wrong."""
    start, end = (span.line, span.column), (span.end_line, span.end_column)
    anchored: list[Node] = []
    todo = [root] if root is not None else []
    while todo:
        node = todo.pop()
        if (node.line, node.column) <= start and end <= (node.end_line, node.end_column):
            anchored += [node] if node.anchor else []
            todo += node.content
    roles = _roles(root) if anchored and root is not None else {}
    return any(len(roles.get(id(node), ())) > 1 for node in anchored)


def _roles(root: Node) -> dict[int, set[str]]:
    """The fields that each node is used for, directly and through aliases, by the node's id."""
    roles: dict[int, set[str]] = {}
    todo: list[tuple[Node, FieldType | None, str]] = [
        (root, FieldType(shape=Shape.STRUCT, go="", struct=get_schema().root), "")
    ]
    while todo:
        node, kind, role = todo.pop()
        roles.setdefault(id(node.target if node.kind == ALIAS else node), set()).add(role)
        if kind is None or node.kind in (ALIAS, SCALAR):
            continue
        if node.kind == SEQUENCE:
            # A list of mappings to merge keeps the role; the items of other lists have one of their own.
            inner, name = (kind.item, f"{role}[]") if kind.shape is Shape.LIST else (kind, role)
            todo += [(item, inner, name) for item in node.content]
        else:
            fields = kind.struct.fields if kind.struct is not None else {}
            for key, value in zip(node.content[::2], node.content[1::2], strict=True):
                if key.value == "<<":
                    todo.append((value, kind, role))
                elif kind.struct is not None and key.value in fields:
                    todo.append((value, fields[key.value].type, f"{kind.struct.name}.{key.value}"))
    return roles


_SUGGESTIONS: dict[str, Callable[[Entry, Translation], Iterator[Edit]]] = {
    "mode-not-octal": plain.mode,
    "unused-key": keys.suggest,
    "wrong-type": types.suggest,
    "variant-missing": plain.header,
    "version-invalid": plain.version,
    "no-translator": plain.translator,
    "yaml-tab": plain.tab,
    "yaml-start": plain.start,
    "yaml-colon": plain.fallen,
    "yaml-indent": plain.fallen,
    "yaml-syntax": plain.start,
    "filesystem": plain.filesystem,
    "unit-contents": textwords.suggest_literal,
    "proxy-scheme": plain.proxy,
    "yaml-missing-colon": plain.fallen,
    "yaml-unclosed": plain.fallen,
    "path-relative": plain.path,
    "path-not-simple": plain.path,
    "overwrite-no-source": plain.empty,
    "hash": plain.digest,
    "unit-extension": plain.unit_name,
    "dropin-extension": plain.dropin_name,
}
