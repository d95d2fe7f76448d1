"""A config, and pretended collaborators, for the tests of the notebook face."""

from __future__ import annotations

from typing import Any

from flatkit import web

CONFIG = """\
variant: flatcar
version: 1.0.0
storage:
  files:
    - path: /etc/hostname
      contents:
        inline: web
"""


class Web:
    """Pretends to be the machine's web server."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: list[web.Response | Exception] = []

    def get(self, url: str, *, timeout: float) -> web.Response:
        self.asked.append(url)
        answer = self.answers.pop(0) if self.answers else web.Response(url=url, status=200, text="<h1>Hello</h1>\n")
        if isinstance(answer, Exception):
            raise answer
        return answer


class Shown:
    """Keeps what a cell displays."""

    def __init__(self) -> None:
        self.bundles: list[dict[str, Any]] = []

    def publish(self, data: dict[str, Any], **_: Any) -> None:
        self.bundles.append(data)

    @property
    def texts(self) -> list[str]:
        return [bundle["text/plain"] for bundle in self.bundles]
