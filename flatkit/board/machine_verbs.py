"""Rewind or restart a machine of this seat by flatkit's own verbs, once the learner has said yes. Returns the result in words."""

from __future__ import annotations

from flatkit.errors import MachineError, UsageError


def choose_machine(name: str) -> str:
    """Return the name of the machine that is meant: this one, else the only one. Raises MachineError."""
    from flatkit.machines import list_machines

    if name:
        return name
    names = [info.name for info in list_machines()]
    if len(names) != 1:
        there = f"{len(names)} machines: {', '.join(names)}" if names else "no machine"
        raise MachineError(f"this seat has {there}; expected one, or its name in the request", hint="flatkit list")
    return names[0]


def run_verb(kind: str, name: str) -> str:
    """Rewind or restart a machine. Raises FlatkitError."""
    from flatkit.machines import get_machine

    machine = get_machine(choose_machine(name))
    if kind == "rewind":
        return f'the machine "{machine.name}" is {machine.rewind()}'
    if kind == "restart":
        machine.stop()
        machine.up()
        return f'the machine "{machine.name}" runs again'
    raise UsageError(f'"{kind}" is not a verb that a trainer may ask for; expected rewind or restart')
