"""Each fix that doctor names changes what doctor says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import people
import pytest

from flatkit.host import examine
from flatkit.host.system import Health, System, split_hint


def lines(text: str) -> dict[str, tuple[str, str]]:
    """The lines of doctor that are not green: found and fix."""
    result, name = {}, ""
    for line in text.splitlines():
        if found := re.match(r"[!✗] (\S+) +(.*)", line):
            name = found[1]
            result[name] = (found[2], "")
        elif line.startswith("✓"):
            name = ""
        elif name and (found := re.match(r" +fix: (.*)", line)):
            result[name] = (result[name][0], found[1])
    return result


BROKEN: list[tuple[dict[str, str], str]] = [
    ({}, ""),
    ({"XDG_RUNTIME_DIR": "{closed}"}, "libvirt"),
    ({"XDG_STATE_HOME": "{closed}"}, "folders"),
    ({"XDG_CACHE_HOME": "{closed}"}, "folders"),
    ({"XDG_CACHE_HOME": "rel"}, "libvirt"),
    ({"FLATKIT_STATE": "/dev/null"}, "folders"),
    ({"FLATKIT_CACHE": "rel"}, "folders"),
    ({"HOME": "/nonexistent"}, "libvirt"),
    ({"LIBVIRT_DEFAULT_URI": "qemu:///sesion"}, "libvirt"),
    ({"LIBVIRT_DEFAULT_URI": "qemu:///session?socket=/nope"}, "libvirt"),
]


@pytest.mark.parametrize(("environment", "broken"), BROKEN, ids=lambda value: str(value)[:40])
def test_each_fix_of_doctor_changes_its_answer(
    ada: people.Person, of_root: Path, environment: dict[str, str], broken: str
) -> None:
    """The fix that doctor names is typed into the user's shell, and doctor is asked again: it says something else."""
    given = {key: value.format(closed=of_root) for key, value in environment.items()}

    def ask(before: str = "true") -> str:
        script = f'{before}; "$0" -m flatkit doctor'
        done = subprocess.run(
            ada.argv("sh", "-c", script, sys.executable, **given), capture_output=True, text=True, check=False, cwd="/"
        )
        assert "Traceback" not in done.stderr
        return done.stdout

    found = lines(ask())
    assert not broken or broken in found
    for name, (words, fix) in found.items():
        assert not fix.startswith("flatkit doctor"), name
        assert split_hint(fix)[0] == fix, f"{name}: {fix} only looks"
        if re.match(r"(unset|export) \w+", fix) and "/some/" not in fix:
            assert lines(ask(fix)).get(name, ("", ""))[0] != words, f"{name}: {fix} changed nothing"


@pytest.mark.parametrize("system", [System.LINUX, System.CONTAINER, System.WSL2])
def test_no_fix_of_doctor_is_doctor(system: System, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LIBVIRT_DEFAULT_URI", "qemu:///session?socket=/nope")
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / "file"))
    (tmp_path / "file").touch()
    for check in examine(system).checks:
        assert "flatkit doctor" not in check.fix + check.note, check.name
        assert check.state is Health.OK or check.fix or check.note, check.name
