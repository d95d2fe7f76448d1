"""A card: what a cell shows and a user works with. State and verbs are in Python; the page draws the one and sends the other.

The page side is one anywidget with one trait, `state`. It sends messages `{"verb": "next"}` and never changes the state.
Its JavaScript and CSS are in static/, built from js/ by `make bundles`.
"""

from __future__ import annotations

import functools
import threading
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import traitlets

from flatkit.board import seat
from flatkit.errors import FlatkitError
from flatkit.untrusted import escape_hidden
from flatkit.widgets import board_flag, display
from flatkit.widgets.display import Twin

# What to do with a card whose kernel is gone, above the text that the notebook has stored.
_WAKE = "Run this cell to wake it. Below is what it showed last."
KEPT_ANSWERS = "Run this cell to wake it. Your answers are kept. Below is what it showed last."
STATIC = Path(__file__).resolve().parent / "static"


class Page(anywidget.AnyWidget):
    """The page side. The page finds out by `ident` whether its kernel is still there."""

    ident = traitlets.Unicode().tag(sync=True)
    state = traitlets.Dict().tag(sync=True, to_json=lambda state, page: page.current() if page.current else state)

    def __init__(
        self,
        state: Mapping[str, Any],
        hear: Callable[[Any], None],
        *,
        current: Callable[[], Mapping[str, Any]] | None = None,
    ) -> None:
        """`hear` takes each message. With `current` a page that opens later starts with that, not with `state`."""
        self.current = current
        ident = uuid.uuid4().hex
        super().__init__(model_id=ident, ident=ident, state=dict(state))
        self.on_msg(lambda _, message, __: hear(message))


@functools.cache
def page_type(bundle: str) -> type[Page]:
    """Return the Page of a bundle. anywidget keeps one style sheet per class."""
    files = {"_esm": STATIC / f"{bundle}.js", "_css": STATIC / f"{bundle}.css"}
    return type(f"{bundle.title()}Page", (Page,), {"__module__": __name__, **files})


def escaped(value: Any) -> Any:
    """Return JSON-ready values with the hidden characters of every text made visible."""
    if isinstance(value, str):
        return escape_hidden(value)
    if isinstance(value, Mapping):
        return {name: escaped(one) for name, one in value.items()}
    return [escaped(one) for one in value] if isinstance(value, list | tuple) else value


class Card(Twin, ABC):
    """Shown once in a cell, with its text. A verb that is refused raises FlatkitError in Python, and shows it here."""

    # The name of its JavaScript and CSS.
    bundle: ClassVar[str]
    # Verbs that the page sends on its own: they leave the last refusal in sight.
    quiet: ClassVar[frozenset[str]] = frozenset()
    # Whether the state has no text of machines and servers to show, and must reach the page as it is.
    is_raw: ClassVar[bool] = False
    # What brings it back when its kernel is gone.
    wake: ClassVar[str] = _WAKE
    # Whether the learner's flag for the trainer's board is at hand on it.
    has_flag: ClassVar[bool] = False

    def __init__(self) -> None:
        self.refusal: FlatkitError | None = None
        self._page: Page | None = None
        self._drawing = threading.RLock()
        self._shown_in: int | None = None
        self._ident = uuid.uuid4().hex
        self._stored = ""

    @abstractmethod
    def state(self) -> Mapping[str, Any]:
        """Return what the page draws, as JSON-ready values. What it quotes of machines and servers is escaped later."""

    @abstractmethod
    def verbs(self) -> Mapping[str, Callable[..., object]]:
        """Return what the page can ask for, by name; the rest of a message are keyword arguments."""

    @property
    def page(self) -> Page:
        """The page side, made on first use."""
        with self._drawing:
            if self._page is None:
                self._page = self._make_page()
                if self.has_flag:
                    seat.watch(self)
            return self._page

    def _make_page(self) -> Page:
        return page_type(self.bundle)(self._sent(), self.hear)

    def _sent(self) -> dict[str, Any]:
        state = self.state()
        return dict(state) if self.is_raw else escaped(state)

    @property
    def widget(self) -> Any:
        """The widget that a notebook shows."""
        return self.page

    def draw(self) -> None:
        """Send the state to the page, if it has changed."""
        with self._drawing:
            if self._page is not None:
                self._page.state = self._sent()
                self._store_text()

    @property
    def is_moving(self) -> bool:
        """True while it changes by itself, many times a second: its text is stored when it has settled."""
        return False

    def kept_text(self) -> str:
        """Return the text to store in the notebook."""
        return self.as_text()

    def _store_text(self) -> None:
        """Store the text of a card that is shown, if it has changed."""
        if self._shown_in is None or self.is_moving:
            return
        text = self.kept_text()
        if text != self._stored:
            self._stored = text
            display.keep(text, self.wake, self._ident, again=True)

    def hear(self, message: Any) -> None:
        """Do what the page asks for. Jupyter swallows exceptions in callbacks, so a refusal is shown on the card."""
        arguments = dict(message) if isinstance(message, dict) else {}
        verb = str(arguments.pop("verb", ""))
        act = self.verbs().get(verb) or (board_flag.verbs_of(self).get(verb) if self.has_flag else None)
        if act is None:
            return
        if verb not in self.quiet:
            self.refusal = None
        try:
            act(**arguments)
        except FlatkitError as error:
            self.refusal = error
        self.draw()

    def _ipython_display_(self) -> None:
        self.display()

    @property
    def is_shown(self) -> bool:
        """True if the running cell shows it already."""
        return self._shown_in is not None and self._shown_in == display.cell_number()

    def display(self) -> None:
        """Show the card below this cell, once. Outside IPython nothing is shown."""
        if self.is_shown or display.get_shell() is None:
            return
        with self._drawing:  # a change of another thread replaces what is shown here, and so comes after it
            widget = self.widget
            self.draw()
            self._shown_in = display.cell_number()
            display.publish(widget, repr(self))
            self._stored = self.kept_text()
            display.keep(self._stored, self.wake, self._ident)
