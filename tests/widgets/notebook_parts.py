"""A config, and pretended collaborators, for the tests of the notebook face."""

from __future__ import annotations

import threading
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


def join_threads(name: str) -> None:
    """Wait for the threads of that name: "refresher" draws, "look inside" asks a machine."""
    for thread in threading.enumerate():
        if thread.name == f"flatkit: {name}":
            thread.join(60)
            assert not thread.is_alive()


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
        self.kept: dict[str, str] = {}  # what is stored beside widgets

    def publish(
        self, data: dict[str, Any], *_: Any, transient: dict[str, str] | None = None, update: bool = False
    ) -> None:
        if transient is None or "text/plain" in data:
            self.bundles.append(data)
            return
        assert (transient["display_id"] in self.kept) == update
        self.kept[transient["display_id"]] = data["text/html"]

    @property
    def texts(self) -> list[str]:
        return [bundle["text/plain"] for bundle in self.bundles]


SLOTS_SAID = """/dev/vda3
--flatkit-cut--
       start        size    part  contents
        4096      262144       3  Label: "USR-A"
                                  Type: Alias for flatcar-rootfs
                                  UUID: 7130C94A-213A-4E5A-8E26-6CCE9662F132
                                  Attr: priority=1 tries=0 successful=1
      266240      262144       4  Label: "USR-B"
                                  Type: Alias for flatcar-rootfs
                                  UUID: E03DD35C-7C2D-4A47-B3FE-27F15780A57C
                                  Attr: priority=0 tries=0 successful=0
"""
LAYERS_SAID = """[{"hierarchy":"/usr","extensions":["docker-flatcar"],"since":1}]
--flatkit-cut--
ID=flatcar-lab
VERSION_ID=110.2.0
SYSEXT_LEVEL=1.0
--flatkit-cut--
/etc/extensions/docker-flatcar.raw /usr/share/flatcar/sysext/docker-flatcar.raw
--flatkit-cut--
/var/lib/extensions/wrong.raw /var/lib/extensions/wrong.raw
ID=flatcar-lab
SYSEXT_LEVEL=9.9
"""


def answer_inside(command: str) -> tuple[str, str, int]:
    """A pretended guest's answers to the questions about slots and layers."""
    said = {
        "rootdev": SLOTS_SAID,
        "s=$(systemd-sysext": LAYERS_SAID,
        ". /etc/os-release": "110.2.0\n",
        "sudo dmsetup": "0 9 verity V\n",
    }
    return next((text for start, text in said.items() if command.startswith(start)), ""), "", 0
