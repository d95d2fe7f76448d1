"""An update server that misbehaves on request: what a client must survive, on a real socket."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from io import BytesIO
from typing import TYPE_CHECKING

from flatkit.updates.server import UpdateServer

if TYPE_CHECKING:
    from flatkit.updates.http_app import Body


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One way to fail, for requests whose path ends in `path`; `times` 0 means every time.

    `status`: answer with it instead. `drop`: hang up without an answer. `truncate_after`: hang up after so many bytes of a
    body. `flip_byte`: change this byte of a file (counted in the file, not in the answer).
    """

    path: str
    times: int = 1
    status: int = 0
    drop: bool = False
    truncate_after: int | None = None
    flip_byte: int | None = None


class FaultyServer(UpdateServer):
    """An UpdateServer that commits the faults it was given; `requested` lists the paths in the order of the requests."""

    def __init__(self, *faults: Fault, listen: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(listen=listen, port=port)
        self.requested: list[str] = []
        self._faults = list(faults)
        self._committed: dict[int, int] = {}
        self._guard = threading.Lock()

    def inject(self, fault: Fault) -> None:
        """Commit one more fault from now on."""
        with self._guard:
            self._faults.append(fault)

    def before_answer(self, path: str) -> int:
        """Answer with the fault's status, or hang up."""
        self.requested.append(path)
        fault = self._take(path, in_body=False)
        if fault and fault.drop:
            raise ConnectionAbortedError("a test asked for it")
        return fault.status if fault else 0

    def alter_body(self, body: Body, *, path: str) -> Body:
        """Put the body's fault into it."""
        fault = self._take(path, in_body=True)
        if fault and fault.truncate_after is not None:
            return replace(body, count=min(body.count, fault.truncate_after))
        if fault and fault.flip_byte is not None and body.start <= fault.flip_byte < body.start + body.count:
            body.file.seek(body.start)
            data = bytearray(body.file.read(body.count))
            data[fault.flip_byte - body.start] ^= 0xFF
            return replace(body, file=BytesIO(bytes(data)), start=0)
        return body

    def _take(self, path: str, *, in_body: bool) -> Fault | None:
        with self._guard:
            for index, fault in enumerate(self._faults):
                is_of_body = fault.truncate_after is not None or fault.flip_byte is not None
                done = self._committed.get(index, 0)
                if path.endswith(fault.path) and is_of_body == in_body and (done < fault.times or not fault.times):
                    self._committed[index] = done + 1
                    return fault
        return None
