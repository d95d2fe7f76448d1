"""The recorded calls of Flatcar's programs (tests/golden/real) typed on a lab machine, and what differs from the record."""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass

from flatkit.images.lab import recipe
from flatkit.machines import Machine
from tests.real_tools import FOLDER, blocks

_SCRIPT = """
cd "$(mktemp -d)"
echo '{{}}' >c.ign
echo 'no payload' >pay.gz
before() {{ {before}; }}
after() {{ {after}; }}
play() {{
    before
    bash -c "$1" >out 2>err
    status=$?
    after >left 2>&1
    printf '{{"status": %d, "out": "%s", "err": "%s", "left": "%s"}}\\n' $status \\
        "$(base64 -w 0 out)" "$(base64 -w 0 err)" "$(base64 -w 0 left)"
}}
{calls}
before
"""


@dataclass(frozen=True, kw_only=True)
class Typed:
    """Status, output and error of a command, and what it left behind."""

    status: int
    out: str
    err: str
    left: str


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A call, and what is to be compared: says whether the answer is that of the record."""

    command: str
    is_same: Callable[[Typed], bool]


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A program's calls. Before each one a state is made, and after it looked at."""

    name: str
    calls: list[Recorded]
    before: str = ":"
    after: str = ":"
    is_root: bool = False


def typed(machine: Machine, tool: Tool) -> list[Typed]:
    """What the machine answers to the tool's calls, in one exchange."""
    lines = "\n".join(f"play {shlex.quote(call.command)}" for call in tool.calls)
    script = _SCRIPT.format(before=tool.before, after=tool.after, calls=lines)
    text = base64.b64encode(script.encode()).decode()
    done = machine.run(f"echo {text} | base64 -d | {'sudo ' if tool.is_root else ''}bash", timeout=600).check()
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) == len(tool.calls)
    read = lambda row, key: base64.b64decode(row[key]).decode()  # noqa: E731
    return [
        Typed(status=row["status"], out=read(row, "out"), err=read(row, "err"), left=read(row, "left")) for row in rows
    ]


def differences(machine: Machine, tool: Tool) -> list[str]:
    """The calls that the machine answers otherwise than Flatcar's program did."""
    pairs = zip(tool.calls, typed(machine, tool), strict=True)
    return [f"{call.command}: {answer}" for call, answer in pairs if not call.is_same(answer)]


def _real(lines: list[str]) -> list[str]:
    """The real program's part of a record that has two sides."""
    return lines[
        : next(at for at, line in enumerate(lines) if at and line.startswith(("  stand", "  rc=", "  [stand")))
    ]


def _begins(text: str, lines: list[str]) -> bool:
    """The record keeps the first lines."""
    ours = [line.rstrip() for line in text.splitlines()]
    return ours[: len(lines)] == [line.rstrip() for line in lines] and bool(ours) is bool(lines)


def locksmithctl() -> Tool:
    """All but `send-need-reboot`: the record's sandbox had no D-Bus to send it over."""

    def recorded(head: str, lines: list[str]) -> Recorded:
        real = _real(lines)
        status = int(real[0].removeprefix("  rc=")[0])
        out, err = ([line[8:] for line in real if line.startswith(f"   {stream}: ")] for stream in ("out", "err"))
        return Recorded(
            command=head,
            is_same=lambda said: said.status == status and _begins(said.out, out) and _begins(said.err, err),
        )

    calls = [recorded(*block) for block in blocks("locksmithctl.txt") if "send-need-reboot" not in block[0]]
    return Tool(name="locksmithctl", calls=calls)


_MASK = re.compile(r"[IE]\d{8} [0-9:.]+ +\d+ |LAST_CHECKED_TIME=\d+")


