"""systemd's verdict on a unit: the reason for which it refuses to load it, or none.

Only what is certain: a value that this module cannot read counts as good. The oracle is `systemd-analyze verify`
(tests/butane/test_unit_verdict.py). Source of the rules: the verify functions in systemd's src/core/{service,socket,
mount,automount,swap,timer,path,slice}.c and load-fragment.c.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from flatkit.butane.machine.calendar_events import from_cron, is_calendar
from flatkit.butane.machine.times import is_span
from flatkit.butane.machine.unit_commands import (
    UnitRefusal,
    fatal_command,
    is_ignored,
    split_commands,
    unknown_specifier,
)
from flatkit.butane.machine.unit_file import Assignment, Unit, is_template, template_of
from flatkit.untrusted import is_number

_EXEC = ("ExecStart", "ExecStop", "ExecStartPre", "ExecStartPost", "ExecStopPost", "ExecReload", "ExecCondition")
_WITH_COMMANDS = frozenset(("service", "socket", "mount", "swap"))
_FATAL_PATHS = frozenset(("RootDirectory", "RootImage", "RootVerity"))
_FATAL_KEYS = _FATAL_PATHS | {"WorkingDirectory", "User", "Group", "SupplementaryGroups"}
_LISTEN = ("ListenStream", "ListenDatagram", "ListenSequentialPacket", "ListenFIFO", "ListenSpecial", "ListenNetlink",
           "ListenMessageQueue", "ListenUSBFunction")  # fmt: skip
_TIMES = ("OnActiveSec", "OnBootSec", "OnStartupSec", "OnUnitActiveSec", "OnUnitInactiveSec")
_PATHS = ("PathExists", "PathExistsGlob", "PathChanged", "PathModified", "DirectoryNotEmpty")
_SERVICE_TYPES = frozenset(("simple", "exec", "forking", "oneshot", "dbus", "notify", "notify-reload", "idle"))
_YES = frozenset(("1", "yes", "y", "true", "t", "on"))
_ACTIONS = re.compile(r"(reboot|poweroff|exit|halt|soft-reboot|kexec)(-force|-immediate)?")
_API_PATHS = ("/proc", "/sys", "/dev", "/run", "/dev/pts", "/run/lock", "/sys/fs/cgroup", "/sys/fs/pstore")
_API_BELOW = ("/sys/fs/cgroup/", "/dev/shm")  # noqa: S108 - a name to compare with, nothing is written there
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:_.")
# unit_name_is_valid in systemd's src/basic/unit-name.c.
_NAME = re.compile(r"[A-Za-z0-9:_.\\-][A-Za-z0-9:_.\\@-]{0,254}")
# What systemd writes for a specifier in a path, as a pattern; for the others anything.
_WRITTEN = {
    "%%": "%",
    "%a": "(?:x86-64|arm64)",
    "%t": "/run",
    "%S": "/var/lib",
    "%C": "/var/cache",
    "%L": "/var/log",
    "%E": "/etc",
}


def escape_path(path: str) -> str:
    """Return a path as `systemd-escape --path` writes it."""
    joined = "/".join(part for part in path.split("/") if part and part != ".").encode("utf-8", "surrogateescape")
    if not joined:
        return "-"
    return "".join(
        "-" if byte == 0x2F else chr(byte) if byte in _PLAIN and not (at == 0 and byte == 0x2E) else f"\\x{byte:02x}"
        for at, byte in enumerate(joined)
    )


def unescape_path(stem: str) -> str:
    """Return the path in a unit's name, as `systemd-escape --unescape --path` does."""
    raw = re.sub(r"-|\\x[0-9a-f]{2}", lambda found: "/" if found[0] == "-" else chr(int(found[0][-2:], base=16)), stem)
    return "/" + raw.strip("/")


def refusal(unit: Unit) -> UnitRefusal | None:
    """Return why systemd refuses the unit, None if it loads it."""
    if not _NAME.fullmatch(unit.name):
        words = f'"{unit.name}" cannot be the name of a unit'
        fix = "A name has letters, digits and the characters : - _ . @ and \\ only, and @ not in front."
        return UnitRefusal(code="unit-name", words=words, fix=fix)
    settled = settle(unit)
    if isinstance(settled, UnitRefusal):
        return settled
    check = _CHECKS.get(unit.kind)
    return check(settled) if check else None


