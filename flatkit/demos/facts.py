"""Questions that demos, exercises and the machine panel share: the slots, the update, and the layers of `/usr`.

Each is a Fact: what is typed on a machine (Flatcar or lab image, the words are the same), and a pure parser of the answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flatkit.errors import FlatkitError, MachineError
from flatkit.steps import Fact, Verdict
from flatkit.untrusted import lines_of, parse_json, printable
from flatkit.updates.slots import Slot, parse_cgpt_show
from flatkit.updates.status import UpdateStatus, parse_statuses

_NAME = (
    "it has no extension-release for its file's name: NAME.raw must contain "
    "usr/lib/extension-release.d/extension-release.NAME"
)
# The words of systemd-sysext -> their meaning. The first one that fits counts; `{}` are the parts in parentheses.
_WORDS = (
    (r"No medium found", f'{_NAME} (systemd says "No medium found")'),
    (r"extension-release\.\S*.*No such file or directory", f'{_NAME} (systemd-sysext then says "No medium found")'),
    (r"is for OS '([^']*)', but deployed on top of '([^']*)'", 'it is for ID "{}", this system is "{}"'),
    (r"is for sysext API level '([^']*)', but running on sysext API level '([^']*)'",
     'it is for SYSEXT_LEVEL "{}", this system has "{}"'),
    (r"is for OS version '([^']*)', but deployed on top of '([^']*)'", 'it is for VERSION_ID "{}", this system has "{}"'),
    (r"is for architecture '([^']*)', but deployed on top of '([^']*)'", 'it is for ARCHITECTURE "{}", this system is "{}"'),
    (r"os-release.*not allowed|not allowed.*os-release", "it has a usr/lib/os-release, which would hide the system's"),
    (r"No suitable extensions found", "every extension was left out: SYSTEMD_LOG_LEVEL=debug systemd-sysext refresh says why"),
    (r"Required key not available|Key was rejected|signature", "it is signed with a key that this system does not know"),
    (r"suitable partition|No data available|not a valid|Package not installed|Wrong medium type|superblock|fstype|Not a tty",
     "it is not an image that can be read: half a download, or another file (flatkit sysext build makes one)"),
    (r"Device or resource busy|Resource busy", "something below /usr or /opt is mounted or in use: unmount it, then refresh"),
    (r"already merged", "extensions are merged already: sudo systemctl restart systemd-sysext takes changes over"),
    (r"Read-only file system", "a merged extension covers this folder, read-only: systemd-sysext unmerge, write, merge"),
)  # fmt: skip
_CUT = "--flatkit-cut--"
_FAILED = "--flatkit-failed--"
# Extensions of a system: systemd-sysext looks in these, in this order (systemd-sysext(8)).
_FOLDERS = "/etc/extensions /run/extensions /var/lib/extensions"


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A system extension. `refused` says why it is not merged into `/usr`; "" where it is merged, or waits for a refresh."""

    name: str
    merged: bool
    built_in: bool = False
    masked: bool = False
    refused: str = ""

    def __str__(self) -> str:
        state = "merged" if self.merged else "masked" if self.masked else self.refused or "not merged yet"
        return f"{self.name}: {state}"


def _release_of(text: str) -> dict[str, str]:
    """The assignments of an os-release or extension-release file."""
    pairs = (line.split("=", 1) for line in lines_of(text) if "=" in line and not line.startswith("#"))
    return {key.strip(): value.strip().strip("\"'") for key, value in pairs}


