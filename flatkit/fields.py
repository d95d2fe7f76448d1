"""JSON from outside: the fields of an object, read one by one, or a whole dataclass by its types; and a dataclass as JSON.

Each fault is a ValueError that names the field and its value. `bool` is not a number here, unlike in Python, and a text is
not a list of characters.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from flatkit.untrusted import printable

TEXT_MAX = 1000
LIST_MAX = 20_000
NUMBER_MAX = 10**18  # the limit of `is_number`
_SHOWN = 60
_T = TypeVar("_T")


class Fields:
    """An object of a JSON document; `where` names it in messages, as "files[3]".

    A field with a `default` may be missing. `end` refuses fields that were never read; without it they are ignored.
    `limit` is the longest text of a dataclass's fields, and `strict` ends each object that `build` reads.
    """

    def __init__(self, value: Any, where: str = "", *, limit: int = TEXT_MAX, strict: bool = False) -> None:
        self.where, self._limit, self._strict = where, limit, strict
        if not isinstance(value, dict):
            raise self._fault("", value, "an object")
        self._values = value
        self._left = set(value)

    def text(
        self,
        name: str,
        *,
        form: re.Pattern[str] | None = None,
        expected: str = "",
        default: str | None = None,
        limit: int = TEXT_MAX,
    ) -> str:
        """Return a text of at most `limit` characters. With `form` it must match; `expected` describes that form in words."""
        value = self._take(name, default)
        return self._text(name, value, form=form, expected=expected, limit=limit)

    def texts(
        self, name: str, *, form: re.Pattern[str] | None = None, expected: str = "", most: int = LIST_MAX
    ) -> tuple[str, ...]:
        """Return a list of texts, each as `text` checks it, at most `most` of them."""
        return tuple(
            self._text(f"{name}[{number}]", value, form=form, expected=expected, limit=TEXT_MAX)
            for number, value in enumerate(self._list(name, most))
        )

    def printed(self, name: str, *, limit: int = TEXT_MAX) -> str:
        """Return a text of one line without control or other hidden characters."""
        return self._printed(name, self._take(name, None), limit)

    def all_printed(self, name: str, *, most: int = LIST_MAX) -> tuple[str, ...]:
        """Return a list of texts, each as `printed` checks it."""
        return tuple(
            self._printed(f"{name}[{number}]", value, TEXT_MAX) for number, value in enumerate(self._list(name, most))
        )

    def number(self, name: str, *, least: int = 0, most: int = NUMBER_MAX, default: int | None = None) -> int:
        """Return a whole number from `least` to `most`."""
        return self._number(name, self._take(name, default), least=least, most=most)

    def objects(
        self, name: str, build: Callable[[Fields], _T], *, most: int = LIST_MAX, default: list[Any] | None = None
    ) -> tuple[_T, ...]:
        """Return the results of `build` for each object in a list."""
        values = self._list(name, most, default)
        return tuple(build(self._inner(f"{name}[{n}]", value)) for n, value in enumerate(values))

    def inner(self, name: str, build: Callable[[Fields], _T]) -> _T:
        """Return the result of `build` for an object."""
        return build(self._inner(printable(name, limit=_SHOWN), self._take(name, None)))

    def table(self, name: str, build: Callable[[Fields], _T]) -> dict[str, _T]:
        """Return the result of `build` for each object in an object of objects; empty where the field is missing."""
        found = self._inner(name, self._take(name, {}))
        return {key: found.inner(key, build) for key in found.names()}

    def build(self, kind: type[_T]) -> _T:
        """Return a dataclass: each of its fields by its type, those with a default may be missing.

        A field's metadata are further arguments of `text` or `number`, as in `field(metadata={"most": 10})`; `items` bounds
        a list.
        """
        values, found = self._values, {}
        for name, hint, is_needed, rule in _fields_of(cast("Any", kind)):
            if name in values:
                found[name] = self._typed(name, values[name], hint, rule)
            elif is_needed:
                raise ValueError(f"{self._place(name)} is missing")
        if self._strict:
            self._left -= found.keys()
            self.end()
        return kind(**found)

    def _typed(self, name: str, value: Any, hint: Any, rule: Mapping[str, Any]) -> Any:
        # The common types first: a server's state has tens of thousands of fields.
        if hint is str:
            return self._checked(name, value, rule)
        if hint is int:
            return self._number(name, value, **rule)
        if hint is float:
            return self._real(name, value)
        if hint is bool:
            return self._flag(name, value)
        if dataclasses.is_dataclass(hint):
            return self._inner(name, value).build(cast("type[Any]", hint))
        arguments = get_args(hint)
        if NoneType in arguments:
            return None if value is None else self._typed(name, value, arguments[0], rule)
        if get_origin(hint) is tuple:
            items = enumerate(self._checked_list(name, value, rule.get("items", LIST_MAX)))
            rule = {key: bound for key, bound in rule.items() if key != "items"}
            return tuple(self._typed(f"{name}[{number}]", item, arguments[0], rule) for number, item in items)
        try:
            return hint(self._checked(name, value, rule))
        except ValueError:
            raise self._fault(name, value, " or ".join(map(str, hint))) from None

    def _checked(self, name: str, value: Any, rule: Mapping[str, Any]) -> str:
        limit = rule.get("limit", self._limit)
        return self._text(name, value, form=rule.get("form"), expected=rule.get("expected", ""), limit=limit)

    def names(self) -> tuple[str, ...]:
        """Return the names of all fields."""
        return tuple(self._values)

    def end(self) -> None:
        """Refuse fields that were never read."""
        if self._left:
            name = min(self._left)
            raise ValueError(f"{self._place(printable(name, limit=_SHOWN))} is not a known field")

    def _inner(self, name: str, value: Any) -> Fields:
        return Fields(value, self._place(name), limit=self._limit, strict=self._strict)

    def _take(self, name: str, default: Any) -> Any:
        self._left.discard(name)
        value = self._values.get(name, default)
        if value is None and name not in self._values:
            raise ValueError(f"{self._place(name)} is missing")
        return value

    def _list(self, name: str, most: int, default: list[Any] | None = None) -> list[Any]:
        return self._checked_list(name, self._take(name, default), most)

    def _checked_list(self, name: str, value: Any, most: int) -> list[Any]:
        if not isinstance(value, list):
            raise self._fault(name, value, "a list")
        if len(value) > most:
            raise ValueError(f"{self._place(name)} has {len(value)} entries; expected at most {most}")
        return value

    def _text(self, name: str, value: Any, *, form: re.Pattern[str] | None, expected: str, limit: int) -> str:
        if not isinstance(value, str):
            raise self._fault(name, value, expected or "a text")
        if len(value) > limit:
            raise ValueError(f"{self._place(name)} has {len(value)} characters; expected at most {limit}")
        if form and not form.fullmatch(value):
            raise self._fault(name, value, expected)
        return value

    def _number(self, name: str, value: Any, *, least: int = 0, most: int = NUMBER_MAX) -> int:
        if type(value) is not int or not least <= value <= most:
            raise self._fault(name, value, f"a whole number from {least} to {most}")
        return value

    def _real(self, name: str, value: Any) -> float:
        if type(value) not in {int, float} or abs(value) > NUMBER_MAX or not math.isfinite(value):
            raise self._fault(name, value, "a finite number")
        return float(value)

    def _flag(self, name: str, value: Any) -> bool:
        if not isinstance(value, bool):
            raise self._fault(name, value, "true or false")
        return value

    def _printed(self, name: str, value: Any, limit: int) -> str:
        text = self._text(name, value, form=None, expected="", limit=limit)
        if printable(text, limit=limit) != text:
            raise self._fault(name, value, "one line of printable characters")
        return text

    def _place(self, name: str) -> str:
        return f"{self.where}.{name}" if self.where and name else name or self.where or "it"

    def _fault(self, name: str, value: Any, expected: str) -> ValueError:
        shown = f'"{printable(value, limit=_SHOWN)}"' if isinstance(value, str) else _shown(value)
        return ValueError(f"{self._place(name)} is {shown}; expected {expected}")


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    names = {None: "null", True: "true", False: "false"}
    if value is None or isinstance(value, bool):
        return names[value]
    return printable(value, limit=_SHOWN) if abs(value) < NUMBER_MAX * 1000 else "a number out of range"


@functools.cache
def _fields_of(kind: Any) -> tuple[tuple[str, Any, bool, Mapping[str, Any]], ...]:
    """Return a dataclass's fields: name, type, whether it must be given, and the rule for its value."""
    hints, missing = get_type_hints(kind), dataclasses.MISSING
    return tuple(
        (one.name, hints[one.name], one.default is missing and one.default_factory is missing, one.metadata)
        for one in dataclasses.fields(kind)
    )


def to_json(value: Any) -> Any:
    """Return a dataclass, or anything of them, enums, paths, lists and objects, as JSON-ready values; `build` reads them back."""
    if dataclasses.is_dataclass(value):
        return {name: to_json(getattr(value, name)) for name, *_ in _fields_of(cast("Any", type(value)))}
    if isinstance(value, dict):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    return value.value if isinstance(value, Enum) else str(value) if isinstance(value, Path) else value
