"""Machines: spec, domain, console, SSH connection, and the verbs on a machine.

    from flatkit.machines import Machine, MachineSpec
    machine = Machine("web").up(spec)
    machine.run("uname -r")

Each name is imported on first use, because paramiko and libvirt are slow to import.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flatkit.machines.accelerator import Acceleration as Acceleration
    from flatkit.machines.accelerator import choose as choose
    from flatkit.machines.checkpoints import FRESH as FRESH
    from flatkit.machines.checkpoints import Checkpoint as Checkpoint
    from flatkit.machines.cleanup import MachineInfo as MachineInfo
    from flatkit.machines.cleanup import find_machines as find_machines
    from flatkit.machines.cleanup import list_machines as list_machines
    from flatkit.machines.cleanup import remove_machines as remove_machines
    from flatkit.machines.creator import UNKNOWN_CREATOR as UNKNOWN_CREATOR
    from flatkit.machines.creator import Creator as Creator
    from flatkit.machines.creator import notebook_session as notebook_session
    from flatkit.machines.creator import terminal_session as terminal_session
    from flatkit.machines.handle import MachineState as MachineState
    from flatkit.machines.hypervisor import Hypervisor as Hypervisor
    from flatkit.machines.ignition_log import Trouble as Trouble
    from flatkit.machines.ignition_log import find_trouble as find_trouble
    from flatkit.machines.keys import KeyPair as KeyPair
    from flatkit.machines.keys import read_key_file as read_key_file
    from flatkit.machines.keys import workshop_key as workshop_key
    from flatkit.machines.machine import Booted as Booted
    from flatkit.machines.machine import Machine as Machine
    from flatkit.machines.machine import get_machine as get_machine
    from flatkit.machines.phases import PHASES as PHASES
    from flatkit.machines.ready import Patience as Patience
    from flatkit.machines.resume import Rewound as Rewound
    from flatkit.machines.shell import Shell as Shell
    from flatkit.machines.spec import Accelerator as Accelerator
    from flatkit.machines.spec import Arch as Arch
    from flatkit.machines.spec import DirectBoot as DirectBoot
    from flatkit.machines.spec import Firmware as Firmware
    from flatkit.machines.spec import Forward as Forward
    from flatkit.machines.spec import MachineSpec as MachineSpec
    from flatkit.machines.spec import check_name as check_name
    from flatkit.machines.spec import parse_forward as parse_forward
    from flatkit.machines.ssh import RunResult as RunResult

# name -> the module of this package that defines it
_NAMES = {
    "FRESH": "checkpoints",
    "PHASES": "phases",
    "Acceleration": "accelerator",
    "Accelerator": "spec",
    "Arch": "spec",
    "Booted": "machine",
    "Checkpoint": "checkpoints",
    "Creator": "creator",
    "DirectBoot": "spec",
    "Firmware": "spec",
    "Forward": "spec",
    "Hypervisor": "hypervisor",
    "KeyPair": "keys",
    "Machine": "machine",
    "MachineInfo": "cleanup",
    "MachineSpec": "spec",
    "MachineState": "handle",
    "Patience": "ready",
    "Rewound": "resume",
    "RunResult": "ssh",
    "Shell": "shell",
    "Trouble": "ignition_log",
    "UNKNOWN_CREATOR": "creator",
    "check_name": "spec",
    "choose": "accelerator",
    "find_machines": "cleanup",
    "find_trouble": "ignition_log",
    "get_machine": "machine",
    "list_machines": "cleanup",
    "notebook_session": "creator",
    "parse_forward": "spec",
    "read_key_file": "keys",
    "remove_machines": "cleanup",
    "terminal_session": "creator",
    "workshop_key": "keys",
}

__all__ = sorted(_NAMES)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(f"flatkit.machines.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'flatkit.machines' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_NAMES])
