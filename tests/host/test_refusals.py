"""What refuses is asked, not guessed: sockets, folders, devices, ports and addresses, with real users and namespaces."""

from __future__ import annotations

import errno
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import people
import pytest

from flatkit import accounts
from flatkit.accounts import my_name
from flatkit.errors import HostError
from flatkit.host import examine
from flatkit.host.system import Health, System, split_hint
from flatkit.listening import explain_bind, try_port
from flatkit.machines import accelerator as accelerator_module
from flatkit.machines import ports
from flatkit.machines.libvirt_errors import explain, find_path, is_kvm_refused, unreachable
from flatkit.machines.spec import Forward
from flatkit.updates.server import UpdateServer

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can do this")
# Words of causes that are not these.
GUESSES = ("aG libvirt", "make setup", "flatkit doctor")


@pytest.fixture(scope="module")
def ada() -> Iterator[people.Person]:
    with people.person(2) as found:
        yield found


@pytest.fixture(scope="module")
def of_root() -> Iterator[Path]:
    folder = Path(f"/var/tmp/flatkit-{os.getpid()}-closed")
    folder.mkdir(mode=0o700)
    yield folder
    folder.rmdir()


# libvirt that cannot be reached, as a user sees it

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


@pytest.mark.parametrize("environment", [{"HOME": "/"}, {"HOME": ""}, {"HOME": "~"}], ids=str)
def test_a_user_without_an_entry_is_told_to_take_nothing(
    ada: people.Person, tmp_path: Path, environment: dict[str, str]
) -> None:
    """`sudo chown -R 4242: /` would give this user the host. And no folder "~" or ".config" appears where they are."""
    stranger = people.Person(name="user 4242", uid=4242, gid=4242, home=Path("/"))
    said = stranger.each("up", "list", "doctor", "course --copy-only", **environment)
    assert len(said) == 4
    for command, words in said.items():
        for word in ("chown", "chmod", "Traceback", "fault in flatkit"):
            assert word not in words, (command, words)
    assert "Next: export " in said["up"]


@pytest.mark.parametrize(
    ("home", "path", "owner", "cure"),
    [
        ("mine", "mine/.local", 0, "sudo chown -R "),
        ("mine", "mine/.local", 4242, "chmod -R u+rwX "),
        ("mine", "mine", 0, "ls -ld "),
        ("mine", "other/x", 0, "ls -ld "),
        ("of-root", "of-root/x", 0, "ls -ld "),  # such as /usr/sbin, the home of "daemon"
        (None, "mine/x", 0, "ls -ld "),
    ],
)
def test_what_a_user_is_told_to_take(
    home: str | None, path: str, owner: int, cure: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = {"mine": 4242, "of-root": 0}
    monkeypatch.setattr(accounts, "my_uid", lambda: 4242)
    monkeypatch.setattr(accounts, "home_of", lambda _: home and tmp_path / home)
    monkeypatch.setattr(Path, "stat", lambda self, **_: SimpleNamespace(st_uid=about[self.name]))
    obstacle = accounts.Obstacle(path=tmp_path / path, uid=owner, gid=owner, mode=0o700)
    assert obstacle.cure.startswith(cure)


# libvirt that refuses a verb


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


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        ("Could not access KVM kernel module: No such file or directory", True),
        ("qemu-system-x86_64: failed to initialize kvm: Operation not permitted", True),
        ("could not find capabilities for domaintype=kvm", True),
        ("unable to open '/dev/kvm': Permission denied", True),
        ("invalid argument: KVM is not supported by '/usr/bin/qemu-system-x86_64' on this host", True),
        ('could not start the domain "flatkit-0a1b2c-kvm": Failed to get "write" lock', False),
        ("Cannot access storage file '/images/kvm/initialize kvm.qcow2': Permission denied", False),
    ],
)
def test_kvm_is_blamed_for_its_own_refusals_alone(said: str, refused: bool) -> None:
    assert is_kvm_refused(said) is refused


# Ports and addresses


@pytest.mark.parametrize(
    ("number", "port", "words", "is_of_port"),
    [
        (errno.EADDRINUSE, 20000, "another program holds it", True),
        (errno.EACCES, 80, "are for root on this host", True),
        (errno.EACCES, 65000, "is not one of root's", False),
        (errno.EPERM, 65000, "a security policy or a container may forbid", False),
        (errno.EADDRNOTAVAIL, 20000, 'this host has no address "127.0.0.1"', False),
        (errno.EAFNOSUPPORT, 20000, "this host has no IPv4", False),
        (errno.EMFILE, 20000, "too many files are open", False),
        (errno.ENETDOWN, 20000, "was tried, and the system answered: Network is down", False),
    ],
)
def test_each_error_of_bind_has_its_own_words(number: int, port: int, words: str, is_of_port: bool) -> None:
    found = explain_bind(OSError(number, os.strerror(number)), "127.0.0.1", port)
    assert words in found.words
    assert found.is_of_port is is_of_port
    assert found.is_taken is (number == errno.EADDRINUSE)


