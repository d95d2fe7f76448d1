"""Who can read a machine's files, and which folders and URIs are refused."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from flatkit import paths
from flatkit.cli import main
from flatkit.errors import FlatkitError, HostError
from flatkit.machines import Machine, MachineSpec
from flatkit.machines.access import Owner, close, make_private, parse_owner
from flatkit.machines.hypervisor import Hypervisor
from flatkit.machines.keys import workshop_key
from flatkit.machines.remote import RemoteHost, find_remote
from flatkit.machines.remote_backend import RemoteBackend
from flatkit.machines.spec import Accelerator
from flatkit.machines.store import Folder, folder_of, make_folder
from flatkit.testing.hypervisor import FakeHypervisor
from tests.other_users import NOBODY, open_parents, seen_by

QEMU = Owner(uid=64055, gid=64056)
IS_ROOT = os.geteuid() == 0
as_root = pytest.mark.skipif(not IS_ROOT or shutil.which("setpriv") is None, reason="only root can become another user")


@pytest.fixture
def up(hypervisor: FakeHypervisor, spec: MachineSpec, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine that was made with the most careless umask, on a libvirt that runs QEMU as another user."""
    monkeypatch.setattr(FakeHypervisor, "qemu_owner", lambda _: QEMU)
    before = os.umask(0)
    try:
        machine = Machine("web", hypervisor=hypervisor).up(spec, accelerator=Accelerator.TCG)
        machine.checkpoint("fresh")
        workshop_key()
    finally:
        os.umask(before)
    return machine


def test_nothing_of_a_machine_is_open_to_others(up: Machine, state: Path) -> None:
    modes = {path.relative_to(state): path.lstat().st_mode for path in state.rglob("*")}
    found = {str(path): oct(mode & 0o777) for path, mode in modes.items() if stat.S_ISREG(mode) and mode & 0o077}
    assert found == {"ssh/id_ed25519.pub": "0o644"}
    assert {path.name for path in up.folder.path.iterdir()} >= {
        "config.ign",
        "overlay.qcow2",
        "console.log",
        "machine.json",
    }
    assert [str(path) for path, mode in modes.items() if stat.S_ISDIR(mode) and mode & 0o066] == []


@as_root
def test_nobody_reads_anything_of_a_machine_and_qemu_what_it_opens(up: Machine) -> None:
    open_parents(up.folder.path)
    assert seen_by(NOBODY, up.folder.path) == []
    assert seen_by(QEMU, up.folder.path) == ["config.ign", "console.log", "overlay.qcow2"]


@as_root
def test_what_an_earlier_flatkit_left_open_is_closed_by_the_next_start(up: Machine) -> None:
    open_parents(up.folder.path)
    up.unplug()
    for path in (up.folder.path, *up.folder.path.iterdir()):
        path.chmod(0o755 if path.is_dir() else 0o644)
    assert "config.ign" in seen_by(NOBODY, up.folder.path)
    up.up()
    assert seen_by(NOBODY, up.folder.path) == []


