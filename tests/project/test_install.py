"""Set-up and the wheel in really empty places: the tracked files, a new home, no .venv; as root and as a person."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from project_parts import CUT_OFF, may_cut_off

from flatkit.machines.ports import find_free_port
from tests.people import remove_user

ROOT = Path(__file__).resolve().parents[2]
PATH = "/usr/local/bin:/usr/bin:/bin"
KEPT = re.compile(r"(?i)PIP_.*|.*_proxy|SSL_CERT_.*|LANG|TMPDIR")  # how this host reaches a registry is its own matter
ASK = "import libvirt; print(libvirt.open({uri!r}).getURI())"

pytestmark = [
    pytest.mark.install,
    pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs a git checkout: only tracked files are copied"),
]


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if KEPT.fullmatch(name)}
    return {**kept, "PATH": PATH, "HOME": str(home), **more}


def run(*words: str | Path, cwd: Path, env: dict[str, str], user: int | None = None) -> str:
    """Run to the end; both streams are returned, and shown when the status is not 0."""
    who = {} if user is None else {"user": user, "group": pwd.getpwuid(user).pw_gid, "extra_groups": ()}
    done = subprocess.run(
        words, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False, **who,
    )  # fmt: skip
    assert done.returncode == 0, f"{words} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


def copy_checkout(to: Path) -> Path:
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        source, target = ROOT / name, to / name
        if source.exists():  # a file may be removed in the work tree and not yet in the index
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    return to


@pytest.fixture
def place() -> Iterator[Path]:
    """`home` and `checkout` in a folder that another user may own (pytest's are closed), with a space in its name."""
    folder = Path(tempfile.mkdtemp(prefix="flatkit test-"))
    folder.chmod(0o755)
    (folder / "home").mkdir()
    copy_checkout(folder / "checkout")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def person(place: Path) -> Iterator[int]:
    """The number of an ordinary user who owns `place`: a new one for root, else whoever runs the tests."""
    if os.geteuid() != 0:
        yield os.getuid()
        return
    name = f"flatkit-{os.getpid()}"
    subprocess.run(["useradd", "--home-dir", str(place / "home"), "--no-create-home", name], check=True)
    try:
        number = pwd.getpwnam(name).pw_uid
        for path in (place, *place.rglob("*")):
            os.lchown(path, number, number)
        yield number
    finally:
        remove_user(name)


def test_a_person_is_set_up_in_an_empty_home(place: Path, person: int) -> None:
    checkout, env = place / "checkout", environment(place / "home")
    said = run("make", "setup", cwd=checkout, env=env, user=person)
    assert "making .venv with Python 3." in said
    assert "starting" not in said  # qemu:///session starts its own daemons
    run(".venv/bin/flatkit", "--help", cwd=checkout, env=env, user=person)
    uri = "qemu:///session"
    assert run("virsh", "-q", "-c", uri, "uri", cwd=checkout, env=env, user=person).strip() == uri
    assert run(".venv/bin/python", "-c", ASK.format(uri=uri), cwd=checkout, env=env, user=person).strip() == uri
    again = run("make", "setup", cwd=checkout, env=env, user=person)
    assert again.splitlines() == [f"setup: everything that is needed is here ({checkout}/.venv/bin/flatkit)"]


# In a host of its own as far as libvirt can see: no process, socket, network or machine of the real one.
IN_A_HOST_OF_ITS_OWN = """
set -e
for folder in /run /etc/libvirt/qemu /var/lib/libvirt; do mount -t tmpfs tmpfs "$folder"; done
make setup
.venv/bin/python -c '{ask}'
make setup
make clean
ls "$FLATKIT_STATE/daemons"
for comm in /proc/[0-9]*/comm; do cat "$comm"; done
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="for root only: a person's libvirt starts its own daemons")
def test_root_is_set_up_and_daemons_come_and_go(place: Path) -> None:
    checkout = place / "checkout"
    env = environment(place / "home", FLATKIT_STATE=str(place / "state"), FLATKIT_CACHE=str(place / "cache"))
    # test:///default is LIBVIRT_DEFAULT_URI honoured: with it, no daemon is started.
    said = run("make", "setup", cwd=checkout, env={**env, "LIBVIRT_DEFAULT_URI": "test:///default"})
    assert "making .venv with Python 3." in said
    assert "starting" not in said
    run(".venv/bin/flatkit", "--help", cwd=checkout, env=env)
    if not may_cut_off():
        pytest.skip("this root may not make namespaces, so the daemons are left alone")
    script = IN_A_HOST_OF_ITS_OWN.format(ask=ASK.format(uri=None).replace("'", '"'))
    lines = run(*CUT_OFF, "sh", "-c", script, cwd=checkout, env=env).splitlines()
    assert [line for line in lines if "starting" in line] == [
        f"setup: libvirt: no systemd here, so starting {name} (make clean ends it again)"
        for name in ("virtlogd", "libvirtd")
    ]
    assert "qemu:///system" in lines
    assert f"setup: everything that is needed is here ({checkout}/.venv/bin/flatkit)" in lines
    assert [line for line in lines if "ending" in line] == [
        f"setup: libvirt: ending {name}, which make setup had started" for name in ("libvirtd", "virtlogd")
    ]
    assert not {"virtlogd", "libvirtd"} & set(lines)  # neither a pid file nor a process is left


def answer(port: int, path: str) -> str:
    """What the notebook server says, as soon as it answers."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Authorization": "token test"})
    until = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return str(response.read().decode())
        except urllib.error.HTTPError:
            raise
        except OSError:
            assert time.monotonic() < until, "the notebook server did not answer within 60 s"
            time.sleep(0.1)


