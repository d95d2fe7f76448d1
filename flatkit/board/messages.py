"""Messages of a trainer to a seat, or to all of them: a few kinds with bounded, printable texts. Pure.

Both sides read it as text from outside: the board what a trainer's page sent, a seat what the board sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from flatkit.errors import InputError
from flatkit.lessons.places import address_of, is_cell, is_notebook, place_of
from flatkit.untrusted import printable, printable_lines

# coming: a helper saw the flag; resolved: the flag comes down; hint: beside an exercise; room and pause: to all seats,
# an empty text takes it back.
MESSAGE_KINDS = ("coming", "resolved", "hint", "room", "pause")
TEXT_MAX, CONFIG_MAX = 400, 16 * 1024
_LINES_MAX, _TASK_MAX = 400, 80
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


@dataclass(frozen=True, kw_only=True)
class BoardMessage:
    """A message. `number` counts on the board. Of a hint: the `task` that it is about ("" for any), and a config for `file`.

    To all seats: the link to a `notebook` (its file's name without .ipynb), and to a `cell` of it by its id.
    `receipt`: the board takes the event `shown` for this hint. Older boards refuse that event, and never ask.
    """

    number: int
    kind: str
    text: str
    task: str = ""
    file: str = ""
    config: str = ""
    receipt: bool = False
    notebook: str = ""
    cell: str = ""

    @property
    def room(self) -> str:
        """The text that all seats see; "" takes it back."""
        return f"pause here{': ' if self.text else ''}{self.text}" if self.kind == "pause" else self.text

    @property
    def link(self) -> str:
        """The address of the cell that all seats are led to, from another notebook in the same folder; "" without one."""
        return address_of(self.notebook, self.cell) if self.notebook else ""

    @property
    def room_and_place(self) -> str:
        """The text that all seats see, with the place that it leads to in words."""
        return self.room + (f" ({place_of(self.notebook, self.cell)})" if self.notebook else "")

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values, as `parse_message` reads them. Without a link it has the fields of before."""
        return {name: value for name, value in asdict(self).items() if value or name not in {"notebook", "cell"}}


def parse_message(values: Any, *, number: int | None = None) -> BoardMessage:
    """Return the message of JSON values, cleaned; `number` replaces theirs. Raises InputError."""
    if not isinstance(values, Mapping):
        raise InputError("a message is not a JSON object")
    count = values.get("number") if number is None else number
    texts = {name: values.get(name, "") for name in ("kind", "text", "task", "file", "config", "notebook", "cell")}
    if type(count) is not int or count < 0 or not all(isinstance(one, str) for one in texts.values()):
        raise InputError('a message has no usable "number", "kind" or "text"')
    if texts["kind"] not in MESSAGE_KINDS:
        raise InputError(
            f'"{printable(texts["kind"], limit=40)}" is not a kind of message; expected {", ".join(MESSAGE_KINDS)}'
        )
    if bool(texts["config"]) != bool(texts["file"]) or (texts["file"] and not _FILE.fullmatch(texts["file"])):
        raise InputError(
            f'a hint\'s config is for the file "{printable(texts["file"], limit=80)}"; expected a plain name as web.bu'
        )
    if len(texts["config"]) > CONFIG_MAX:
        raise InputError(f"a hint's config has {len(texts['config'])} characters; expected at most {CONFIG_MAX}")
    _check_link(texts["kind"], texts["notebook"], texts["cell"])
    return BoardMessage(
        number=count,
        kind=texts["kind"],
        # A link without words gets some: an empty text takes the last one back, also at a seat that knows no links.
        text=printable(texts["text"] or (f"open {texts['notebook']}" if texts["notebook"] else ""), limit=TEXT_MAX),
        task=printable(texts["task"], limit=_TASK_MAX),
        file=texts["file"],
        config=printable_lines(texts["config"], lines=_LINES_MAX),
        receipt=texts["kind"] == "hint" and values.get("receipt") is True,
        notebook=texts["notebook"],
        cell=texts["cell"],
    )


def _check_link(kind: str, notebook: str, cell: str) -> None:
    """Raise InputError for a link that is not to a notebook beside the learner's, or not for all seats."""
    if not notebook and not cell:
        return
    if kind not in {"room", "pause"}:
        raise InputError(f'a message "{kind}" has a link; expected one only of room, pause')
    if not is_notebook(notebook):
        raise InputError(
            f'the link is to the notebook "{printable(notebook, limit=80)}"; expected a plain name as 03-immutable'
        )
    if cell and not is_cell(cell):
        raise InputError(f'the link is to the cell "{printable(cell, limit=80)}"; expected the id of a cell')