@pytest.mark.parametrize(
    ("prepare", "words", "cure"),
    [
        ("true", "the loopback device lo of this host is down", "sudo ip link set lo up"),
        (
            "ip link set lo up; ip link set lo down",
            "the loopback device lo of this host is down",
            "sudo ip link set lo up",
        ),
        (
            "ip link set lo up; ip address del 127.0.0.1/8 dev lo",
            'this host has no address "127.0.0.1": its loopback device lo lacks it',
            "sudo ip address add 127.0.0.1/8 dev lo",
        ),
    ],
    ids=["never up", "down", "no address"],
)
@AS_ROOT
def test_a_host_whose_loopback_is_off(prepare: str, words: str, cure: str) -> None:
    code = """
from flatkit.errors import HostError
from flatkit.host.space import check_ports
from flatkit.machines import ports
from flatkit.machines.spec import Forward
from flatkit.updates.server import UpdateServer
for act in (ports.find_free_port, check_ports, lambda: ports.check_free([Forward(host=8080, guest=80)]), UpdateServer().start):
    try: act()
    except HostError as error: print(error)
    else: print("no error")
"""
    if subprocess.run(["unshare", "--net", "true"], check=False, capture_output=True).returncode or not shutil.which(
        "ip"
    ):
        pytest.skip("no network namespace can be made, or ip is not installed")
    script = f'{prepare}; exec "$0" -c "$1"'
    said = subprocess.check_output(["unshare", "--net", "sh", "-c", script, sys.executable, code], text=True)
    assert said.count(words) == 4
    assert said.count(f"Next: {cure}") == 4
    for guess in ("another program", "0 picks a free port", "no error"):
        assert guess not in said


def test_a_port_below_1024_is_not_taken(ada: people.Person) -> None:
    code = "from flatkit.machines import ports, Forward; print(ports.port_taken(Forward(host=81, guest=80)))"
    said = subprocess.check_output(ada.argv(sys.executable, "-c", code), text=True, cwd="/")
    if "is free now" in said:
        pytest.skip("this host lets everybody listen on port 81")
    assert re.search(r"ports below \d+ are for root on this host \(Permission denied\)", said)
    assert "another program" not in said


@AS_ROOT
def test_for_root_a_low_port_is_refused_to_qemu_alone() -> None:
    if try_port(81) is not None:
        pytest.skip("port 81 is taken here")
    error = ports.port_taken(Forward(host=81, guest=80))
    assert "are for root, and QEMU runs as a user of its own" in error.message or "it is free now" in error.message


def test_a_taken_port_names_its_holder() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(HostError, match=rf"\(process {os.getpid()}\) holds it"):
            ports.check_free([Forward(host=port, guest=80)])
        with pytest.raises(HostError, match="already in use"):
            UpdateServer(port=port).start()
    assert try_port(port) is None


def test_an_address_of_another_host() -> None:
    with pytest.raises(HostError, match=r'this host has no address "192\.0\.2\.1"') as caught:
        UpdateServer(listen="192.0.2.1").start()
    assert "another port" not in caught.value.hint


# Devices


@pytest.mark.parametrize(
    ("mode", "gid", "fix"),
    [
        (0o660, 12, "sudo usermod -aG {group} "),
        (0o600, 12, "sudo chmod 0666 {device}"),
        (0o660, 0, "sudo chmod 0666 {device}"),
    ],
)
@AS_ROOT
def test_what_opens_a_device(tmp_path: Path, mode: int, gid: int, fix: str) -> None:
    device = tmp_path / "kvm"
    device.touch()
    device.chmod(mode)
    os.chown(device, 0, gid)
    found, _note = accelerator_module.find_device_cure(device)
    assert found.startswith(fix.format(group=device.group(), device=device))


def test_a_device_that_a_container_keeps_is_not_a_matter_of_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object) -> int:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    device = tmp_path / "kvm"
    device.touch()
    monkeypatch.setattr("os.open", refuse)
    chosen = accelerator_module.choose(accelerator_module.Arch.of_host(), device=device)
    assert chosen.why == f"{device} cannot be opened: Operation not permitted"


# Doctor's lines


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
