"""The editor's page side: what is typed there is judged here, and the answer goes back. The page holds the text.

A text goes to the page only when it is asked for (another one is loaded, or a second page follows). Each answer names the
page and the edit that it is for, so that a page never shows an answer to something that it has changed since.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import traitlets

from flatkit.butane.lint import lint
from flatkit.errors import InputError
from flatkit.widgets import bundle, page_data
from flatkit.widgets.config_card import summary

if TYPE_CHECKING:
    from flatkit.widgets.editor import Editor


class EditorWidget(bundle.BundledWidget):
    """What JupyterLab is given. `text` is what a page starts with; it is not kept in step while a person types."""

    _esm = bundle.script("editor")
    _css = bundle.style("editor")
    name = traitlets.Unicode().tag(sync=True)
    place = traitlets.Unicode().tag(sync=True)
    text = traitlets.Unicode().tag(sync=True, to_json=lambda _, widget: widget.editor.text)
    schema = traitlets.Dict().tag(sync=True)

    def __init__(self, editor: Editor) -> None:
        self.editor = editor  # asked for while the widget is made
        place = str(editor.path.absolute())
        super().__init__(name=editor.path.name, place=place, schema=page_data.schema_data())


class EditorView:
    """Draws an Editor and tells it what is typed."""

    def __init__(self, editor: Editor) -> None:
        self.editor = editor
        self._lock = threading.RLock()
        self._origin: tuple[str, int] = ("", 0)
        self._newest: dict[str, int] = {}
        self._tab = ""
        self.widget = EditorWidget(editor)
        self.widget.on_msg(self._heard)

    def show(self, value: Editor) -> None:
        """Tell the pages what the text is worth: the faults first, they are waited for most."""
        page, seq = self._origin
        about = {"page": page, "seq": seq}
        translation, card = value.translation, value.card
        self.widget.send(
            {
                "kind": "judged", **about, "ok": card.ok, "note": value.note, "conflict": value.has_conflict,
                "report": page_data.report_data(lint(translation), translation.failure),
                "start": value.start is not None, "solution": value.solution is not None,
                "ignition": (value.ignition or {}).get("ignition", {}).get("version", ""),
            }
        )  # fmt: skip
        made = {"json": translation.json, "origins": page_data.origins(translation)} if card.ok else {}
        self.widget.send({"kind": "became", **about, **made, "more": self._more(value)})

    def _more(self, value: Editor) -> dict[str, Any]:
        """What only the open tab needs: nothing is worked out that nobody looks at."""
        if self._tab == "explain":
            gets = list(summary(value.ignition or {}))
            return {"explain": page_data.explanation_data(value.translation), "gets": gets}
        if self._tab == "changes":
            changes = {}
            if value.solution is not None:
                changes["solution"] = page_data.difference_data(value.text, value.solution)
            if value.start is not None:
                changes["start"] = page_data.difference_data(value.start, value.text)
            return changes
        return {}

    def replace(self, text: str, *, page: str = "") -> None:
        """Put another text into the pages, or into one of them: only when it was asked for."""
        self.widget.send({"kind": "replace", "page": page, "text": text})

    def _heard(self, _: Any, content: Any, __: Any) -> None:
        kind, page = str(content.get("kind", "")), str(content.get("page", ""))
        with self._lock:
            self._tab = str(content.get("tab", self._tab))
            try:
                self._do(kind, page, content)
            except InputError as error:
                self.widget.send({"kind": "said", "page": page, "ok": False, "text": f"{error.message}. {error.hint}"})

    def _do(self, kind: str, page: str, content: dict[str, Any]) -> None:
        editor = self.editor
        if kind == "edit":
            seq = int(content["seq"])
            # Messages may be handled on threads: an older text must not come after a newer one.
            if seq > self._newest.get(page, -1):
                self._newest[page] = seq
                self._origin = (page, seq)
                editor.change(str(content["text"]))
        elif kind == "hello":
            self._origin = (page, int(content["seq"]))
            self.show(editor)
        elif kind == "sync":
            self.replace(editor.text, page=page)
        elif kind == "look":
            editor.look()
        elif kind == "keep":
            editor.keep_mine()
        elif kind == "load":
            editor.load()
        elif kind == "reset":
            editor.reset()
        elif kind == "others":
            self.widget.send({"kind": "others", "page": page, "names": list(editor.others())})
        elif kind == "take":
            text = editor.read_other(str(content["name"]))
            self.widget.send({"kind": "take", "page": page, "name": content["name"], "text": text})
        elif kind == "copy":
            name = editor.save_copy(str(content["name"]))
            self.widget.send({"kind": "said", "page": page, "ok": True, "text": f'a copy is saved as "{name}"'})
