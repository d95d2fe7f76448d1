"""The demos: tuples of steps as data, one file each, and the one runner that plays any of them."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from flatkit import plugins
from flatkit.demos.channels import CHANNELS
from flatkit.demos.containers import CONTAINERS
from flatkit.demos.everywhere import EVERYWHERE
from flatkit.demos.identical import IDENTICAL
from flatkit.demos.immutable import IMMUTABLE
from flatkit.demos.powercut import POWERCUT
from flatkit.demos.provision import PROVISION
from flatkit.demos.reset import RESET
from flatkit.demos.rollback import ROLLBACK
from flatkit.demos.sysext import SYSEXT
from flatkit.demos.update import UPDATE
from flatkit.errors import InputError, UsageError
from flatkit.steps import Demo
from flatkit.untrusted import shell_word

# In the order in which `flatkit demo run all` plays them: rollback continues with the machine that update leaves.
_ALL = (PROVISION, IDENTICAL, IMMUTABLE, RESET, UPDATE, ROLLBACK, POWERCUT, CHANNELS, SYSEXT, CONTAINERS, EVERYWHERE)
DEMOS: dict[str, Demo] = {demo.name: demo for demo in _ALL}


def get_demo(name: str) -> Demo:
    """Return the demo of that name, or of the lesson with that path. Raises UsageError, InputError for a broken one."""
    if name in DEMOS:
        return DEMOS[name]
    folder = plugins.find_folder(name)
    if folder is not None:
        demo = _load(folder)
        if demo is None:
            raise InputError(f'the lesson "{name}" has no demo', hint=f"flatkit lesson list {shell_word(name)}")
        return demo
    found = next((demo for demo in find_others() if demo.name == name), None)
    if found is None:
        known = [*DEMOS, *(demo.name for demo in find_others())]
        near = difflib.get_close_matches(name.lower(), known, n=1)
        meant = f'; did you mean "{near[0]}"?' if near else f"; expected one of {', '.join(known)}"
        hint = plugins.hint_of_path("flatkit demo run .") or (
            f"flatkit demo run {near[0]}" if near else "flatkit demo list"
        )
        raise UsageError(f'there is no demo "{name}"{meant}', hint=hint)
    return found


def find_others() -> Iterator[Demo]:
    """Yield the demos of installed lessons."""
    for folder in plugins.installed():
        demo = _load(folder)
        if demo is not None:
            yield demo


def _load(folder: Path) -> Demo | None:
    demo = plugins.load(folder, "DEMO")
    if demo is not None and not isinstance(demo, Demo):
        raise InputError(f'DEMO in "{folder}" is not a Demo of flatkit.steps', hint="docs/write-a-lesson.md shows one")
    return None if demo is None else replace(demo, folder=folder)
