"""Commands for existing machines: `ssh`, `list`, `console`, `stop`, `unplug`, `down`, `checkpoint`, `rewind`, `clean`."""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

from flatkit.cli.options import whole_number
from flatkit.cli.show import Json, fail_json, observer_for, print_json
from flatkit.errors import FlatkitError, MachineError, MachineNotFound
from flatkit.run import become
from flatkit.untrusted import printable, shell_word

# Maximum length of a line printed by a guest, in characters.
_LONGEST_LINE = 4000

if TYPE_CHECKING:
    from flatkit.machines import Machine, MachineInfo


def run(argv: list[str]) -> int:
    """Run the command that the first word names."""
    verbs = {
        "checkpoint": _checkpoint, "clean": _clean, "console": _console, "down": _down, "list": _list, "rewind": _rewind,
        "ssh": _ssh, "stop": _stop, "unplug": _unplug,
    }  # fmt: skip
    return verbs[argv[0]](argv[1:])


def _ssh(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="flatkit ssh", description="Log in to a machine, or run a command there; its status is returned."
    )
    parser.add_argument("name")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="after --: what to run there")
    options = parser.parse_args(argv)
    from flatkit.machines import get_machine

    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    sys.stdout.flush()
    # From here on ssh controls the user's terminal; its exit status becomes ours.
    become(get_machine(options.name).ssh_argv(command))


def _list(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="flatkit list", description="The machines that flatkit made.")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(argv)
    from flatkit.machines import list_machines

    machines = list_machines()
    if options.json:
        for info in machines:
            print_json(event="machine", **_values(info))
        print_json(event="result", ok=True, machines=len(machines))
    elif not machines:
        print("no machines; flatkit up makes one")
    else:
        for line in table(machines):
            print(line)
    return 0


def _values(info: MachineInfo) -> dict[str, object]:
    values = asdict(info)
    values["state"] = str(info.state)
    values["folder"] = str(info.folder) if info.folder else ""
    values["checkpoints"] = [{"name": one.name, "created": one.created, "bytes": one.bytes} for one in info.checkpoints]
    return values


def table(machines: list[MachineInfo]) -> list[str]:
    """Return the machines as lines: name, state, size, ports, creator, image, and the checkpoints below each."""
    rows = [("NAME", "STATE", "SSH PORT", "DISK", "MADE BY", "IMAGE (at its creation)")]
    for info in machines:
        size = f"{info.disk_bytes / 1e6:.0f} MB"
        cells = (info.name, info.state, info.ssh_port or "-", size, info.made_by, info.label or info.cause)
        name, state, port, size, made_by, label = map(printable, cells)
        rows.append((name, state, port, size, made_by, label))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = [
        "  ".join([*(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)), row[5]]) for row in rows
    ]
    for number, info in reversed(list(enumerate(machines, start=1))):
        if info.state == "elsewhere":
            lines.insert(number + 1, f"  {printable(info.cause)}; next: {printable(info.cure)}")
        if info.checkpoints:
            lines.insert(number + 1, f"  checkpoints: {', '.join(map(printable, info.checkpoints))}")
    return lines


def _console(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="flatkit console", description="What a machine's serial console has shown, from its first byte on."
    )
    parser.add_argument("name")
    parser.add_argument("--lines", type=whole_number, default=0, help="only the last so many")
    parser.add_argument("--follow", action="store_true", help="go on with what comes; Ctrl-C ends it")
    options = parser.parse_args(argv)
    from flatkit.machines import Machine

    machine = Machine(options.name)
    if not machine.folder.console.exists():
        raise MachineError(f'there is no console of a machine named "{options.name}"', hint="flatkit list")
    with suppress(FlatkitError):  # everything read so far is shown in any case
        machine.attend()
    if options.follow:
        return _follow(machine, options.lines)
    for line in machine.console_tail(options.lines or 1_000_000):
        print(printable(line, limit=_LONGEST_LINE))
    return 0


def _follow(machine: Machine, lines: int) -> int:
    """Show the console live until the machine is off or the user presses Ctrl-C."""
    from flatkit.machines.console import follow

    def is_off() -> bool:
        try:
            return not machine.hypervisor.status(machine.record.domain).state.is_active
        except MachineNotFound:
            return True
        except FlatkitError:
            return False  # libvirt's daemon may come back; the console continues without it

    try:
        for line in follow(machine.folder.console, lines=lines, is_over=is_off):
            print(printable(line, limit=_LONGEST_LINE), flush=True)
    except KeyboardInterrupt:
        return 0
    print(f'the machine "{machine.name}" is off', file=sys.stderr)
    return 0


