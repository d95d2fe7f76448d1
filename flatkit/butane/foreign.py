"""Keys and formats of other tools, and where the same thing belongs in Butane. The sentences are data, in foreign.json."""

from __future__ import annotations

import functools
import pathlib
import re

from flatkit.butane.detect import Format
from flatkit.butane.source.node import SCALAR, SEQUENCE, Node
from flatkit.files import read_data

_FILE = pathlib.Path(__file__).with_name("foreign.json")
_SAME = "Ignition does not read it; write the same as a Butane config"
PASTED = {
    Format.CLOUD_CONFIG: "This is a cloud-config: Flatcar's Ignition reads Butane's result; write the same as a Butane config. "
    "write_files are storage.files (permissions is mode, content is contents.inline), users are passwd.users, runcmd is a "
    "oneshot unit, hostname is the file /etc/hostname.",
    Format.CONTAINER_LINUX_CONFIG: "This is a Container Linux Config, the old format: start with variant: flatcar and version: "
    "1.1.0, and move what differs (files have no filesystem: any more; update, etcd and locksmith are written as files).",
    Format.IGNITION: "This is Ignition JSON, Butane's result: hand it to `flatkit up FILE.ign` as it is.",
    Format.COMPOSE: f"This is a Docker Compose file: {_SAME}. The file goes into storage.files, and a unit below systemd.units "
    "starts docker compose; or each service becomes a unit with docker run.",
    Format.KUBERNETES: f"This is a Kubernetes manifest: {_SAME}, or apply it with kubectl once the machine runs.",
    Format.ANSIBLE: f"This is an Ansible playbook: {_SAME}. Tasks that copy files are storage.files (dest is path, content is "
    "contents.inline), users are passwd.users, services are systemd.units.",
    Format.NETPLAN: f"This is a Netplan file: {_SAME}. Networks are files such as /etc/systemd/network/10-lan.network in "
    "storage.files.",
    Format.UNIT: f"This is a systemd unit by itself: {_SAME}. The unit's lines go below systemd.units, into contents: |.",
    Format.SCRIPT: f"This is a script by itself: {_SAME}. The script goes into storage.files with mode: 0755, and a oneshot unit "
    "runs it.",
}  # fmt: skip
IGNITION_2 = (
    "This is Ignition JSON of version 2, as Container Linux Config's ct wrote it. Flatcar still converts it, flatkit's machines "
    "do not: write it as Butane (variant: flatcar, version: 1.1.0)."
)


@functools.cache
def _table() -> dict[str, dict[str, tuple[str, str]]]:
    return {
        struct: {key: (says, example) for key, (says, example) in rows.items()}
        for struct, rows in read_data(_FILE, dict).items()
    }


def foreign_words(struct: str, key: str) -> tuple[str, str]:
    """The sentence about a key of another tool and an example in Butane; both may be "". `struct` is the mapping's type."""
    return _table().get(struct, {}).get(key, ("", ""))


# Key -> the samples in its example, and where the learner's own value is: in the key's value, or beside it.
_OWN: dict[str, tuple[tuple[str, tuple[str | int, ...]], ...]] = {
    "hostname": (("node1", ()),),
    "fqdn": (("node1.example.org", ()),),
    "timezone": (("Europe/Berlin", ()),),
    "update": (("stable", ("group",)),),
    "locksmith": (("off", ("reboot_strategy",)),),
    "ssh_authorized_keys": (("(the line in your ~/.ssh/id_ed25519.pub)", (0,)),),
    "runcmd": (("/opt/bin/setup.sh", (0,)),),
    "write_files": (("/etc/app.conf", (0, "path")), ("0644", (0, "permissions")), ("key=value", (0, "content"))),
    "scope": (
        ("agent.service", ("..", "name")),
        ("[Service]\n          ExecStart=/usr/bin/sleep infinity", ("..", "contents")),
    ),
}
# What can go into an example as it is.
_PLAIN = re.compile(r"[\w./@:+=-][\w ./@:+=,-]*")
_LINES = 12


def own_example(key: str, example: str, node: Node | None, parent: Node | None) -> str:
    """The example with the learner's own values in place of the samples, as far as they are plain."""
    for sample, path in _OWN.get(key, ()):
        value = _value_at(parent if path[:1] == ("..",) else node, path[1:] if path[:1] == ("..",) else path)
        lines = [line.rstrip() for line in value.split("\n")] if value else []
        while lines and not lines[-1]:
            lines.pop()
        is_block = sample == "key=value" or "\n" in sample
        if not lines or len(lines) > _LINES or not all(line.isprintable() for line in lines):
            continue
        if is_block or (len(lines) == 1 and _PLAIN.fullmatch(lines[0])):
            example = example.replace(sample, _block(lines) if is_block else lines[0])
    return example


def _block(lines: list[str]) -> str:
    return "\n".join([lines[0], *(f"{' ' * 10}{line}".rstrip() for line in lines[1:])])


def _value_at(node: Node | None, path: tuple[str | int, ...]) -> str:
    for part in path:
        if node is None:
            return ""
        if isinstance(part, str):
            node = node.child(part)
        else:
            node = node.content[part] if node.kind == SEQUENCE and len(node.content) > part else None
    return node.value if node is not None and node.kind == SCALAR else ""


def foreign_keys() -> list[tuple[str, str]]:
    """All (struct, key) that have words."""
    return [(struct, key) for struct, rows in _table().items() for key in rows]
