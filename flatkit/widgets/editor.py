"""A Butane file that is being edited: its text, its faults, its Ignition. Saved on every change; one editor for each file.

The view only draws and reports what was typed. A text travels from the page to here and never back, except when another one
is loaded on purpose: answering to typing with an older text would undo what was typed since.
"""

from __future__ import annotations

import re
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flatkit import paths
from flatkit.butane import Translation
from flatkit.errors import InputError
from flatkit.widgets import display, drafts
from flatkit.widgets.config_card import ConfigCard, judge
from flatkit.widgets.twin import Twin

if TYPE_CHECKING:
    from flatkit.widgets.editor_view import EditorView

# No name that leads out of the folder, and none that is hidden.
_FILE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}")
_EMPTY = "variant: flatcar\nversion: 1.0.0\n"


class Editor(Twin):
    """One file. `text` is what the person sees, `translation` what it is worth."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()  # the kernel may go to another folder
        self._shown = str(path)
        self.note = ""
        self.has_conflict = False
        self.start, self.solution = find_texts(path.name)
        self._lock = threading.RLock()
        self._view: EditorView | None = None
        self._place = display.Place()
        text = drafts.read_draft(path)
        if text is None:
            text = self.start or _EMPTY
            drafts.write_draft(path, text)
            self.note = f'"{path}" is new; it starts as its lesson starts' if self.start else ""
        drafts.remember(path, text)
        # `_kept` is what this editor knows to be in the file: anything else there was written by somebody else.
        self.text = self._kept = text
        self.translation: Translation = judge(text, path)

    @property
    def ok(self) -> bool:
        """Whether a machine can be made from it."""
        return self.translation.ok

    @property
    def ignition(self) -> dict[str, Any] | None:
        """The Ignition config, or None when the text has faults."""
        return self.translation.ignition

    @property
    def card(self) -> ConfigCard:
        """Verdict, faults and Ignition as one value that shows itself."""
        return ConfigCard(path=self._shown, translation=self.translation, note=self.note)

    def change(self, text: str) -> None:
        """The person typed: judge it, and save it unless somebody else has written the file meanwhile."""
        with self._lock:
            self.text = text
            self.translation = judge(text, self.path)
            self._save()
            self._draw()

    def keep_mine(self) -> None:
        """Settle a conflict: this text goes to the file; the other one is kept beside it."""
        with self._lock:
            kept = drafts.write_draft(self.path, self.text)
            self._kept = self.text
            self.has_conflict = False
            self.note = f'the other text is kept as "{kept.name}"' if kept else ""
            self._draw()

    def load(self) -> None:
        """Show what the file holds now; a text that was not saved is kept beside it."""
        with self._lock:
            text = drafts.read_draft(self.path)
            if text is None:
                drafts.write_draft(self.path, self.text)
                return
            if self.has_conflict:
                drafts.write_draft(self.path.with_name(self.path.name + "~"), self.text)
            self._take(text, "loaded from the file")

    def look(self) -> None:
        """The file may have been changed outside: follow it, unless a text would be lost by that. Raises InputError."""
        with self._lock:
            if self.has_conflict or not self._is_changed_outside():
                return
            if self.text == self._kept:
                self.load()
            else:
                self._save()
                self._draw()

    def _is_changed_outside(self) -> bool:
        text = drafts.read_draft(self.path)
        return text is not None and text not in (self._kept, self.text)

    def reset(self) -> None:
        """Go back to the start; the person's own text is kept beside it. Raises InputError when there is no start."""
        start = self.start
        if start is None:
            raise InputError(f'there is no start of a lesson named "{self.path.name}"', hint="write the file yourself")
        with self._lock:
            own = self.path.with_name(self.path.name + "~")
            if self.text != start:
                drafts.write_draft(own, self.text)
            drafts.write_draft(self.path, start)
            self._take(start, f'this is the start again; your text is kept as "{own.name}"')

    def others(self) -> tuple[str, ...]:
        """The names of the other Butane files in the same folder."""
        found = (path.name for path in self.path.parent.glob("*.bu") if path.is_file())
        return tuple(sorted(name for name in found if name != self.path.name))

    def read_other(self, name: str) -> str:
        """The text of another Butane file of the same folder. Raises InputError."""
        if name not in self.others():
            raise InputError(
                f'there is no Butane file "{name}" beside "{self.path.name}"', hint="choose one of the list"
            )
        return drafts.read_draft(self.path.with_name(name)) or ""

    def save_copy(self, name: str) -> str:
        """Write the text into a new file of the same folder: its name. Raises InputError when one of that name is there."""
        if not _FILE_NAME.fullmatch(name):
            raise InputError(
                f'"{name}" is no name for a file; expected letters, digits, ".", "-" or "_"', hint="own.bu"
            )
        copy = self.path.with_name(name if name.endswith(".bu") else f"{name}.bu")
        if copy.exists():
            raise InputError(f'there is a file "{copy.name}" already; nothing was written', hint="take another name")
        drafts.write_draft(copy, self.text)
        return copy.name

    def offer(self, solution: str) -> None:
        """Let the person compare their text with a solution; nothing of theirs is changed."""
        self.solution = solution
        self._draw()

    def _take(self, text: str, note: str) -> None:
        drafts.remember(self.path, text)
        self.text, self.note, self.has_conflict = text, note, False
        self._kept = text
        self.translation = judge(text, self.path)
        if self._view is not None:
            self._view.replace(text)
        self._draw()

    def _save(self) -> None:
        try:
            if self.has_conflict or self._is_changed_outside():
                self.has_conflict = True
                self.note = f'not saved: "{self._shown}" was changed outside this editor meanwhile'
                return
            drafts.write_draft(self.path, self.text)
            self._kept = self.text
        except InputError as error:
            self.note = f"not saved: {error.message}"
        else:
            self.note = "saved"

    def _draw(self) -> None:
        if self._view is not None:
            self._view.show(self)

    def as_text(self) -> str:
        """Return the text twin."""
        return repr(self.card)

    def _ipython_display_(self) -> None:
        if not self._place.is_new():
            return
        if self._view is None:
            from flatkit.widgets.editor_view import EditorView

            self._view = EditorView(self)
        self._draw()
        self._place.shown()
        display.publish(self._view, repr(self))


def find_texts(name: str) -> tuple[str | None, str | None]:
    """What the file of that name starts as (in its exercise, else as an example) and its solution; None where there is none."""
    from flatkit import lessons

    start, solution = lessons.find_texts(name)
    example = paths.examples_dir() / name
    if start is None and example.is_file():
        start = example.read_text(encoding="utf-8")
    return start, solution


_editors: dict[Path, Editor] = {}
_registry = threading.Lock()


def get_editor(path: Path) -> Editor:
    """The editor of this file; a file that was changed outside is loaded again. Raises InputError."""
    with _registry:
        key = path.expanduser().absolute()
        known = _editors.get(key)
        if known is None:
            known = _editors[key] = Editor(path.expanduser())
        elif not known.path.exists():
            known.load()
        else:
            known.look()
        return known


def look_again() -> None:
    """Something wrote files: each open editor follows its own."""
    for known in list(_editors.values()):
        with suppress(InputError):  # it will be said when the person types there
            known.look()