def find_refusal(release: str, system: str) -> str:
    """Why systemd-sysext will not merge an extension with this extension-release into a system with this os-release; or "".

    The rule is systemd's (extension_release_validate in src/shared/extension-util.c): ID must be equal or "_any"; then
    SYSEXT_LEVEL decides where both have one, VERSION_ID otherwise.
    """
    wants, has = _release_of(release), _release_of(system)
    name = wants.get("ID", "")
    if not name:
        return "its extension-release names no ID"
    if name == "_any":
        return ""
    if name != has.get("ID"):
        # systemd compares ID_LIKE as well from 258 on; this extension is not merged, so this one did not.
        like = "; only systemd 258 and newer take ID_LIKE" if name in has.get("ID_LIKE", "").split() else ""
        return f'it is for ID "{name}", this system is "{has.get("ID", "")}"{like}'
    if has.get("SYSEXT_LEVEL") and wants.get("SYSEXT_LEVEL"):
        key = "SYSEXT_LEVEL"
    elif not has.get("VERSION_ID"):
        return ""
    else:
        key = "VERSION_ID"
    if wants.get(key) != has.get(key):
        return f'it is for {key} "{wants.get(key, "")}", this system has "{has.get(key, "")}"'
    return ""


def parse_slots(text: str) -> tuple[Slot, ...]:
    """From the answer to SLOTS. Raises MachineError when it names no slot."""
    running, _, table = text.partition(_CUT)
    return parse_cgpt_show(table, running=running.strip())


def parse_layers(text: str) -> tuple[Layer, ...]:
    """From the answer to LAYERS, in the order in which they lie above `/usr`. Raises MachineError when it cannot be read."""
    status, system, *rest = text.split(_CUT)
    try:
        rows = {row["hierarchy"]: row["extensions"] for row in parse_json(status)}
    except (ValueError, KeyError, TypeError):
        raise MachineError(
            f'systemd-sysext said "{status.strip()[-200:]}"; expected its status as JSON',
            hint="systemd-sysext status   (on the machine)",
            details=text,
        ) from None
    merged = rows.get("/usr", "none")
    names = [] if isinstance(merged, str) else list(merged)
    found = {name: Layer(name=name, merged=True) for name in names}
    for block in rest:
        layer = _layer(block, system)
        if layer and layer.name in found:
            found[layer.name] = Layer(name=layer.name, merged=True, built_in=layer.built_in)
        elif layer:
            found.setdefault(layer.name, layer)
    return tuple(found.values())


def _layer(block: str, system: str) -> Layer | None:
    """One entry of the extensions' folders: its path, where it leads, and its extension-release where it is not merged."""
    head, _, release = block.strip().partition("\n")
    match = re.fullmatch(r"(\S+) (\S*)", head.strip() + ("" if " " in head.strip() else " "))
    if match is None:
        return None
    name = match[1].rsplit("/", 1)[-1].removesuffix(".raw")
    masked = match[2] == "/dev/null"
    built_in = match[2].startswith("/usr/share/")
    refused = ""
    if release.startswith(_FAILED) and not masked:
        said = release.removeprefix(_FAILED).strip()
        refused = explain_words(said) or f'it cannot be read: "{printable(lines_of(said)[-1] if said else "")}"'
    elif release.strip() and not masked:
        refused = find_refusal(release, system)
    return Layer(name=name, merged=False, built_in=built_in, masked=masked, refused=refused)


def parse_update(text: str) -> UpdateStatus | None:
    """Parse the state of the update client; None where it does not answer (switched off by a config, or still starting)."""
    try:
        found = parse_statuses(text)
    except FlatkitError:
        return None
    return found[-1] if found else None


def parse_usr(text: str) -> dict[str, str]:
    """Source and first option of each layer of /usr, the lowest first, from `findmnt -no SOURCE,OPTIONS /usr`.

    With system extensions merged (docker is one, on Flatcar as well) an overlay named sysext covers the image itself.
    """
    rows = (line.split(None, 1) for line in lines_of(text.strip()))
    return {row[0]: row[1].split(",")[0] for row in rows if len(row) == 2}