def test_no_file_is_open_for_a_moment(
    hypervisor: FakeHypervisor, spec: MachineSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time a file is made or a program runs, everything in the folder is closed already."""
    folder = folder_of("web").path
    seen: list[str] = []

    def look() -> None:
        seen.extend(
            path.name for path in (folder, *folder.rglob("*")) if path.exists() and path.lstat().st_mode & 0o066
        )

    real_open, real_run = os.open, subprocess.run

    def opening(*args: object, **more: object) -> int:
        descriptor = real_open(*args, **more)  # type: ignore[arg-type]
        look()
        return descriptor

    def running(*args: object, **more: object) -> object:
        done = real_run(*args, **more)  # type: ignore[call-overload]
        look()
        return done

    monkeypatch.setattr(os, "open", opening)
    monkeypatch.setattr(subprocess, "run", running)
    before = os.umask(0)
    try:
        Machine("web", hypervisor=hypervisor).up(spec, accelerator=Accelerator.TCG)
    finally:
        os.umask(before)
    assert seen == []


def test_without_another_user_files_are_ours_alone(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(mode=0o755)
    (tmp_path / "a/config.ign").touch(mode=0o644)
    close(tmp_path / "a", None, for_qemu=[tmp_path / "a/config.ign"])
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "a/config.ign").stat().st_mode) == 0o600
    assert (tmp_path / "a/config.ign").stat().st_uid == os.geteuid()


def test_a_link_in_a_machines_folder_opens_nothing_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "target").touch(mode=0o640)
    (tmp_path / "a").mkdir()
    (tmp_path / "a/config.ign").symlink_to(tmp_path / "target")
    os.mkfifo(tmp_path / "a/fifo")
    close(tmp_path / "a", QEMU, for_qemu=[tmp_path / "a/config.ign"])
    about = (tmp_path / "target").stat()
    assert (stat.S_IMODE(about.st_mode), about.st_uid) == (0o640, os.geteuid())
    with pytest.raises(OSError, match="symbolic"):
        make_private(tmp_path / "a/config.ign")


@pytest.mark.parametrize(
    ("xml", "owner"),
    [
        ("<model>dac</model><doi>0</doi><baselabel type='kvm'>+64055:+106</baselabel>", Owner(uid=64055, gid=106)),
        ("<model>none</model>", None),
        ("<model>dac</model><baselabel>x</baselabel>", None),
        ("</", None),
    ],
)
def test_the_user_of_qemu_is_told_by_libvirt(xml: str, owner: Owner | None) -> None:
    models = f"<secmodel><model>apparmor</model></secmodel><secmodel>{xml}</secmodel>"
    assert parse_owner(f"<capabilities><host>{models}</host></capabilities>") == owner


def test_keys_and_locks_are_ours_alone(state: Path) -> None:
    key = workshop_key()
    assert stat.S_IMODE(key.private.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(make_folder(state / "private", private=True).stat().st_mode) == 0o700


@as_root
def test_nothing_on_another_host_is_open_to_others(tmp_path: Path, spec: MachineSpec, state: Path) -> None:
    """The scripts of the other host, run on this one."""
    ssh = tmp_path / "ssh"
    ssh.write_text(f'#!/bin/sh\nshift 2\nHOME={tmp_path}; export HOME\nexec sh -c "$*"\n')
    ssh.chmod(0o755)
    place = RemoteBackend(Folder(path=state / "machines/web"), RemoteHost(ssh=(str(ssh),), target="near"))
    there = tmp_path / "there"
    place._survey = {"base": str(there), "memory": "1", "disk": "1"}
    image = Path(place._target(spec.disk))
    image.parent.mkdir(parents=True)
    shutil.copy(spec.disk, image)
    before = os.umask(0)
    try:
        place.make(spec)
        place.prepare_console()
        place.close_files(spec, QEMU)
    finally:
        os.umask(before)
    open_parents(there / "machines/x")
    folder = place.files(spec).overlay.parent
    assert {path.name for path in folder.iterdir()} == {"config.ign", "console.log", "overlay.qcow2"}
    assert seen_by(NOBODY, folder) == []
    assert seen_by(QEMU, folder) == ["config.ign", "console.log", "overlay.qcow2"]
    assert seen_by(NOBODY, state / "machines/web") == []


# URIs

URIS = (
    " ", "foo", "http://[zz]/", "http://h/", "qemu", "qemu:session", "://", "xen:///", "qemu:///", "qemu:///nonsense", "qemu+ssh://",
    "qemu+ssh://h/system?known_hosts=%00", "qemu+ssh://h/system?keyfile=/a%0ab",
    "qemu+ssh://-oProxyCommand=touch%20x/system", "qemu+ssh://-oProxyCommand=touch x/system", "qemu+ssh://-l@h/system",
    "qemu+ssh://u@-h/system", "qemu:///sys tem", "qemu:///session\n", "qemu+ssh://h\n/system", "qemu+ssh://h:99999/system",
    "qemu+ssh://h:x/system", "qemu+ssh://h/\udcff", "qemu+ssh://\u212a/system", "qemu+ssh://[::1/system", "qemu+ssh://@/system",
    "qemu+ssh://h;id/system", "qemu+ssh://h$(id)/system", "qemu+ssh://h\x1b[2J/system", "QEMU:///session",
)  # fmt: skip


@pytest.mark.parametrize("uri", URIS)
@pytest.mark.parametrize(
    "command", ["list", "clean --yes", "doctor", "stop web", "down web", "console web", "ssh web true"]
)
def test_a_bad_uri_is_refused_in_words(
    state: Path, uri: str, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LIBVIRT_DEFAULT_URI", uri)
    real = subprocess.run

    def guarded(words: list[str], *more: object, **options: object) -> object:
        """The doctor still looks at the rest of the host; no program may get a part of the URI."""
        if command != "doctor" or any((len(uri) > 6 and uri in word) or "ProxyCommand" in word for word in words):
            pytest.fail(f"a program was run: {words}")
        return real(words, *more, **options)  # type: ignore[call-overload]

    monkeypatch.setattr("flatkit.run.subprocess.run", guarded)
    folder = folder_of("web")
    make_folder(folder.path)
    (folder.path / "overlay.qcow2").touch()
    shutil.copy(Path(__file__).parent / "golden/records/present.json", folder.path / "machine.json")
    status = main(command.split())
    said = "".join(capsys.readouterr())
    assert status in {1, 3} or command == "console web"
    assert "LIBVIRT_DEFAULT_URI" in said or command == "console web"
    assert (folder.path / "overlay.qcow2").exists()


@pytest.mark.parametrize("uri", URIS)
def test_no_connection_is_tried_by_a_bad_uri(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    libvirt = pytest.importorskip("libvirt")
    monkeypatch.setattr(libvirt, "open", lambda *_: pytest.fail("libvirt was asked"))
    with pytest.raises(HostError, match="of LIBVIRT_DEFAULT_URI") as caught:
        Hypervisor(uri).connect()
    assert caught.value.message.isprintable()
    assert "qemu+ssh://HOST/system" in caught.value.message


@pytest.mark.parametrize(
    ("uri", "target"),
    [
        ("qemu+ssh://h/system", "h"),
        ("qemu+ssh://u.v@h-1.example:22/session?no_verify=1", "u.v@h-1.example"),
        ("qemu+ssh://[fe80::1]/system", "fe80::1"),
        ("qemu:///session", ""),
        ("qemu:///system", ""),
        ("qemu+unix:///session", ""),
        ("test:///default", ""),
    ],
)
def test_good_uris_stay_good(uri: str, target: str) -> None:
    host = find_remote(uri)
    assert (host.target if host else "") == target
    if host:
        argv = host.argv("true")
        assert argv[argv.index("--") + 1] == target


# Folders

BAD_FOLDERS = (
    "file",
    "dangling",
    "file/inside",
    "dangling/inside",
    "/dev/null",
    "loop",
    "a\nb",
    "a\x1b[2J",
    "\udcff",
    "long",
    "~no-such-user/x",
)


@pytest.mark.parametrize("bad", BAD_FOLDERS)
@pytest.mark.parametrize("variable", ["FLATKIT_STATE", "FLATKIT_CACHE"])
def test_a_bad_folder_is_refused_in_words(
    tmp_path: Path, bad: str, variable: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("/nowhere/at/all")
    (tmp_path / "loop").symlink_to("loop")
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path / "cache"))
    value = "x" * 300 if bad == "long" else bad
    monkeypatch.setenv(variable, value if value.startswith(("/", "~")) else f"{tmp_path}/{value}")
    place = paths.machines_dir if variable == "FLATKIT_STATE" else paths.cache_dir
    with pytest.raises(HostError, match=f"expected {variable} to name a folder") as caught:
        place()
    assert caught.value.message.isprintable()
    commands = {
        "FLATKIT_STATE": ["list", "clean", "down web", "stop web", "console web", "doctor"],
        "FLATKIT_CACHE": ["images list"],
    }
    for command in commands[variable]:
        assert main(command.split()) in {1, 3}
        assert variable in "".join(capsys.readouterr())


@pytest.mark.parametrize("good", ["new", "new/deep", "link", "with space"])
def test_good_folders_stay_good(tmp_path: Path, good: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / good))
    assert paths.state_dir() == tmp_path / good
    assert make_folder(paths.machines_dir()).is_dir()


@as_root
@pytest.mark.parametrize("mode", ["closed", "read-only"])
def test_a_folder_that_is_not_the_users_is_refused_in_words(tmp_path: Path, mode: str) -> None:
    """By another user, since root may do everything."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700 if mode == "closed" else 0o755)
    open_parents(state)
    script = (
        "from flatkit.errors import HostError\nfrom flatkit.machines.store import folders, make_folder\n"
        "from flatkit import paths\n"
        "try:\n    folders(); make_folder(paths.machines_dir())\nexcept HostError as error:\n    print('words:', error.message)\n"
    )
    user = [f"--reuid={NOBODY.uid}", f"--regid={NOBODY.gid}", "--clear-groups"]
    argv = ["setpriv", *user, "env", f"FLATKIT_STATE={state}", "HOME=/", sys.executable, "-c"]
    if subprocess.run([*argv, "import flatkit"], capture_output=True, timeout=120, check=False).returncode:
        pytest.skip("another user cannot run this Python")
    child = subprocess.run([*argv, script], capture_output=True, text=True, timeout=120, check=False)
    assert child.stdout.startswith("words: the folder"), child.stderr


def test_a_full_disk_and_a_file_in_the_way_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FlatkitError, match="cannot be made"):
        make_folder(tmp_path / "file/inside")
    with pytest.raises(FlatkitError, match="cannot be made"):
        make_folder(tmp_path / "file")
