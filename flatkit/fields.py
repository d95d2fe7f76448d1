"""Fields of a JSON object from outside, read one by one. Each fault is a ValueError that names the field and its value.

`bool` is not a number here, unlike in Python, and a text is not a list of characters.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, TypeVar

from flatkit.untrusted import printable

TEXT_MAX = 1000
LIST_MAX = 20_000
NUMBER_MAX = 10**18  # the limit of `is_number`
_SHOWN = 60
_T = TypeVar("_T")


class Fields:
    """An object of a JSON document; `where` names it in messages, as "files[3]".

    A field with a `default` may be missing. `end` refuses fields that were never read; without it they are ignored.
    """

    def __init__(self, value: Any, where: str = "") -> None:
        self.where = where
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
        value = self._take(name, default)
        if type(value) is not int or not least <= value <= most:
            raise self._fault(name, value, f"a whole number from {least} to {most}")
        return value

    def real(self, name: str, *, default: float | None = None) -> float:
        """Return a finite number."""
        value = self._take(name, default)
        if type(value) not in {int, float} or abs(value) > NUMBER_MAX or not math.isfinite(value):
            raise self._fault(name, value, "a finite number")
        return float(value)

    def flag(self, name: str, *, default: bool | None = None) -> bool:
        """Return true or false."""
        value = self._take(name, default)
        if not isinstance(value, bool):
            raise self._fault(name, value, "true or false")
        return value

    def objects(
        self, name: str, build: Callable[[Fields], _T], *, most: int = LIST_MAX, default: list[Any] | None = None
    ) -> tuple[_T, ...]:
        """Return the results of `build` for each object in a list."""
        values = self._list(name, most, default)
        return tuple(build(Fields(value, self._place(f"{name}[{n}]"))) for n, value in enumerate(values))

    def inner(self, name: str, build: Callable[[Fields], _T]) -> _T:
        """Return the result of `build` for an object."""
        return build(Fields(self._take(name, None), self._place(printable(name, limit=_SHOWN))))

    def table(self, name: str, build: Callable[[Fields], _T]) -> dict[str, _T]:
        """Return the result of `build` for each object in an object of objects; empty where the field is missing."""
        found = Fields(self._take(name, {}), self._place(name))
        return {key: found.inner(key, build) for key in found.names()}

    def names(self) -> tuple[str, ...]:
        """Return the names of all fields."""
        return tuple(self._values)

    def end(self) -> None:
        """Refuse fields that were never read."""
        if self._left:
            name = min(self._left)
            raise ValueError(f"{self._place(printable(name, limit=_SHOWN))} is not a known field")

    def fault(self, name: str, expected: str) -> ValueError:
        """Return the error for a field with an unexpected value."""
        return self._fault(name, self._values.get(name), expected)

    def _take(self, name: str, default: Any) -> Any:
        self._left.discard(name)
        value = self._values.get(name, default)
        if value is None and name not in self._values:
            raise ValueError(f"{self._place(name)} is missing")
        return value

    def _list(self, name: str, most: int, default: list[Any] | None = None) -> list[Any]:
        value = self._take(name, default)
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