def is_read_only(layers: Any) -> Verdict:
    """A check of USR: the image below, and every layer read-only."""
    found = "found " + ", ".join(f"{source} {option}" for source, option in layers.items())
    ok = "/dev/mapper/usr" in layers and set(layers.values()) == {"ro"}
    return Verdict(ok=ok, found=found if ok else f'{found}; expected "/dev/mapper/usr", and every layer "ro"')


USR = Fact(name="usr", ask="findmnt -no SOURCE,OPTIONS /usr", parse=parse_usr)
SLOTS = Fact(
    name="slots",
    ask=f'rootdev -s /usr; echo {_CUT}; sudo cgpt show "$(rootdev -s -d /usr)"',
    parse=parse_slots,
)
UPDATE = Fact(name="update", ask="update_engine_client -status 2>/dev/null", parse=parse_update)
VERSION = Fact(name="version", ask=". /etc/os-release; echo $VERSION_ID")
# An image that is merged already need not be opened; one that is not tells by its extension-release why.
LAYERS = Fact(
    name="layers",
    ask='s=$(systemd-sysext status --json=short); echo "$s"; '
    f"echo {_CUT}; cat /etc/os-release; "
    f"for e in $(find {_FOLDERS} -mindepth 1 -maxdepth 1 2>/dev/null); do "
    f'echo {_CUT}; echo "$e $(readlink -f "$e")"; n=${{e##*/}}; n=${{n%.raw}}; '
    "f=/usr/lib/extension-release.d/extension-release.$n; "
    'case $s in *"\\"$n\\""*) ;; *) if [ -d "$e" ]; then r=$(sudo cat "$e$f" 2>&1); '
    'else [ ! -f "$e" ] || r=$(sudo systemd-dissect --copy-from "$e" "$f" - 2>&1); fi && echo "$r" || '
    f'echo "{_FAILED} $r";; esac; r=; done; true',
    parse=parse_layers,
)
VERITY = Fact(name="verity", ask="sudo dmsetup status usr", parse=lambda text: text.split()[-1] if text.split() else "")


def parse_merged(text: str) -> tuple[str, ...] | None:
    """Parse `systemd-sysext status --json=short`: the extensions merged into /usr; None for any other text."""
    try:
        rows = {row["hierarchy"]: row["extensions"] for row in parse_json(text)}
    except (ValueError, KeyError, TypeError):
        return None
    found = rows.get("/usr", "none")
    return () if isinstance(found, str) else tuple(found)


# No check may pass on it, least of all one that something is not there.
_NO_ANSWER = Verdict(ok=False, found="systemd-sysext gave no status that can be read")
MERGED = Fact(name="merged", ask="systemd-sysext status --json=short", parse=parse_merged)


def has(name: str) -> Callable[[Any], Verdict]:
    """A check: this extension is merged."""

    def check(names: Any) -> Verdict:
        if names is None:
            return _NO_ANSWER
        ok = name in names
        found = f"merged into /usr: {', '.join(names) or 'none'}"
        return Verdict(ok=ok, found=found if ok else f'{found}; expected "{name}" among them')

    return check


def lacks(*unwanted: str) -> Callable[[Any], Verdict]:
    """A check: none of these extensions is merged."""

    def check(names: Any) -> Verdict:
        if names is None:
            return _NO_ANSWER
        wrong = [name for name in unwanted if name in names]
        found = f"merged into /usr: {', '.join(names) or 'none'}"
        return Verdict(ok=not wrong, found=f"{found}; expected it without {', '.join(wrong)}" if wrong else found)

    return check


def copied(machine: str, file: str, target: str) -> str:
    """The command line that copies a file to a machine."""
    return f"flatkit ssh {machine} -- sudo tee {target} < {file} > /dev/null"


def explain_words(said: str) -> str:
    """Return what systemd-sysext or systemd-dissect means by what it said; "" for words that are not known here."""
    for line in lines_of(said):
        for pattern, meaning in _WORDS:
            if found := re.search(pattern, line):
                return meaning.format(*(printable(part, limit=60) for part in found.groups()))
    return ""
