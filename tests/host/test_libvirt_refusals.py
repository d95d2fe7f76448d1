"""libvirt that cannot be reached, or refuses a verb: the cause is asked, not guessed, with real users and sockets."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import people
import pytest

from flatkit.accounts import my_name
from flatkit.host.system import split_hint
from flatkit.machines.libvirt_errors import explain, find_path, unreachable

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can do this")
# Words of causes that are not these.
GUESSES = ("aG libvirt", "make setup", "flatkit doctor")

OWN_URI = "unset LIBVIRT_DEFAULT_URI"
SITUATIONS = [
    (
        {"XDG_RUNTIME_DIR": "{closed}"},
        'XDG_RUNTIME_DIR leads to a folder that is not for you: "{closed}" belongs to "root"', "unset XDG_RUNTIME_DIR",
    ),
    (
        {"XDG_RUNTIME_DIR": "/run/user/gone"},
        'XDG_RUNTIME_DIR is "/run/user/gone", which does not exist', "unset XDG_RUNTIME_DIR",
    ),
    (
        {"XDG_RUNTIME_DIR": "relative"},
        'XDG_RUNTIME_DIR is "relative", which is not an absolute path', "unset XDG_RUNTIME_DIR",
    ),
    ({"HOME": "/nonexistent"}, 'HOME is "/nonexistent", and the home of "{name}" is "{home}"', "export HOME={home}"),
    ({"HOME": "{closed}"}, '"{closed}" belongs to "root" (mode 0700), and you are "{name}"', "export HOME={home}"),
    ({"XDG_CACHE_HOME": "{closed}"}, '"{closed}" belongs to "root" (mode 0700), and you are "{name}"', ""),
    ({"XDG_CACHE_HOME": "rel"}, 'XDG_CACHE_HOME is "rel", which is not an absolute path', "unset XDG_CACHE_HOME"),
    ({"HOME": "rel"}, 'HOME is "rel", which is not an absolute path', "export HOME={home}"),
    ({"FLATKIT_STATE": "rel"}, 'the folder "rel" cannot be used: it is not an absolute path', "export FLATKIT_STATE=/rel"),
    ({"FLATKIT_STATE": "~nosuch/x"}, 'this host has no user "nosuch"', "unset FLATKIT_STATE"),
    ({"LIBVIRT_DEFAULT_URI": "qemu:///sesion"}, 'its path is "/sesion"', "unset LIBVIRT_DEFAULT_URI"),
    ({"LIBVIRT_DEFAULT_URI": "qemu:/session"}, 'it has no "://"', OWN_URI),
    ({"LIBVIRT_DEFAULT_URI": "qemu"}, 'it has no "://"', OWN_URI),
    ({"LIBVIRT_DEFAULT_URI": "QEMU:///session"}, '"QEMU" is not in small letters', OWN_URI),
    ({"LIBVIRT_DEFAULT_URI": '"qemu:///session"'}, "is not a driver that flatkit knows", OWN_URI),
    ({"LIBVIRT_DEFAULT_URI": "qemu+tcp:///system"}, '"tcp" leads to another host, and it names none', OWN_URI),
    ({"LIBVIRT_DEFAULT_URI": "test:///defualt"}, 'its path is "/defualt"', "unset LIBVIRT_DEFAULT_URI"),
    ({"LIBVIRT_DEFAULT_URI": "qemu:///session?socket=/nope"}, "nothing answers where LIBVIRT_DEFAULT_URI leads", OWN_URI),
]  # fmt: skip


@pytest.mark.parametrize(("environment", "words", "way"), SITUATIONS, ids=lambda value: str(value)[:40])
def test_why_libvirt_does_not_answer(
    ada: people.Person, of_root: Path, environment: dict[str, str], words: str, way: str
) -> None:
    names = {"closed": str(of_root), "home": str(ada.home), "name": ada.name}
    said = ada.flatkit("list", **{key: value.format(**names) for key, value in environment.items()})
    assert words.format(**names) in said
    assert f"Next: {way.format(**names)}" in said
    for guess in (*GUESSES, "Traceback"):
        assert guess not in said


@AS_ROOT
def test_a_socket_that_refuses_says_for_whom_it_is(ada: people.Person, tmp_path: Path) -> None:
    """The group is the socket's own, whatever its name; and where no group would help, none is proposed."""
    code = "import sys; from flatkit.machines.libvirt_errors import unreachable as u; print(u('qemu:///system', sys.argv[1]))"

    def ask(path: Path, why: str) -> str:
        said = f"Failed to connect socket to '{path}': {why}"
        return subprocess.check_output(ada.argv(sys.executable, "-c", code, said), text=True, cwd="/")

    folder = Path(f"/var/tmp/flatkit-{os.getpid()}-sockets")
    folder.mkdir()
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            path = folder / "libvirt-sock"
            listener.bind(str(path))
            os.chown(path, 0, 12)
            path.chmod(0o660)
            said = ask(path, "Permission denied")
            group = path.group()
            assert f'is for "root" and the group "{group}" (mode 0660), and you are "{ada.name}"' in said
            assert f"sudo usermod -aG {group} {ada.name}   (then log in again)" in said
            path.chmod(0o600)
            assert "usermod" not in ask(path, "Permission denied")
            path.chmod(0o666)
            assert "is open to you by its mode, and something else refuses you" in ask(path, "Permission denied")
            assert f'nobody listens at "{path}"' in ask(path, "Connection refused")
            path.unlink()
            assert f'there is no socket "{path}"' in ask(path, "No such file or directory")
    finally:
        shutil.rmtree(folder)


