"""`storage.trees`: local directories as files and links, as Butane walks them (base/v0_5/translate.go).

Works on the Ignition values, after all else is translated: an entry of the config's own may give a tree's file its owner or
mode, and a conflict is reported at the tree.
"""

from __future__ import annotations

import os
from typing import Any

from flatkit.butane import messages
from flatkit.butane.dataurl import data_url
from flatkit.butane.diagnostics import Diagnostics
from flatkit.butane.localfiles import LocalFault, LocalFiles, TreeEntry, go_error, join, read_file
from flatkit.butane.provenance import Origin
from flatkit.butane.schema import Schema
from flatkit.butane.source.node import Path


class TreeCopier:
    """Adds trees to an Ignition config, in place; faults are added to the diagnostics."""

    def __init__(self, files: LocalFiles, diagnostics: Diagnostics, origins: dict[Path, Origin]) -> None:
        self.files, self.diagnostics, self.origins = files, diagnostics, origins

    def copy(self, trees: list[dict[str, Any]], out: dict[str, Any], schema: Schema) -> None:
        """Add all trees, in their order."""
        self.nodes = Nodes(out.setdefault("storage", {}))
        for at, tree in enumerate(trees):
            path: Path = ("storage", "trees", at)
            try:
                entries = self.files.tree(tree.get("local", ""))
            except LocalFault as fault:
                self.diagnostics.error(path, fault.message)
                if not self.files.base:
                    break
                continue
            owner = {key: tree[key] for key in ("group", "user") if tree.get(key)}
            for entry in entries:
                if not entry.is_directory:
                    self._add(entry, tree, owner, path)
                elif owner or "dir_mode" in tree:
                    self._add_directory(entry, tree, owner, path)
        self.nodes.write_back()
        reorder(out, schema)

    def _add_directory(self, entry: TreeEntry, tree: dict[str, Any], owner: dict[str, Any], path: Path) -> None:
        place = join(tree.get("path") or "/", entry.relative)
        if self.nodes.has(place):
            self.diagnostics.error(path, messages.TREE_CONFLICT())
            return
        at, node = self.nodes.get("directories", place)
        node.update({**owner, "mode": tree.get("dir_mode", 0o755)})
        self.origins["storage", "directories", at] = Origin(path, whole=True)

    def _add(self, entry: TreeEntry, tree: dict[str, Any], owner: dict[str, Any], path: Path) -> None:
        if entry.fault:
            self.diagnostics.error(path, entry.fault)
            return
        group, key = ("links", "target") if entry.is_link else ("files", "source")
        at, node = self.nodes.get(group, join(tree.get("path") or "/", entry.relative))
        holder = node if entry.is_link else node.get("contents", {})
        if at < 0 or holder.get(key):
            self.diagnostics.error(path, messages.TREE_CONFLICT())
            return
        target: Path = ("storage", group, at)
        if self.nodes.is_new(group, at):
            self.origins[target] = Origin(path, whole=True)
            node.update(owner)
        try:
            made = {"target": _readlink(entry.source)} if entry.is_link else _embed(entry, node, tree.get("file_mode"))
        except LocalFault as fault:
            self.diagnostics.error(path, fault.message)
            return
        for name in made:
            self.origins[*target, name] = Origin(path, whole=name != "contents")
        if not entry.is_link:
            self.origins[*target, "contents", "source"] = Origin(path)
            self.origins[*target, "contents", "compression"] = Origin(path)
        node.update(made)


class Nodes:
    """The files, directories and links of the config so far, found by path."""

    def __init__(self, storage: dict[str, Any]) -> None:
        self.storage = storage
        self.lists = {group: storage.get(group, []) for group in ("files", "links", "directories")}
        self.known = {group: len(nodes) for group, nodes in self.lists.items()}
        self.at = {g: {node["path"]: i for i, node in enumerate(nodes)} for g, nodes in self.lists.items()}

    def get(self, group: str, path: str) -> tuple[int, dict[str, Any]]:
        """The node of this kind and path, made if need be; -1 if the path is taken by another kind."""
        found = self.at[group].get(path)
        if found is not None:
            return found, self.lists[group][found]
        if self.has(path):
            return -1, {}
        node: dict[str, Any] = {"path": path}
        self.lists[group].append(node)
        self.at[group][path] = len(self.lists[group]) - 1
        return self.at[group][path], node

    def has(self, path: str) -> bool:
        """True if there is a node of any kind at this path."""
        return any(path in paths for paths in self.at.values())

    def is_new(self, group: str, at: int) -> bool:
        """True if a tree made it."""
        return at >= self.known[group]

    def write_back(self) -> None:
        """Put lists that were not there before into the config."""
        for group in self.lists:
            if self.lists[group]:
                self.storage[group] = self.lists[group]


def _embed(entry: TreeEntry, node: dict[str, Any], mode: int | None) -> dict[str, Any]:
    contents = node.get("contents", {})
    source, compression = data_url(read_file(entry.source), contents.get("compression"))
    made: dict[str, Any] = {"contents": {**contents, "compression": compression, "source": source}}
    if "mode" not in node:
        made["mode"] = mode if mode is not None else 0o755 if entry.executable else 0o644
    return made


def _readlink(path: str) -> str:
    try:
        return os.readlink(path)  # noqa: PTH115
    except OSError as error:
        raise LocalFault(go_error("readlink", path, error)) from None


def reorder(out: dict[str, Any], schema: Schema) -> None:
    """Restore Ignition's key order where nodes were added, and drop an empty `storage`."""
    if not out["storage"]:
        del out["storage"]
    for group, name in (("files", "File"), ("links", "Link"), ("directories", "Directory")):
        for node in out.get("storage", {}).get(group, []):
            if "contents" in node:
                node["contents"] = schema.in_order("Resource", node["contents"])
            _refill(node, schema.in_order(name, node))
    if "storage" in out:
        out["storage"] = schema.in_order("Storage", out["storage"])
        _refill(out, schema.in_order("Config", out))


def _refill(value: dict[str, Any], ordered: dict[str, Any]) -> None:
    value.clear()
    value.update(ordered)
