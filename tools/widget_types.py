"""`tools/widget_types.py`: write flatkit/widgets/js/src/state.d.ts, the types of Python's messages to the widgets.

They are the TypedDicts of flatkit/widgets, so that the type checkers of both sides look at the same names.
"""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

from flatkit.widgets import (
    board_asks,
    board_flag,
    channels_card,
    check_card,
    editor_state,
    guest_state,
    info_cards,
    machine_card,
    machine_info,
    moving_picture,
    panel,
    player_state,
    prediction_card,
    quiz_card,
    terminal,
)

TARGET = Path(__file__).resolve().parents[1] / "flatkit" / "widgets" / "js" / "src" / "state.d.ts"
HEAD = "// The state of each widget, as Python sends it. Written by tools/widget_types.py from the TypedDicts there.\n"
MODULES = (
    board_asks,
    board_flag,
    machine_info,
    panel,
    guest_state,
    machine_card,
    moving_picture,
    player_state,
    check_card,
    prediction_card,
    quiz_card,
    terminal,
    channels_card,
    info_cards,
    editor_state,
)
UNIONS = (Union, types.UnionType)
PLAIN = {str: "string", int: "number", float: "number", bool: "boolean", type(None): "null"}


def typescript(kind: Any) -> str:
    """Return a Python type as TypeScript."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind in PLAIN:
        return PLAIN[kind]
    if is_typeddict(kind):
        return str(kind.__name__)
    if origin is Literal:
        return " | ".join(f'"{value}"' for value in arguments)
    if origin in UNIONS:
        return " | ".join(map(typescript, arguments))
    if origin is NotRequired:
        return typescript(arguments[0])
    if origin is list:
        (item,) = arguments
        return f"({typescript(item)})[]" if get_origin(item) in UNIONS else f"{typescript(item)}[]"
    if origin is tuple:
        return f"[{', '.join(map(typescript, arguments))}]"
    if origin is dict:
        return f"Record<{typescript(arguments[0])}, {typescript(arguments[1])}>"
    raise TypeError(f"{kind} has no type on the page")


def interface(kind: Any) -> str:
    """Return a TypedDict as an interface, with its docstring."""
    hints = get_type_hints(kind, include_extras=True)
    lines = [
        f"  {name}{'?' if name in kind.__optional_keys__ else ''}: {typescript(hint)};" for name, hint in hints.items()
    ]
    return "\n".join([f"/** {kind.__doc__} */", f"export interface {kind.__name__} {{", *lines, "}"])


def source() -> str:
    """Return the whole file."""
    found = [
        kind
        for module in MODULES
        for kind in vars(module).values()
        if is_typeddict(kind) and kind.__module__ == module.__name__
    ]
    messages = typescript(editor_state.EditorMessage)
    return "\n".join([HEAD, *(f"{interface(kind)}\n" for kind in found), f"export type EditorMessage = {messages};\n"])


if __name__ == "__main__":
    TARGET.write_text(source(), encoding="utf-8")