def _stop(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="flatkit stop", description="Switch a machine off; its disk is kept.")
    parser.add_argument("name")
    name = parser.parse_args(argv).name
    from flatkit.machines import get_machine

    get_machine(name).stop()
    print(f'the machine "{name}" is off; flatkit up --name {name} starts it again')
    return 0


def _unplug(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="flatkit unplug", description="Pull a machine's plug: off without warning, as in a power cut."
    )
    parser.add_argument("name")
    name = parser.parse_args(argv).name
    from flatkit.machines import get_machine

    get_machine(name).unplug()
    print(f'the plug of "{name}" is pulled; flatkit up --name {name} switches it on again')
    return 0


def _down(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="flatkit down", description="Remove a machine with all it has.")
    parser.add_argument("name")
    name = parser.parse_args(argv).name
    from flatkit.machines import Machine, check_name

    troubles = Machine(check_name(name)).down()
    for trouble in troubles:
        print(f"flatkit: {printable(trouble)}", file=sys.stderr)
    print(f'the machine "{name}" is {"not wholly " if troubles else ""}gone')
    return 1 if troubles else 0


def _checkpoint(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="flatkit checkpoint",
        description="Save a running machine, memory and disk, under a name; it stands still for a second or two.",
        epilog='The first boot saves one by itself: "fresh". flatkit list shows them; flatkit down removes them.',
    )
    parser.add_argument("name", help="the machine")
    parser.add_argument("checkpoint", help="the checkpoint's name, for example before-update")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(argv)
    from flatkit.machines import get_machine

    observer = observer_for(as_json=options.json)
    try:
        saved = get_machine(options.name).checkpoint(options.checkpoint, observer=observer)
    except FlatkitError as error:
        if isinstance(observer, Json):
            return fail_json(observer, error)
        raise
    if isinstance(observer, Json):
        observer.result(ok=True, name=options.name, checkpoint=saved.name, bytes=saved.bytes, created=saved.created)
    else:
        print(f"flatkit rewind {options.name} --to {printable(saved.name)}   brings the machine back to here")
    return 0


def _rewind(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="flatkit rewind",
        description="Bring a machine back to a checkpoint, memory and disk, whether it runs or not.",
        epilog="A machine that has no checkpoint boots again from its image.",
    )
    parser.add_argument("name", help="the machine")
    parser.add_argument("--to", metavar="CHECKPOINT", help='which one (default: "fresh", which the first boot saves)')
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(argv)
    from flatkit.machines import get_machine

    observer = observer_for(as_json=options.json)
    try:
        rewound = get_machine(options.name).rewind(to=options.to, observer=observer)
    except FlatkitError as error:
        if isinstance(observer, Json):
            return fail_json(observer, error)
        raise
    if isinstance(observer, Json):
        observer.result(ok=True, name=options.name, **asdict(rewound))
    else:
        print(f'The machine "{options.name}" is {printable(rewound)}.')
    return 0


def _clean(argv: list[str]) -> int:
    """List, ask, remove."""
    parser = argparse.ArgumentParser(
        prog="flatkit clean",
        description="List and remove everything that flatkit made: machines, with disks and consoles.",
        epilog="WHO is terminal, notebook, demo, exercise, or a name of one, such as 04-updates.ipynb. The list shows them.",
    )
    parser.add_argument("--made-by", metavar="WHO", help="only what this notebook, demo or terminal made")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    options = parser.parse_args(argv)
    from flatkit.machines import find_machines, remove_machines

    there = find_machines()
    machines = [info for info in there if options.made_by is None or info.made_by.matches(options.made_by)]
    if not machines:
        print(_nothing(options.made_by, [str(info.made_by) for info in there]))
        return 0
    for line in table(machines):
        print(line)
    if not options.yes:
        if not sys.stdin.isatty():
            only = f" --made-by {shell_word(options.made_by)}" if options.made_by else ""
            print(f"these would be removed; flatkit clean{only} --yes removes them")
            return 0
        if input("Remove all of these? [y/N] ").strip().lower() not in {"y", "yes"}:
            print("nothing was removed; flatkit clean --made-by WHO takes some of them, flatkit down NAME takes one")
            return 0
    troubles = remove_machines(machines)
    for trouble in troubles:
        print(f"flatkit: {printable(trouble)}", file=sys.stderr)
    print(f"{len(machines)} removed" if not troubles else "not everything could be removed")
    return 1 if troubles else 0


def _nothing(made_by: str | None, others: list[str]) -> str:
    if not others or made_by is None:
        return "nothing to clean: flatkit has no machines here"
    known = ", ".join(printable(other) for other in dict.fromkeys(others))
    return f'nothing to clean: "{printable(made_by)}" made no machine that is here; machines are here by: {known}'