def settle(unit: Unit) -> Unit | UnitRefusal:
    """Return the unit without what systemd ignores. A fatal line refuses the unit; in a drop-in it ends the drop-in."""
    texts = []
    for number, text in enumerate(unit.texts):
        kept = []
        for item in text.assignments:
            item = _filled(item, unit.name)
            fault = _fatal(item) if unit.kind in _WITH_COMMANDS and item.section == unit.kind.capitalize() else None
            if fault is not None and number == 0:
                return fault
            if fault is not None:
                break
            if not (item.value and item.key in _EXEC and is_ignored(item.value)):
                kept.append(item)
        if text.broken_line and number == 0:
            words = f"line {text.broken_line} begins a section and does not end with ]"
            return UnitRefusal(code="syntax", words=words, fix="Write the section's name in brackets: [Service].")
        texts.append(replace(text, assignments=tuple(kept)))
    return replace(unit, texts=tuple(texts))


def _filled(item: Assignment, name: str) -> Assignment:
    """Fill in %i, which is empty in a unit that is not an instance: an account of no name refuses the unit."""
    if "@" in name or item.value not in ("%i", "%I"):
        return item
    return replace(item, value=":" if item.key in ("User", "Group") else "")


def _fatal(item: Assignment) -> UnitRefusal | None:
    key, value = item.key, item.value
    if key in _EXEC:
        return fatal_command(key, value)
    unknown = unknown_specifier(value) if key in _FATAL_KEYS and not value.startswith("-") else ""
    if unknown:
        words = f'systemd itself replaces % in {key}=, and "{unknown}" means nothing to it'
        return UnitRefusal(code="specifier", words=words, fix="Write %% for a percent sign.")
    if not value or "%" in value.split()[0]:
        return None
    if (key == "WorkingDirectory" and not value.startswith(("/", "~", "-"))) or (
        key in _FATAL_PATHS and not value.startswith("/")
    ):
        words = f'{key}= "{value}" is not an absolute path'
        return UnitRefusal(code="not-absolute", words=words, fix="Write a path that starts with /.")
    names = value.split() if key == "SupplementaryGroups" else [value] if key in ("User", "Group") else []
    for name in names:
        if re.search(r"[:/]|^-|^\.\.?$", name):
            words = f'{key}= "{name}" is not the name of an account'
            return UnitRefusal(code="account", words=words, fix="Write the name of one account.")
    return None


def _given(unit: Unit, key: str) -> list[str]:
    return [
        a.value for text in unit.texts for a in text.assignments if a.section == "Service" and a.key == key and a.value
    ]


def _service(unit: Unit) -> UnitRefusal | None:
    return _start_commands(unit) or _contradiction(unit)


def _start_commands(unit: Unit) -> UnitRefusal | None:
    starts, stops = unit.values("Service", "ExecStart"), unit.values("Service", "ExecStop")
    action = _ACTIONS.fullmatch(unit.last("Unit", "SuccessAction")) is not None
    kind = _service_type(unit, bool(starts))
    if not starts and not stops and not action:
        return _no_start(unit)
    if not starts and kind != "oneshot":
        return _no_start(unit)
    if not starts and not action and not _is_yes(unit.last("Service", "RemainAfterExit")):
        return _no_start(unit)
    if len(starts) + sum(len(split_commands(start)) - 1 for start in starts) > 1 and kind != "oneshot":
        return UnitRefusal(code="two-starts", words="it has more than one ExecStart=, and only Type=oneshot may",
                       fix="In a drop-in write an empty ExecStart= first: it takes back the one before.")  # fmt: skip
    return None


def _no_start(unit: Unit) -> UnitRefusal:
    wrong = [name for text in unit.texts for name, _ in text.sections if name not in ("Unit", "Service", "Install")]
    fix = "Write ExecStart= with the command in the section [Service]."
    if wrong:
        fix = f"[{wrong[0]}] is not a section of a service: the command belongs into [Service]."
    return UnitRefusal(code="no-start", words="a service needs ExecStart= in [Service]", fix=fix)


def _service_type(unit: Unit, starts: bool) -> str:
    given = [value for value in _given(unit, "Type") if value in _SERVICE_TYPES]
    if given:
        return given[-1]
    if unit.last("Service", "BusName"):
        return "dbus"
    return "simple" if starts else "oneshot"


def _is_yes(value: str) -> bool:
    return value.lower() in _YES


