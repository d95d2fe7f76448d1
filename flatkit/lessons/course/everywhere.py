"""08-everywhere: a config that fits the smallest size limit, and a download that can be trusted."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from flatkit.lessons.checks import find_file, names_of, of_config
from flatkit.lessons.exercise import Exercise, Finding, Lesson, Remove, Write
from flatkit.lessons.quiz import quizzes_of

_TEAM = (
    "ada",
    "alan",
    "barbara",
    "dennis",
    "donald",
    "edsger",
    "frances",
    "grace",
    "katherine",
    "ken",
    "linus",
    "margaret",
)


def _key_of(name: str) -> str:
    """Return a well-formed public key without a private key."""
    packed = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + hashlib.sha256(name.encode()).digest()
    return f"ssh-ed25519 {base64.b64encode(packed).decode()} {name}@example"


_BIG = "variant: flatcar\nversion: 1.0.0\npasswd:\n  users:\n    - name: core\n      ssh_authorized_keys:\n" + "".join(
    f"        - {_key_of(name)}\n" for name in _TEAM
)
_SMALL = """\
variant: flatcar
version: 1.0.0
ignition:
  config:
    merge:
      - source: https://example.com/team.ign
"""
_TOOL = "variant: flatcar\nversion: 1.0.0\nstorage:\n  files:\n    - path: /opt/bin/tool\n      contents:\n        source: https://example.com/tool\n"
_HASH = "sha256-e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
_VIRTUALBOX = 1024


def _fits(ignition: dict[str, Any]) -> Finding:
    size = len(json.dumps(ignition, separators=(",", ":")).encode())
    merged = [part.get("source") for part in ignition.get("ignition", {}).get("config", {}).get("merge", ())]
    from_network = [source for source in merged if source and not source.startswith("data:")]
    plain = [source for source in from_network if not source.startswith("https:")]
    found = f"{size} bytes of Ignition; merged from the network: {', '.join(from_network) or 'nothing'}"
    ok = size <= _VIRTUALBOX and bool(from_network) and not plain
    replaced = ignition.get("ignition", {}).get("config", {}).get("replace", {}).get("source")
    if replaced and not from_network:
        found = "replace: throws this config away and takes the other one alone"
    elif merged and not from_network:
        found = f"{size} bytes of Ignition; the other config is merged from a local file, so it is inside this one"
    elif butane := [source for source in from_network if source.endswith((".bu", ".butane"))]:
        ok, found = (
            False,
            f"{butane[0][:60]} is Butane by its name, and the machine merges Ignition: flatkit butane makes it",
        )
    elif plain:
        found = f"{plain[0][:60]} is not an https address: anybody between could hand over other keys"
    elif from_network and not ok:
        found += "; the keys are still in this config too"
    return Finding(
        ok=ok, found=found, expected=f"at most {_VIRTUALBOX} bytes, and the rest merged from a URL",
        look="flatkit everywhere small.bu virtualbox",
    )  # fmt: skip


def _is_verified(ignition: dict[str, Any]) -> Finding:
    file = find_file(ignition, "/opt/bin/tool")
    expected, look = "/opt/bin/tool from a URL, with a verification hash", "flatkit explain tool.bu"
    if file is None:
        files = names_of(ignition.get("storage", {}).get("files"), "path")
        return Finding(ok=False, found=f"files in your config: {files}", expected=expected, look=look)
    contents = file.get("contents", {})
    source, digest = contents.get("source") or "", contents.get("verification", {}).get("hash") or ""
    ok = source.startswith(("http:", "https:")) and bool(digest)
    found = f'from "{source[:60]}", hash {digest[:20] or "not given"}'
    if source.startswith("data:"):
        found = "the program is inside the config, and nothing is downloaded"
    return Finding(ok=ok, found=found, expected=expected, look=look)


EVERYWHERE = Lesson(
    name="08-everywhere",
    title="Runs everywhere",
    exercises=(
        Exercise(
            name="08-small",
            title="Into 1024 bytes",
            task="VirtualBox takes 1024 bytes, and small.bu makes more. The keys of the team go elsewhere "
            "(any https address): small.bu only merges them.",
            setup=(Write(file="small.bu", text=_BIG),),
            check=of_config("small.bu", _fits),
            hints=(
                "The whole passwd: part goes away. What stays says where the rest is.",
                "ignition: config: merge: is a list; its entry is - source: https://example.com/team.ign",
            ),
            solve=(Write(file="small.bu", text=_SMALL),),
            cleanup=(Remove(file="small.bu"),),
        ),
        Exercise(
            name="08-hash",
            title="Trust, but verify",
            task="tool.bu lets the machine download a program. Make it refuse any other file: give the hash that it has to have.",
            setup=(Write(file="tool.bu", text=_TOOL),),
            check=of_config("tool.bu", _is_verified),
            hints=(
                "Beside source: write verification:, and below it hash:",
                f"hash: {_HASH}   (sha256-, then what sha256sum prints; here it is the one of an empty file)",
            ),
            solve=(Write(file="tool.bu", text=f"{_TOOL}        verification:\n          hash: {_HASH}\n"),),
            cleanup=(Remove(file="tool.bu"),),
        ),
    ),
    quizzes=quizzes_of("08-everywhere"),
)  # fmt: skip
