"""Write flatkit/butane/machine/unit_keys.json from systemd's own list: `tools/unit_keys.py [VERSION=FILE ...]`.

The list is what `/usr/lib/systemd/systemd --dump-configuration-items` prints: each section, and each key with the kind
of its value. Without arguments this host's systemd is asked. FILE is the same output of another version; keys of
several versions are joined, so that a key is only called unknown if none of them has it.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

from flatkit.run import run

TARGET = Path(__file__).resolve().parent.parent / "flatkit" / "butane" / "machine" / "unit_keys.json"
SYSTEMD = "/usr/lib/systemd/systemd"
# Kinds of values that are lists of unit names, by the words of the list.
UNIT_LIST = "UNIT [...]"
# Kinds of values that flatkit checks.
KINDS = ("BOOLEAN", "SECONDS")
# networkd has no such option: its tables have each key as `Section.Key`.
NETWORKD = Path("/usr/lib/systemd/systemd-networkd")
NETWORK_TARGET = TARGET.with_name("network_keys.json")


def read_items(text: str) -> dict[str, dict[str, str]]:
    """Return section -> key -> kind of value."""
    found: dict[str, dict[str, str]] = {}
    section = ""
    for line in text.splitlines():
        if match := re.fullmatch(r"\[([A-Za-z]+)\]", line):
            section = match[1]
        elif section and (match := re.fullmatch(r"([A-Za-z0-9]+)=(.*)", line)):
            found.setdefault(section, {})[match[1]] = match[2]
    return found


def local_items() -> tuple[str, str]:
    """Return the version of this host's systemd, and its list."""
    program = shutil.which("systemd", path="/usr/lib/systemd:/lib/systemd") or SYSTEMD
    version = run([program, "--version"]).stdout.split()[1]
    return version, run([program, "--dump-configuration-items"]).stdout


def main(argv: list[str]) -> int:
    texts = [(word.partition("=")[0], Path(word.partition("=")[2]).read_text()) for word in argv] or [local_items()]
    sections: dict[str, set[str]] = {}
    lists: set[str] = set()
    kinds: dict[str, set[str]] = {kind: set() for kind in KINDS}
    for _, text in texts:
        for section, keys in read_items(text).items():
            sections.setdefault(section, set()).update(keys)
            lists.update(f"{section}.{key}" for key, kind in keys.items() if kind == UNIT_LIST)
            for kind in KINDS:
                kinds[kind].update(f"{section}.{key}" for key, found in keys.items() if found == kind)
    data = {
        "source": "systemd --dump-configuration-items",
        "versions": sorted(version for version, _ in texts),
        "unit_lists": sorted(lists),
        "kinds": {kind: sorted(keys) for kind, keys in kinds.items()},
        "sections": {name: sorted(keys) for name, keys in sorted(sections.items())},
    }
    TARGET.write_text(json.dumps(data, indent=1) + "\n")
    print(f"{TARGET.name}: {sum(map(len, sections.values()))} keys of systemd {', '.join(data['versions'])}")
    if not argv and NETWORKD.exists():
        write_network_keys(texts[0][0])
    return 0


def write_network_keys(version: str) -> None:
    """Write the sections and keys of .network and .netdev files."""
    sections: dict[str, set[str]] = {}
    for section, key in re.findall(rb"\0([A-Z][A-Za-z0-9-]+)\.([A-Z][A-Za-z0-9]+)(?=\0)", NETWORKD.read_bytes()):
        sections.setdefault(section.decode(), set()).add(key.decode())
    data = {
        "source": "the tables of systemd-networkd",
        "version": version,
        "sections": {name: sorted(keys) for name, keys in sorted(sections.items())},
    }
    NETWORK_TARGET.write_text(json.dumps(data, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