def _contradiction(unit: Unit) -> UnitRefusal | None:
    kind = _service_type(unit, bool(unit.values("Service", "ExecStart")))
    restart = unit.last("Service", "Restart")
    if kind == "oneshot" and restart in ("always", "on-success"):
        return UnitRefusal(code="restart", words=f'Restart={restart} is not allowed with Type=oneshot',
                       fix="Write Restart=on-failure, or another Type=.")  # fmt: skip
    if kind == "oneshot" and unit.last("Service", "ExitType") == "cgroup":
        return UnitRefusal(
            code="exit-type", words="ExitType=cgroup is not allowed with Type=oneshot", fix="Leave it out."
        )
    if kind == "oneshot" and unit.values("Service", "RestartForceExitStatus"):
        return UnitRefusal(code="restart", words="RestartForceExitStatus= is not allowed with Type=oneshot",
                       fix="Leave it out, or write another Type=.")  # fmt: skip
    if unit.last("Service", "PAMName") and unit.last("Service", "KillMode") in ("process", "none"):
        return UnitRefusal(code="kill-mode", words="PAMName= needs KillMode=control-group or mixed",
                       fix="Leave KillMode= out.")  # fmt: skip
    if kind == "dbus" and not unit.last("Service", "BusName"):
        return UnitRefusal(code="bus-name", words="Type=dbus needs BusName=", fix="Write BusName=, or another Type=.")
    return None


def _socket(unit: Unit) -> UnitRefusal | None:
    given = unit.pool("Socket", _LISTEN)
    listens = [key for key, value in given if _is_address(key, value)]
    if given and not listens:
        words = f'it cannot read {given[0][0]}="{given[0][1]}", and a socket needs an address'
        fix = "Write a port alone for all addresses (ListenStream=8080), 192.0.2.1:8080, or an absolute path."
        return UnitRefusal(code="no-listen", words=words, fix=fix)
    if not listens:
        return UnitRefusal(code="no-listen", words="a socket needs ListenStream= or another Listen...= in [Socket]",
                       fix="Write ListenStream= with a port or a path.")  # fmt: skip
    accepts = _is_yes(unit.last("Socket", "Accept"))
    if accepts and not set(listens) <= {"ListenStream", "ListenSequentialPacket"}:
        return UnitRefusal(code="accept-listen", words="Accept=yes needs a listener that accepts connections",
                       fix="Write ListenStream= alone, or leave Accept= out.")  # fmt: skip
    if accepts and unit.last("Socket", "MaxConnections") == "0":
        return UnitRefusal(code="max-connections", words="MaxConnections=0 lets nobody connect", fix="Leave it out.")
    if accepts and unit.last("Socket", "Service"):
        return UnitRefusal(code="accept-service", words="Accept=yes starts the template, so Service= is not allowed",
                       fix="Leave Service= out, and name the service like the socket, with @.")  # fmt: skip
    return None


def _is_address(key: str, value: str) -> bool:
    if unknown_specifier(value):
        return False
    if "%" in value or key == "ListenNetlink":
        return True
    if key in ("ListenFIFO", "ListenSpecial", "ListenMessageQueue", "ListenUSBFunction"):
        return value.startswith("/")
    if value.startswith(("/", "@")):
        return True
    if key == "ListenSequentialPacket":
        return False
    if value.startswith(("vsock:", "vsock-")):
        return True
    port = value
    if match := re.fullmatch(r"\[[0-9A-Fa-f:.]+\]:(\S+)", value):
        port = match[1]
    elif match := re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,3}){3}):(\S+)", value):
        port = match[2] if all(int(part) < 256 for part in match[1].split(".")) else ""
    return _is_port(port)


def _is_port(text: str) -> bool:
    """Return True for a port, which may be written as C writes numbers: 0x50, 0120."""
    digits = text.removeprefix("+")
    if re.fullmatch(r"0[0-7]+", digits):
        return 0 < int(digits, 8) < 65536
    if re.fullmatch(r"0[xX][0-9A-Fa-f]+", digits):
        return 0 < int(digits, 16) < 65536
    return is_number(digits) and not digits.startswith("0") and int(digits) < 65536


def _mount(unit: Unit) -> UnitRefusal | None:
    where = _path_value(unit, "Mount", "Where")
    if where and _fits(unit, where, "mount") is not None:
        return _fits(unit, where, "mount")
    clean = "/" + "/".join(
        part for part in (where or unescape_path(unit.name.removesuffix(".mount"))).split("/") if part
    )
    if clean in _API_PATHS or clean.startswith(_API_BELOW):
        return UnitRefusal(code="api-path", words=f'"{clean}" belongs to the kernel and systemd',
                       fix="Mount it somewhere else.")  # fmt: skip
    if not _what(unit):
        return UnitRefusal(code="no-what", words="a mount needs What= in [Mount]", fix="Write What= with the device.")
    return None


def _what(unit: Unit) -> str:
    """The What= that counts: systemd ignores one with a specifier that it does not know."""
    given = [
        item.value for text in unit.texts for item in text.assignments if (item.section, item.key) == ("Mount", "What")
    ]
    return next((value for value in reversed(given) if not unknown_specifier(value)), "")


