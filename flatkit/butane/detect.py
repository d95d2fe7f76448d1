"""The format of a config: messages name it when a user gives one in place of another."""

from __future__ import annotations

import re
from enum import Enum

from flatkit.butane.source.document import Document
from flatkit.butane.source.node import MAPPING, SEQUENCE, Node, YamlFault
from flatkit.untrusted import lines_of


class Format(str, Enum):
    """The formats that users mix up."""

    BUTANE = "Butane"
    IGNITION = "Ignition"
    CLOUD_CONFIG = "cloud-config"
    CONTAINER_LINUX_CONFIG = "Container Linux Config"
    COMPOSE = "Docker Compose file"
    KUBERNETES = "Kubernetes manifest"
    ANSIBLE = "Ansible playbook"
    NETPLAN = "Netplan file"
    UNIT = "systemd unit"
    SCRIPT = "shell script"
    UNKNOWN = "unknown"

    def __str__(self) -> str:
        return self.value


_CLOUD_KEYS = frozenset((
    "coreos", "hostname", "write_files", "ssh_authorized_keys", "users", "runcmd", "packages", "bootcmd", "manage_etc_hosts",
))  # fmt: skip
_CLC_KEYS = frozenset(("update", "etcd", "locksmith", "flannel", "docker", "networkd"))
_TASKS = frozenset(
    ("hosts", "tasks", "roles", "become", "ansible.builtin.copy", "ansible.builtin.template", "copy", "template")
)
_UNIT_SECTION = re.compile(
    r"\s*\[(Unit|Service|Socket|Timer|Mount|Automount|Swap|Path|Slice|Install|Container|Pod|Volume|Kube|Network|Match|NetDev|Link)\]"
)
_SECTIONS = frozenset(("ignition", "passwd", "storage", "systemd", "kernel_arguments"))


def detect_format(source: str | bytes | Document) -> Format:
    """Return the likely format, from the first line and the top-level keys; faults in the text do not matter."""
    document = Document.of(source)
    try:
        shown = document.text
    except YamlFault:
        return Format.UNKNOWN
    if shown.lstrip().startswith("#cloud-config"):
        return Format.CLOUD_CONFIG
    keys = _top_level(document)
    if "variant" in keys:
        return Format.BUTANE
    if shown.lstrip().startswith("{") and "ignition" in keys:
        return Format.IGNITION
    if (foreign := _other_tools(document, shown, keys)) is not None:
        return foreign
    if keys & _CLOUD_KEYS and not keys & _SECTIONS:
        return Format.CLOUD_CONFIG
    if keys & _CLC_KEYS or _has_filesystem_key(document.tree):
        return Format.CONTAINER_LINUX_CONFIG
    return Format.BUTANE if keys & _SECTIONS or "version" in keys else Format.UNKNOWN


# What another tool reads: neither Butane nor Ignition.
FOREIGN = frozenset(Format) - {Format.BUTANE, Format.IGNITION, Format.UNKNOWN}


def _other_tools(document: Document, shown: str, keys: set[str]) -> Format | None:
    first = next((line for line in lines_of(shown) if line.strip() and not line.startswith(("# ", ";"))), "")
    if _UNIT_SECTION.match(first) and not keys & _SECTIONS:
        return Format.UNIT
    if first.startswith("#!") and not keys & _SECTIONS:
        return Format.SCRIPT
    root = document.tree
    if {"apiVersion", "kind"} <= keys:
        return Format.KUBERNETES
    items = root.content if root is not None and root.kind == SEQUENCE else ()
    if any(item.kind == MAPPING and item.positions().keys() & _TASKS for item in items):
        return Format.ANSIBLE
    child = root.child("services") if root is not None else None
    if child is not None and child.kind == MAPPING and not keys & _SECTIONS:
        return Format.COMPOSE
    child = root.child("network") if root is not None else None
    return Format.NETPLAN if child is not None and child.kind == MAPPING and not keys & _SECTIONS else None


def _top_level(document: Document) -> set[str]:
    try:
        root = document.root
    except YamlFault:
        # While it is being typed a text is often broken: the lines without indentation tell enough.
        lines = (line for line in lines_of(document.text) if line[:1].isalpha())
        keys = {line.partition(":")[0].strip() for line in lines if ":" in line}
        if document.text.lstrip().startswith("{") and '"ignition"' in document.text:
            keys.add("ignition")
        return keys
    return set(root.positions()) if root is not None and root.kind == MAPPING else set()


def _has_filesystem_key(root: Node | None) -> bool:
    """`filesystem: root` in a file: every Container Linux Config had it, no Butane config has."""
    storage = root.child("storage") if root is not None else None
    files = storage.child("files") if storage is not None else None
    if files is None or files.kind != SEQUENCE:
        return False
    return any(item.child("filesystem") is not None for item in files.content)
