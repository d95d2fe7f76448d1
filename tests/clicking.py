"""Runs a notebook over the real protocol, and clicks: a message is sent as a page sends it, and what a handler raises fails.

nbclient alone executes cells and hears what they answer; what comes after a click has the click as its parent, so it would
not be heard.
"""

from __future__ import annotations

import time
from queue import Empty
from typing import Any

from jupyter_core.utils import run_sync
from nbclient import NotebookClient

_PATIENCE = 120.0


class Clicker(NotebookClient):
    """`widget_state` knows each widget by its comm's id; `faults` are the tracebacks of handlers."""

    def __init__(self, notebook: Any, **keys: Any) -> None:
        super().__init__(notebook, store_widget_state=True, **keys)
        self.faults: list[str] = []

    def find(self, **traits: Any) -> list[str]:
        """The widgets with these traits."""
        return [
            ident
            for ident, state in self.widget_state.items()
            if all(state.get(name) == value for name, value in traits.items())
        ]

    def click(self, ident: str) -> None:
        """As a click on a button of ipywidgets'."""
        self._tell(ident, {"method": "custom", "content": {"event": "click"}})

    def say(self, ident: str, **content: Any) -> None:
        """As `model.send` of a widget of ours."""
        self._tell(ident, {"method": "custom", "content": content})

    def choose(self, ident: str, **traits: Any) -> None:
        """As a change of traits on the page."""
        self._tell(ident, {"method": "update", "state": traits, "buffer_paths": []})

    def wait_for(self, ident: str, trait: str, is_true: Any) -> Any:
        """Until a trait has such a value; what the kernel says meanwhile is heard."""
        until = time.monotonic() + _PATIENCE
        while not is_true(self.widget_state[ident].get(trait)):
            assert time.monotonic() < until, f"{trait}: {self.widget_state[ident].get(trait)!r}"
            assert self.faults == []
            self._hear(0.2)
        return self.widget_state[ident][trait]

    def _tell(self, ident: str, data: dict[str, Any]) -> None:
        assert self.kc is not None
        message = self.kc.session.msg("comm_msg", {"comm_id": ident, "data": data})
        self.kc.shell_channel.send(message)
        until = time.monotonic() + _PATIENCE
        while not self._hear(1.0, message["header"]["msg_id"]):
            assert time.monotonic() < until, "the kernel did not come to rest after a click"
        assert self.faults == []

    def _hear(self, seconds: float, click: str = "") -> bool:
        """Take one message in; True when the click is dealt with."""
        assert self.kc is not None
        try:
            message = run_sync(self.kc.iopub_channel.get_msg)(timeout=seconds)
        except Empty:
            return False
        kind, content = message["msg_type"], message["content"]
        if kind == "error":
            self.faults.append("\n".join(content["traceback"]))
        # ipywidgets tells of a handler that failed on stderr only.
        if kind == "stream" and content["name"] == "stderr" and "Traceback" in content["text"]:
            self.faults.append(content["text"])
        if kind.startswith("comm"):
            self.handle_comm_msg([], message, 0)
        parent = message["parent_header"].get("msg_id", "")
        return kind == "status" and content["execution_state"] == "idle" and parent == click