def _automount(unit: Unit) -> UnitRefusal | None:
    where = _path_value(unit, "Automount", "Where")
    return _fits(unit, where, "automount") if where else None


def _swap(unit: Unit) -> UnitRefusal | None:
    what = _path_value(unit, "Swap", "What")
    return _fits(unit, what, "swap") if what else None


def _path_value(unit: Unit, section: str, key: str) -> str:
    """The path that counts; systemd ignores what is not absolute or has .. in it."""
    good = ""
    for text in unit.texts:
        for item in text.assignments:
            if (item.section, item.key) == (section, key):
                if not item.value:
                    good = ""
                elif (
                    item.value.startswith(("/", "%t"))
                    and ".." not in item.value.split("/")
                    and not unknown_specifier(item.value)
                ):
                    good = item.value.replace("%t", "/run")
    return good


def _fits(unit: Unit, path: str, kind: str) -> UnitRefusal | None:
    key = "What" if kind == "swap" else "Where"
    if "%" in path:
        pieces = re.split(r"(%.)", path)
        pattern = "".join(_WRITTEN.get(one, ".*") if one[:1] == "%" else re.escape(one) for one in pieces)
        if re.fullmatch(pattern.rstrip("/"), unescape_path(unit.name.removesuffix(f".{kind}"))):
            return None
        words = f'{key}={path} and the name "{unit.name}" do not match: systemd replaces {pieces[1]} in the path'
        return UnitRefusal(code="path", words=words, fix="Write the path itself, and name the unit after it.")
    name = f"{escape_path(path)}.{kind}"
    if unit.name == name:
        return None
    return UnitRefusal(code="name", words=f'{key}={path} and the name "{unit.name}" do not match', name=name,
                   fix=f"Name the unit {name}: systemd derives the name from the path.")  # fmt: skip


def _timer(unit: Unit) -> UnitRefusal | None:
    times = unit.pool("Timer", (*_TIMES, "OnCalendar"))
    good = any(is_calendar(value) if key == "OnCalendar" else is_span(value) for key, value in times)
    changes = any(_is_yes(unit.last("Timer", key)) for key in ("OnClockChange", "OnTimezoneChange"))
    if good or changes:
        return None
    words, fix = "a timer needs OnCalendar=, OnBootSec= or another On...= that systemd can read", ""
    if times:
        words = f'it cannot read {times[0][0]}="{times[0][1]}", and a timer needs a time'
        cron = from_cron(times[0][1])
        if cron:
            fix = f"This is how cron writes times: write OnCalendar={cron}."
            return UnitRefusal(code="no-time", words=words, fix=fix)
        fix = "This is how cron writes times. " if len(times[0][1].split()) == 5 else ""
    return UnitRefusal(
        code="no-time",
        words=words,
        fix=f"{fix}Write for example OnCalendar=daily, or OnCalendar=*:0/5 for every five minutes.",
    )


def _path(unit: Unit) -> UnitRefusal | None:
    paths = [value for _, value in unit.pool("Path", _PATHS)]
    if any(value.startswith(("/", "%")) and ".." not in value.split("/") for value in paths):
        return None
    if paths:
        words = f'"{paths[0]}" is not an absolute path, and a path unit needs one'
        return UnitRefusal(code="no-path", words=words, fix="Write a path that starts with /, and without .. in it.")
    return UnitRefusal(code="no-path", words="a path unit needs PathExists=, PathChanged= or the like in [Path]",
                   fix="Write PathChanged= with an absolute path.")  # fmt: skip


def _slice(unit: Unit) -> UnitRefusal | None:
    stem = unit.name.removesuffix(".slice")
    if stem != "-" and (stem.startswith("-") or stem.endswith("-") or "--" in stem):
        return UnitRefusal(code="slice-name", words=f'"{unit.name}" is not the name of a slice',
                       fix="Single dashes separate a slice from the slices it is in.")  # fmt: skip
    return None


_CHECKS: dict[str, Callable[[Unit], UnitRefusal | None]] = {
    "service": _service, "socket": _socket, "mount": _mount, "automount": _automount, "swap": _swap, "timer": _timer,
    "path": _path, "slice": _slice,
}  # fmt: skip


def bad_unit_names(value: str) -> tuple[str, ...]:
    """Return the words of a list of units that are not names of units, for example for a comma: "docker.service,"."""
    from flatkit.butane.machine.unit_file import unit_type

    return tuple(
        word
        for word in value.split()
        if "%" not in word and not (unit_type(word) and _NAME.fullmatch(word) and len(word) < 256)
    )


def needs_instance(unit: Unit) -> bool:
    """Return True for a template, which starts only as an instance."""
    return is_template(unit.name) and not template_of(unit.name)