def test_the_wheel_opens_the_course_from_an_empty_environment(place: Path) -> None:
    checkout, home = place / "checkout", place / "home"
    (checkout / "notebooks" / "99-planted.ipynb").write_text(
        '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}'
    )
    env = environment(home, JUPYTER_TOKEN="test")
    pip = ("-m", "pip", "--disable-pip-version-check", "-q")
    run(sys.executable, *pip, "wheel", "--no-deps", "--wheel-dir", place / "wheel", ".", cwd=checkout, env=env)
    (wheel,) = (place / "wheel").glob("flatkit-*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if "dist-info" not in name}
    settings = {name for name in names if name.endswith("share/jupyter/lab/settings/overrides.d/flatkit.json")}
    assert len(settings) == 1
    assert {name.partition("/")[0] for name in names - settings} == {"flatkit"}
    built = {f"flatkit/widgets/static/{file.name}" for file in (checkout / "flatkit/widgets/static").glob("*")}
    assert built <= names
    assert not {name for name in names if name.startswith("flatkit/widgets/js/")}
    notebooks = {file.name for file in (checkout / "notebooks").glob("*.ipynb")}
    assert {f"flatkit/_course/{name}" for name in notebooks} <= names

    run(sys.executable, "-m", "venv", "empty", cwd=place, env=env)
    python, flatkit = place / "empty/bin/python", place / "empty/bin/flatkit"
    run(python, *pip, "install", wheel, cwd=home, env=env)
    where = run(python, "-c", "import flatkit; print(flatkit.__file__)", cwd=home, env=env)
    assert where.startswith(str(place / "empty"))
    assert "flatkit course" in run(flatkit, "--help", cwd=home, env=env)

    port, said = find_free_port(), place / "said"
    with said.open("wb") as log:
        server = subprocess.Popen(
            [flatkit, "course", "--no-browser", f"--port={port}"], cwd=home, env=env, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        answer(port, "/api/status")
        assert f"http://127.0.0.1:{port}/lab/tree/00-start.ipynb?token=" in said.read_text()
        for name in notebooks:
            assert (home / "flatkit-course" / name).is_file()
    finally:
        server.terminate()
        server.wait(120)
