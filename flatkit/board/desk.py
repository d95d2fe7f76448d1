"""The command line's way to a board: on its host by a key for one run, in a closed file; elsewhere by a trainer's secret."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from flatkit import web
from flatkit.errors import FetchError, InputError, UsageError
from flatkit.files import read_regular, save
from flatkit.untrusted import parse_json, printable

_FILE_MAX, _ANSWER_MAX = 4096, 4 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class BoardDesk:
    """A board that is served now. `key` gives a trainer's rights: the accounts that can read it can read the store as well.

    `password` is the secret instead where another host serves it: the trainers' password, or a token of the hub.
    """

    url: str
    key: str = ""
    password: str = ""

    @classmethod
    def open(cls, store: Path) -> Self:
        """Return the desk of the board with this store. Raises UsageError if none is served."""
        try:
            values = parse_json(read_regular(_file(store), limit=_FILE_MAX))
            desk = cls(url=str(values["url"]), key=str(values["key"]))
        except (OSError, ValueError, KeyError, TypeError):
            raise UsageError(
                "no board is served on this host, so no seat can be asked", hint="flatkit board serve"
            ) from None
        if not desk.url.startswith("http://") or not desk.key.isascii() or not desk.key.isprintable():
            raise UsageError(f'the file "{_file(store)}" is not usable', hint="flatkit board serve")
        return desk

    @classmethod
    def at(cls, address: str, password: str) -> Self:
        """Return the desk of the board at an address. Raises UsageError for anything but a web address."""
        url = address.rstrip("/")
        web.check_address(url)
        return cls(url=url, password=password)

    def ask(self, seat: str, kind: str, *, machine: str = "", back: bool = False) -> Mapping[str, Any]:
        """Ask a seat, or take that back; return its requests. Raises InputError when the board refuses, FetchError."""
        asks = self._post("ask", {"seat": seat, "kind": kind, "machine": machine, "back": back}).get("asks")
        return asks if isinstance(asks, Mapping) else {}

    def look(self, seat: str, after: int) -> Mapping[str, Any]:
        """Return what a seat shows behind this number, and its requests. Raises InputError, FetchError."""
        return self._post("look", {"seat": seat, "after": after})

    def _post(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        headers = {"Content-Type": "application/json"}
        if self.key:
            headers["Authorization"] = f"key {self.key}"
        else:
            body = {**body, "password": self.password}
        try:
            found = web.post(f"{self.url}/desk/{path}", json.dumps(body).encode(), headers=headers, limit=_ANSWER_MAX)
        except FetchError as error:
            raise FetchError(error.message, hint="flatkit board serve" if self.key else error.hint) from None
        values: Any = None
        with suppress(ValueError):
            values = parse_json(found.data, limit=_ANSWER_MAX)
        answer: Mapping[str, Any] = values if isinstance(values, Mapping) else {}
        if found.ok:
            return answer
        said = answer.get("error")
        if isinstance(said, str) and not said.startswith("status "):
            raise InputError(printable(said), hint="flatkit board")
        if found.status == 400:
            raise UsageError(f'there is no seat "{printable(body["seat"])}"', hint="flatkit board")
        raise web.refusal(self.url, found.status)


def open_desk(store: Path, url: str, key: str) -> Path:
    """Let the command line of this account, and root's, ask at a board; return the file, to be removed when it ends."""
    save(_file(store), json.dumps({"url": url, "key": key}) + "\n", mode=0o600)
    return _file(store)


def _file(store: Path) -> Path:
    return store.with_name("desk.json")