def update_engine_client(names: tuple[str, ...] = ()) -> Tool:
    """The forms of its flags, on a daemon that is idle; or the records of these names.

    How often `-update` prints a status depends on how long it takes, so that the last one is compared.
    """
    text = (FOLDER / "update_engine_client-0.4.10.txt").read_text()
    found = re.findall(r"^### (\S+): (.*)\nrc=(\d+) .*\n((?:(?:out|err): ?.*\n)*)", text, re.MULTILINE)
    forms = names or ("badflag", "nothing", "twodash", "statusarg", "positional", "false")

    def recorded(name: str, command: str, status: str, said: str) -> Recorded:
        out, err = (re.findall(rf"^{stream}: ?(.*)\n", said, re.MULTILINE) for stream in ("out", "err"))
        last = "\n".join(out[-5:])

        def is_same(answer: Typed) -> bool:
            ours = _MASK.sub("", "\n".join(answer.out.splitlines()[-5:]))
            errors = _MASK.sub("", answer.err).splitlines()
            return (answer.status, ours, errors) == (int(status), _MASK.sub("", last), [_MASK.sub("", e) for e in err])

        return Recorded(command=command, is_same=is_same)

    return Tool(name="update_engine_client", calls=[recorded(*each) for each in found if each[0] in forms])


def flatcar_update(server: str) -> Tool:
    """Those that end before the daemon is asked, with what they leave in update.conf. (Its own answers were a stub's.)

    `server` is what stands in for the record's http://my/server, which had no such release.
    """

    def recorded(head: str, lines: list[str]) -> Recorded:
        real = _real(lines)
        status = int(real[0].removeprefix("  real rc="))
        out, err = ([line[9:] for line in real if line.startswith(f"    {stream}: ")] for stream in ("out", "err"))
        conf = next(line[16:].strip() for line in real if line.startswith("    conf after: "))
        is_trap = "localhost:9090" in conf  # the words of sed, ln and curl come between, and have other line numbers

        def is_same(said: Typed) -> bool:
            same = said.status == status and " ".join(said.left.split()).replace(server, "http://my/server") == conf
            return same and _begins(said.out, out[:1]) and (is_trap or said.err.splitlines() == err)

        return Recorded(command=head, is_same=is_same)

    calls = [recorded(*block) for block in blocks("flatcar-update.txt") if "#" not in block[0]]
    keep = [block[0] for block in blocks("flatcar-update.txt") if "  real rc=123" not in block[1]]
    return Tool(
        name="flatcar-update",
        calls=[call for call in calls if call.command in keep],
        before=f"printf 'SERVER={server}\\nGROUP=stable\\n' >/etc/flatcar/update.conf",
        after="cat /etc/flatcar/update.conf",
        is_root=True,
    )


def flatcar_reset() -> Tool:
    """All but the previews and the backup: these list a sandbox's files, which had no rsync."""

    def recorded(head: str, lines: list[str]) -> Recorded:
        real = _real(lines)
        part = lambda name: [line[4:].partition(": ")[2] for line in real if line.startswith(f"    {name}: ")]  # noqa: E731
        status, out, err = int(real[0].removeprefix("  real rc=")), part("out"), part("err")
        count = next(int(line.split()[1]) for line in real if line.startswith("    outlines "))
        grub = "".join(f"{line.removeprefix('> ')}\n" for line in part("grub") if line.startswith("> "))
        config = "yes" if any("config.ign" in line for line in part("oem")) else ""
        left = ["".join(part("FLAG")), *part("first_boot"), "yes" * bool("    first_boot yes" in real), config]

        def is_same(said: Typed) -> bool:
            flag, first_boot, file, cfg = said.left.split("\n", 3)
            same = said.status == status and _begins(said.out, out) and said.err.splitlines() == err
            cfg = re.sub(r"(systemd.machine_id=)[0-9a-f]{32}", r"\g<1>" + "3d1219c7c4c5404aaa1f6d2a48adfda4", cfg)
            return (
                same
                and len(said.out.splitlines()) == count
                and [flag, first_boot, file] == left
                and cfg == recipe.OEM_GRUB_CFG + grub
            )

        return Recorded(command=head, is_same=is_same)

    flags = {"-P", "-W", "-B"}
    calls = [
        block for block in blocks("flatcar-reset.txt") if not flags & set(block[0].split()) or "-S" in block[0].split()
    ]
    grub = shlex.quote(recipe.OEM_GRUB_CFG)
    return Tool(
        name="flatcar-reset",
        calls=[recorded(*block) for block in calls],
        before=f"rm -f /selective-os-reset /boot/flatcar/first_boot /oem/config.ign; printf %s {grub} >/oem/grub.cfg",
        after="cat /selective-os-reset 2>/dev/null || echo; for file in /boot/flatcar/first_boot /oem/config.ign; do"
        " [ -e $file ] && echo yes || echo; done; cat /oem/grub.cfg",
        is_root=True,
    )
