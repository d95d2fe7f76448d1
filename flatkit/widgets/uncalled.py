"""A verb without its brackets as the last line of a cell: say how it is called, instead of `<function doctor at 0x...>`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any

from flatkit.widgets import display


def register(shell: Any) -> None:
    """Let the notebook show flatkit's functions and methods like this; all others as before. Twice changes nothing."""
    plain = shell.display_formatter.formatters["text/plain"]
    for kind in (FunctionType, MethodType):
        before = plain.lookup_by_type(kind)
        if not isinstance(before, _Shown):
            plain.for_type(kind, _Shown(before))


class _Shown:
    """IPython's printer for one kind of callable."""

    def __init__(self, before: Callable[[Any, Any, bool], None]) -> None:
        self._before = before

    def __call__(self, value: Any, printer: Any, cycle: bool) -> None:
        name = _name_of(value)
        if name:
            printer.text(f'"{name}" alone does nothing; it needs its brackets: write {name}({_needed(value)})')
        else:
            self._before(value, printer, cycle)


def _name_of(value: Any) -> str:
    """Return a callable as a learner writes it: fk.doctor, m.run, .serve of a card in no variable; "" if it is not flatkit's."""
    owner = getattr(value, "__self__", None)
    if owner is None:
        return f"fk.{value.__name__}" if value.__module__ == "flatkit.widgets.api" else ""
    if not type(owner).__module__.startswith("flatkit.widgets."):
        return ""
    shell = display.get_shell()
    holds = shell is not None and any(
        one is owner for key, one in list(shell.user_ns.items()) if not key.startswith("_")
    )
    return f"{display.variable_of(owner) if holds else ''}.{value.__name__}"


def _needed(value: Callable[..., Any]) -> str:
    """Return the parameters that a call must have, as they are typed."""
    parameters = inspect.signature(value).parameters.values()
    needed = [
        one for one in parameters if one.default is one.empty and one.kind not in {one.VAR_KEYWORD, one.VAR_POSITIONAL}
    ]
    return ", ".join(f"{one.name}=..." if one.kind is one.KEYWORD_ONLY else one.name for one in needed)
