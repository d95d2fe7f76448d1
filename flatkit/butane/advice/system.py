"""Advice on what has a meaning for a program of the system: SSH, extensions, the kernel, other configs."""

from __future__ import annotations

import difflib
import posixpath
import re
from collections.abc import Iterator
from typing import Any

from flatkit.butane import advice_messages
from flatkit.butane.access import port_of, ssh_ports
from flatkit.butane.advice.hint import Hint, hint
from flatkit.butane.detect import Format, detect_format
from flatkit.butane.machine import image
from flatkit.butane.machine.plan import EXTENSION_DIRS, Plan, StorageNode, data_of, text_of
from flatkit.butane.source.node import Path
from flatkit.report import Kind
from flatkit.untrusted import lines_of

_PORT = re.compile(r"^[ \t]*Port[ \t=]+([0-9]+)", re.MULTILINE | re.IGNORECASE)
_VERSIONED = re.compile(r"[-_]v?[0-9]+(\.[0-9]+)+.*$|[-_](x86[-_]64|amd64|arm64|aarch64)$")


def advise_system(plan: Plan) -> Iterator[Hint]:
    """Yield the advice."""
    yield from _ssh(plan)
    yield from _socket_port(plan)
    yield from _extensions(plan)
    yield from _kernel(plan)
    yield from _merged(plan)


def _kernel(plan: Plan) -> Iterator[Hint]:
    """Yield arguments that ignition-kargs-helper (flatcar/bootengine) does not handle as they are meant."""
    arguments = plan.ignition.get("kernelArguments", {})
    for key, verb in (("shouldExist", "added"), ("shouldNotExist", "removed")):
        for at, argument in enumerate(arguments.get(key, ())):
            path = ("kernelArguments", key, at)
            match = re.match(r"\s*(?:set\s+)?linux_(?:append|console)\s*=\s*(.*)", argument)
            if match and key == "shouldExist":
                words = re.sub(r"[\"']|\$\{?linux_\w+\}?", "", match[1]).strip() or "nothing else"
                yield hint(advice_messages.KERNEL_GRUB, path, argument=argument, words=words)
            elif '"' in argument and key == "shouldExist":
                yield hint(advice_messages.KERNEL_QUOTES, path, argument=argument)
            elif len(argument.split()) > 1:
                fix = "Give each argument an entry of its own."
                if key == "shouldNotExist":
                    fix = f"{fix} As it is, nothing is removed where the words are not side by side."
                yield hint(advice_messages.KERNEL_WORDS, path, Kind.INFO, argument=argument, verb=verb, fix=fix)


def _ssh(plan: Plan) -> Iterator[Hint]:
    """A port that is added, though a move was probably meant. A moved one is what `flatkit up` warns about."""
    ports = [port_of(one) or one for one in ssh_ports(plan.ignition)]
    others = [port for port in ports if port != "22"]
    at = next((at for at, unit in enumerate(plan.units) if unit.get("name") == "sshd.socket"), None)
    if others and "22" in ports and at is not None:
        yield hint(advice_messages.SSH_PORT_BOTH, ("systemd", "units", at), Kind.INFO, ports=" and ".join(others))


def _socket_port(plan: Plan) -> Iterator[Hint]:
    """A port for sshd in its own settings, while sshd.socket is what listens."""
    if any(unit.get("name") == "sshd.socket" and unit.get("mask") for unit in plan.units):
        return
    if plan.is_off("/etc/systemd/system/sshd.socket"):
        return
    for node in plan.files():
        if node.path != "/etc/ssh/sshd_config" and posixpath.dirname(node.path) != "/etc/ssh/sshd_config.d":
            continue
        found = _PORT.search(text_of(node.item.get("contents", {})) or "")
        if found and found[1] != "22":
            yield hint(advice_messages.SSH_PORT_SOCKET, (*node.json_path, "contents"), port=found[1])


