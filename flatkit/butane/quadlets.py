"""`systemd.quadlets`: podman's quadlets as files and links below /etc/containers/systemd (base/v0_8_exp/translate.go).

Works on the Ignition values like trees.py, and after it.
"""

from __future__ import annotations

from typing import Any

from flatkit.butane import messages
from flatkit.butane.dataurl import data_url
from flatkit.butane.diagnostics import Diagnostics
from flatkit.butane.localfiles import LocalFault, LocalFiles, join
from flatkit.butane.provenance import Origin
from flatkit.butane.schema import Schema
from flatkit.butane.source.node import Path
from flatkit.butane.trees import Nodes, reorder

EXTENSIONS = (".container", ".volume", ".network", ".kube", ".image", ".build", ".pod", ".artifact")
_ROOT, _USERS = "/etc/containers/systemd", "/etc/containers/systemd/users"


def template_of(name: str) -> str:
    """Return the template of an instance: `web@.container` for `web@1.container`, "" for any other name."""
    at, dot = name.find("@"), name.rfind(".")
    return f"{name[:at]}@.{name[dot + 1 :]}" if -1 not in (at, dot) and at + 1 != dot else ""


class QuadletWriter:
    """Adds quadlets to an Ignition config, in place; faults are added to the diagnostics."""

    def __init__(self, files: LocalFiles, diagnostics: Diagnostics, origins: dict[Path, Origin]) -> None:
        self.files, self.diagnostics, self.origins = files, diagnostics, origins

    def write(self, quadlets: list[dict[str, Any]], out: dict[str, Any], schema: Schema) -> None:
        """Add all quadlets, in their order."""
        self.nodes = Nodes(out.setdefault("storage", {}))
        for at, quadlet in enumerate(quadlets):
            path: Path = ("systemd", "quadlets", at)
            name = quadlet.get("name", "")
            place = join(_ROOT if quadlet.get("rootful") else _USERS, name)
            if template := template_of(name):
                self._add_link(place, template, path)
            else:
                self._add_file(place, quadlet, path)
            for number, dropin in enumerate(quadlet.get("dropins", ())):
                self._add_file(f"{place}.d/{dropin.get('name', '')}", dropin, (*path, "dropins", number))
        self.nodes.write_back()
        reorder(out, schema)

    def _add(self, group: str, place: str, path: Path) -> tuple[Path, dict[str, Any]] | None:
        """Return a new entry and its place in the JSON; None, and an error, when there is one of this path."""
        if self.nodes.has(place):
            self.diagnostics.error(path, messages.TREE_CONFLICT())
            return None
        at, node = self.nodes.get(group, place)
        target: Path = ("storage", group, at)
        self.origins[target] = Origin(path, whole=True)
        self.origins[*target, "path"] = Origin((*path, "name"))
        return target, node

    def _add_link(self, place: str, template: str, path: Path) -> None:
        if added := self._add("links", place, path):
            added[1]["target"] = template

    def _add_file(self, place: str, given: dict[str, Any], path: Path) -> None:
        added = self._add("files", place, path)
        if added is None:
            return
        target, node = added
        key, data = "", b""
        try:
            if given.get("contents_local"):
                key, data = "contents_local", self.files.read(given["contents_local"])
        except LocalFault as fault:
            self.diagnostics.error((*path, "contents_local"), fault.message)
            return
        if given.get("contents"):
            key, data = "contents", given["contents"].encode("utf-8", "surrogateescape")
        source, compression = data_url(data, None)
        node.update({"contents": {"compression": compression, "source": source}, "mode": 0o644})
        self.origins[*target, "contents"] = Origin((*path, key) if key else path, whole=True)
        self.origins[*target, "contents", "compression"] = Origin(path, whole=True)
