"""The editor of a Butane file: its text, its faults, its Ignition. Saved on every change; one editor for each file.

The page owns the text: it travels from the page to here and never back, except when another one is loaded on purpose.
Answering to typing with an older text would undo what was typed since. Each answer names the page and the edit that it
is for, so that a page never shows an answer to a text that it has changed since.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from flatkit.butane import Translation
from flatkit.butane.lint import lint
from flatkit.errors import FlatkitError, InputError
from flatkit.widgets import drafts, editor_state
from flatkit.widgets.card import Card, Page, page_type
from flatkit.widgets.config_card import ConfigCard, summary, translate_text
from flatkit.widgets.editor_state import BecameMessage, CheckedMessage, EditorMessage, EditorState, MoreState

# No name that leads out of the folder, and no hidden one.
_FILE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}")
_EMPTY = "variant: flatcar\nversion: 1.0.0\n"


class Editor(Card):
    """One file: `text` as the user sees it, and its `translation`."""

    bundle = "editor"

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path.absolute()  # the kernel may change its folder
        self._shown_path = str(path)
        self.note = drafts.explain_name(self._shown_path)
        self.has_conflict = False
        self.start, self.solution = drafts.find_texts(path.name)
        self._lock = threading.RLock()
        # The page and the edit that the next answer is for, each page's newest edit, and the tab that is open.
        self._origin: tuple[str, int] = ("", 0)
        self._newest: dict[str, int] = {}
        self._edition = 0  # counts the texts: an edit says which one it was made on
        self._tab = ""
        text = drafts.read_draft(path)
        if text is None:
            text = self.start or _EMPTY
            drafts.write_draft(path, text)
            if self.start:
                self.note = f'"{path}" is new; it starts as its lesson starts'
        drafts.remember(path, text)
        # `_kept` is the text that this editor last saw in the file: any other one was written by another program.
        self.text = self._kept = text
        self.translation: Translation = translate_text(text, path)

    @property
    def ok(self) -> bool:
        """True if a machine can be made from it."""
        return self.translation.ok

    @property
    def ignition(self) -> dict[str, Any] | None:
        """The Ignition config, or None when the text has faults."""
        return self.translation.ignition

    @property
    def card(self) -> ConfigCard:
        """Verdict, faults and Ignition as a value that displays itself."""
        is_saved = self.text == self._kept
        return ConfigCard(path=self._shown_path, translation=self.translation, note=self.note, is_saved=is_saved)

    def as_text(self) -> str:
        """Return the text of the card."""
        return repr(self.card)

    def kept_text(self) -> str:
        """Return the text to store: the file has the config, which may have changed since."""
        return f'the editor of "{self.path.name}"; your text is in that file'

    # The text and its file

    def change(self, text: str) -> None:
        """Take the text that was typed: translate it, and save it unless another program has written the file since."""
        with self._lock:
            self.text = text
            self._edition += 1
            self.translation = translate_text(text, self.path)
            self._save()
            self.draw()

    def keep_mine(self) -> None:
        """Settle a conflict: write this text to the file; the other one is kept beside it."""
        with self._lock:
            kept = drafts.write_draft(self.path, self.text)
            self._kept = self.text
            self.has_conflict = False
            self.note = f'the other text is kept as "{kept.name}"' if kept else ""
            self.draw()

    def load(self) -> None:
        """Load the file; a text that was not saved is kept beside it."""
        with self._lock:
            text = drafts.read_draft(self.path)
            if text is None:
                drafts.write_draft(self.path, self.text)
                return
            if self.has_conflict:
                drafts.write_draft(self.path.with_name(self.path.name + "~"), self.text)
            self._take(text, "loaded from the file")

    def look(self) -> None:
        """Follow a file that another program has changed, unless a text would be lost. Raises InputError."""
        with self._lock:
            if self.has_conflict or not self._is_changed_outside():
                return
            if self.text == self._kept:
                self.load()
            else:
                self._save()
                self.draw()

    def _is_changed_outside(self) -> bool:
        text = drafts.read_draft(self.path)
        return text is not None and text not in (self._kept, self.text)

    def reset(self) -> None:
        """Return to the start of the lesson; the text is kept beside it. Raises InputError without a start."""
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
        """Return the names of the other Butane files in the same folder."""
        found = (path.name for path in self.path.parent.glob("*.bu") if path.is_file())
        return tuple(sorted(name for name in found if name != self.path.name))

    def read_other(self, name: str) -> str:
        """Return the text of another Butane file of the same folder. Raises InputError."""
        if name not in self.others():
            raise InputError(
                f'there is no Butane file "{name}" beside "{self.path.name}"', hint="choose one of the list"
            )
        return drafts.read_draft(self.path.with_name(name)) or ""

    def save_copy(self, name: str) -> str:
        """Write the text into a new file of the same folder, and return its name. Raises InputError if it exists."""
        if not _FILE_NAME.fullmatch(name):
            raise InputError(
                f'"{name}" is not a valid file name; expected letters, digits, ".", "-" or "_"', hint="own.bu"
            )
        copy = self.path.with_name(name if name.endswith(".bu") else f"{name}.bu")
        if copy.exists():
            raise InputError(f'there is a file "{copy.name}" already; nothing was written', hint="take another name")
        drafts.write_draft(copy, self.text)
        return copy.name

    def _take(self, text: str, note: str) -> None:
        drafts.remember(self.path, text)
        self.text, self.note, self.has_conflict = text, note, False
        self._kept = text
        self._edition += 1
        self.translation = translate_text(text, self.path)
        self._replace("")
        self.draw()

    def _save(self) -> None:
        try:
            if self.has_conflict or self._is_changed_outside():
                self.has_conflict = True
                self.note = f'not saved: "{self._shown_path}" was changed outside this editor meanwhile'
                return
            drafts.write_draft(self.path, self.text)
            self._kept = self.text
        except InputError as error:
            self.note = f"not saved: {error.message}"
        else:
            self.note = "saved"

    # The page

    def state(self) -> EditorState:
        """Return what a page starts with. `text` is current: it is read when a page opens."""
        return {
            "name": self.path.name,
            "place": str(self.path),
            "text": self.text,
            "edition": self._edition,
            "schema": editor_state.schema_state(),
        }

    def _make_page(self) -> Page:
        return page_type(self.bundle)(self.state(), self.hear, current=self.state)

    def draw(self) -> None:
        """Send the pages the result of the text: the faults first, they are urgent."""
        if self._page is None:
            return
        page, seq = self._origin
        translation = self.translation
        checked: CheckedMessage = {
            "kind": "checked",
            "page": page,
            "seq": seq,
            "edition": self._edition,
            "ok": self.ok,
            "note": self.note,
            "conflict": self.has_conflict,
            "report": editor_state.entry_states(lint(translation), translation.failure, translation.version),
            "start": self.start is not None,
            "solution": self.solution is not None,
            "ignition": (self.ignition or {}).get("ignition", {}).get("version", ""),
        }
        self._send(checked)
        became: BecameMessage = {"kind": "became", "page": page, "seq": seq, "more": self._more()}
        if self.ok:
            became["json"], became["origins"] = translation.json, editor_state.origins(translation)
        self._send(became)

    def _more(self) -> MoreState:
        """Return what only the open tab needs: nothing is worked out for a tab that is closed."""
        more: MoreState = {}
        if self._tab == "explain":
            more["explain"] = editor_state.explanation(self.translation)
            more["gets"] = list(summary(self.ignition or {}))
        if self._tab == "changes" and self.solution is not None:
            more["solution"] = editor_state.difference(self.text, self.solution)
        if self._tab == "changes" and self.start is not None:
            more["start"] = editor_state.difference(self.start, self.text)
        return more

    def _send(self, message: EditorMessage) -> None:
        if self._page is not None:
            self._page.send(message)

    def hear(self, message: Any) -> None:
        """Do what a page asks for: a message has its verb, the page's name, and the tab that is open there."""
        arguments = dict(message) if isinstance(message, dict) else {}
        act = self.verbs().get(str(arguments.pop("verb", "")))
        page = str(arguments.pop("page", ""))
        with self._lock:
            self._tab = str(arguments.pop("tab", self._tab))
            try:
                if act is not None:
                    act(page, **arguments)
            except FlatkitError as error:
                self._say(page, f"{error.message}. {error.hint}", ok=False)

    def verbs(self) -> Mapping[str, Callable[..., object]]:
        """Return what a page can ask for; each is called with the page's name."""
        return {
            "edit": self._edit,
            "hello": self._hello,
            "sync": self._replace,
            "look": lambda _: self.look(),
            "keep": lambda _: self.keep_mine(),
            "load": lambda _: self.load(),
            "reset": lambda _: self.reset(),
            "others": lambda page: self._send({"kind": "others", "page": page, "names": list(self.others())}),
            "take": lambda page, name: self._send(
                {"kind": "take", "page": page, "name": name, "text": self.read_other(name)}
            ),
            "copy": lambda page, name: self._say(page, f'a copy is saved as "{self.save_copy(name)}"', ok=True),
        }

    def _edit(self, page: str, seq: int, text: str, on: int | None = None) -> None:
        # Messages may be handled on threads: an older text must not come after a newer one.
        if seq <= self._newest.get(page, -1):
            return
        self._newest[page] = seq
        self._origin = (page, seq)
        if on not in (None, self._edition) and text != self.text:
            # Made on a text that another page, or another program, has replaced since.
            self.has_conflict = True
            drafts.forget(self.path)
        self.change(text)

    def _replace(self, page: str) -> None:
        self._send({"kind": "replace", "page": page, "text": self.text, "edition": self._edition})

    def _hello(self, page: str, seq: int) -> None:
        self._origin = (page, seq)
        self.draw()

    def _say(self, page: str, text: str, *, ok: bool) -> None:
        self._send({"kind": "said", "page": page, "ok": ok, "text": text})


_editors: dict[Path, Editor] = {}
_registry = threading.Lock()


def get_editor(path: Path) -> Editor:
    """Return the editor of this file; a file that was changed outside is loaded again. Raises InputError."""
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
    """Let each open editor follow its file, after files were written."""
    for known in list(_editors.values()):
        with suppress(InputError):  # it is reported when the user types there
            known.look()