def _extensions(plan: Plan) -> Iterator[Hint]:
    for node in plan.nodes:
        if node.path == "/etc/flatcar/enabled-sysext.conf" and node.kind == "files":
            yield from _enabled(node)
        folder, name = posixpath.split(node.path)
        if folder not in EXTENSION_DIRS or node.kind == "directories":
            continue
        source = str(node.item.get("target") or node.item.get("contents", {}).get("source") or "")
        if source in ("", "/dev/null"):
            continue
        if node.kind == "files" and data_of(node.item.get("contents", {})) == b"":
            yield hint(advice_messages.SYSEXT_EMPTY, (*node.json_path, "contents"), path=node.path)
            continue
        if not name.endswith(".raw"):
            if node.kind == "files":
                yield hint(advice_messages.SYSEXT_FILE, (*node.json_path, "path"), path=node.path)
            continue
        yield from _extension_name(node, name.removesuffix(".raw"), source)


def _extension_name(node: StorageNode, name: str, source: str) -> Iterator[Hint]:
    """The name inside of an image is the file's, as its makers named it, without version and architecture."""
    origin = "" if source.startswith("data:") else posixpath.basename(source.partition("?")[0])
    inside = _bare(origin.removesuffix(".raw")) if origin.endswith(".raw") else _bare(name)
    if inside and name != inside and not (name == origin.removesuffix(".raw") and _bare(name) == name):
        yield hint(advice_messages.SYSEXT_NAME, (*node.json_path, "path"), Kind.INFO, inside=inside, name=name)


def _bare(name: str) -> str:
    before = ""
    while before != name:
        before, name = name, _VERSIONED.sub("", name)
    return name


def _enabled(node: StorageNode) -> Iterator[Hint]:
    text = text_of(node.item.get("contents", {})) or ""
    names = [one.name for one in image.sysexts()]
    for number, line in enumerate(lines_of(text), start=1):
        name = line.partition("#")[0].strip().removeprefix("-")
        if not name or image.is_sysext(name):
            continue
        bare = name.removeprefix("flatcar-")
        close = difflib.get_close_matches(bare, names, n=1, cutoff=0.7)
        fix = f"The extensions are {', '.join(names)}."
        if re.search(r"[,\s]", name):
            fix = "Write one name on each line, without commas."
        elif image.is_sysext(bare):
            fix = f"Write {bare}: flatcar-{bare} is its name on the machine."
        elif close:
            fix = f"Did you mean {close[0]}?"
        yield hint(advice_messages.SYSEXT_UNKNOWN, (*node.json_path, "contents"), name=name, line=str(number), fix=fix)


def _merged(plan: Plan) -> Iterator[Hint]:
    config = plan.ignition.get("ignition", {}).get("config", {})
    resources: list[tuple[Path, dict[str, Any]]] = []
    for at, merged in enumerate(config.get("merge", ())):
        resources.append((("ignition", "config", "merge", at), merged))
    if config.get("replace"):
        resources.append((("ignition", "config", "replace"), config["replace"]))
    if plan.is_replaced:
        rest = [key for key in plan.ignition if key != "ignition"]
        if rest:
            names = {"kernelArguments": "kernel_arguments"}
            lost = " and ".join(names.get(key, key) for key in rest)
            fix = f"Nothing below {lost} counts. To keep it, write merge: with a list."
            yield hint(advice_messages.REPLACED_REST, ("ignition", "config", "replace"), fix=fix)
    for path, resource in resources:
        source = str(resource.get("source") or "")
        data = data_of(resource) if source.startswith("data:") else None
        name = "base.bu" if data is not None else posixpath.basename(source.partition("?")[0])
        found = (
            detect_format(data)
            if data is not None
            else Format.BUTANE
            if name.endswith((".bu", ".yaml", ".yml"))
            else None
        )
        if found is None or found is Format.IGNITION or (found is Format.UNKNOWN and not (data or b"").strip()):
            continue
        words = "not Ignition" if found is Format.UNKNOWN else str(found)
        yield hint(advice_messages.MERGE_NOT_IGNITION, (*path, "source"), format=words, name=name)