def test_polkit_is_called_by_its_name() -> None:
    said = "authentication unavailable: no polkit agent available to authenticate action 'org.libvirt.unix.manage'"
    error = unreachable("qemu:///system", said)
    assert "polkit decides who may use it" in error.message
    assert f"sudo usermod -aG libvirt {my_name()}" in error.hint


def test_an_unknown_cause_is_said_as_tried_and_answered() -> None:
    error = unreachable("qemu:///session", "internal error: the moon is full")
    assert "why is not known to flatkit. libvirt said: internal error: the moon is full" in error.message
    assert split_hint(error.hint)[0] == ""


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ("Failed to connect socket to '/run/x/libvirt-sock': No such file or directory", "/run/x/libvirt-sock"),
        ("Cannot access storage file '/a b/d' (as uid:1, gid:2): Permission denied", "/a b/d"),
        ("Unable to open file: /s/console.log: Permission denied", "/s/console.log"),
        ('could not open "/s/x"', "/s/x"),
        ("no connection driver available for foo:///", None),
    ],
)
def test_the_path_in_a_message(said: str, path: str | None) -> None:
    assert find_path(said) == (Path(path) if path else None)


@AS_ROOT
def test_the_folder_that_qemu_may_not_enter_is_named(tmp_path: Path) -> None:
    class Refusal(Exception):
        def get_error_code(self) -> int:
            return 1

    libvirt = SimpleNamespace(VIR_ERR_NO_DOMAIN=42)
    closed = tmp_path / "closed"
    (closed / "below").mkdir(parents=True)
    for above in tmp_path.parents:
        if above.stat().st_uid == 0 and above.name.startswith(("pytest", "popen")):
            above.chmod(0o711)
    tmp_path.chmod(0o711)
    closed.chmod(0o700)
    said = f"Cannot access storage file '{closed}/below/disk' (as uid:65534, gid:65534): Permission denied"
    error = explain(libvirt, Refusal(said), "start the domain")  # type: ignore[arg-type]
    assert f'QEMU runs as "nobody", who may not enter "{closed}"' in error.message
    assert error.hint.startswith(f"chmod o+x {closed}   ")
    closed.chmod(0o711)
    error = explain(libvirt, Refusal(said), "start the domain")  # type: ignore[arg-type]
    assert "although the folders above it are open to everybody" in error.message
    assert "chmod" not in error.hint
