"""The page's end of a widget's wire, without a page: what the widget sends is kept, and what a page would send can be sent.

Real widgets run on it unchanged, in tests of their Python side; a test page can be put behind it as well.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

# No types there: named by text.
_comm: Any = importlib.import_module("comm")


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One message to the page: a change of traits (`state`), or what the widget said (`content`)."""

    state: dict[str, Any] = field(default_factory=dict)
    content: Any = None
    buffers: tuple[bytes, ...] = ()


class FakeFront:
    """Puts itself behind a widget. Messages may come from any thread."""

    def __init__(self, widget: Any) -> None:
        self.widget = widget
        self._lock = threading.Lock()
        self._sent: list[Sent] = []
        widget.comm = self._comm = _make_comm(self)

    def take(self) -> list[Sent]:
        """Return the messages sent since the last call, in order."""
        with self._lock:
            sent, self._sent = self._sent, []
        return sent

    def said(self) -> list[Any]:
        """The contents of the custom messages since the last time."""
        return [sent.content for sent in self.take() if sent.content is not None]

    def send(self, content: Any, buffers: Sequence[bytes] = ()) -> None:
        """As `model.send` on the page."""
        self._receive({"method": "custom", "content": content}, buffers)

    def set(self, **state: Any) -> None:
        """As `model.set` and `model.save_changes` on the page."""
        self._receive({"method": "update", "state": state, "buffer_paths": []}, ())

    def _receive(self, data: dict[str, Any], buffers: Sequence[bytes]) -> None:
        self._comm.handle_msg({"content": {"data": data}, "buffers": list(buffers), "header": {"msg_id": "fake"}})

    def keep(self, data: dict[str, Any], buffers: Sequence[Any]) -> None:
        """A message from the widget."""
        raw = tuple(bytes(buffer) for buffer in buffers)
        method = data.get("method")
        with self._lock:
            if method == "custom":
                self._sent.append(Sent(content=data["content"], buffers=raw))
            elif method == "update":
                self._sent.append(Sent(state=data["state"], buffers=raw))


def _make_comm(front: FakeFront) -> Any:
    class Comm(_comm.base_comm.BaseComm):  # type: ignore[misc]
        def publish_msg(
            self, msg_type: str, data: Any = None, metadata: Any = None, buffers: Any = None, **keys: Any
        ) -> None:
            del metadata, keys
            if msg_type == "comm_msg":
                front.keep(data or {}, buffers or ())

    made = Comm(target_name="jupyter.widget", primary=False)
    _comm.get_comm_manager().register_comm(made)
    return made
