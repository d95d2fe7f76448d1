"""A real room: hub, proxy, two learners with Unix accounts of their own, one of whom attacks the other. Needs root."""

from __future__ import annotations

import html
import os
import pwd
import signal
import stat
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from flatkit.seats.accounts import as_user, end_processes, ensure_account, find_account, processes_of, runtime_folder
from flatkit.seats.archive import archive_all
from flatkit.seats.limits import SeatLimits
from flatkit.seats.up import is_served
from tests.people import remove_user
from tests.seats.learner import TRAINER, Learner, Room, room, wait_for, words_of


@pytest.fixture(scope="module")
def running() -> Iterator[Room]:
    with room(seats=8) as one:
        yield one


@pytest.fixture(scope="module")
def seated(running: Room) -> tuple[Learner, Learner]:
    """Ada and Bob, each with JupyterLab open; they came at the same time."""
    both = (running.learner(), running.learner())
    for learner, name, pin in zip(both, ("ada", "bob"), ("1111", "2222"), strict=True):
        status, page = learner.log_in(name, pin=pin)
        assert (status, "Take a seat" in page) == (200, False), page
    threads = [threading.Thread(target=learner.sit_down) for learner in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(200)
    assert [learner.lab()[0] for learner in both] == [200, 200], running.log()[-4000:]
    return both


def account(running: Room, name: str) -> pwd.struct_passwd:
    found = find_account(f"{running.settings.prefix}{name}")
    assert found
    return found


def server_of(running: Room, name: str) -> int:
    """The process ID of a seat's server."""
    user = account(running, name)
    return next(one for one in processes_of(user.pw_uid) if b"jupyterhub.singleuser" in words_of(one))


def may(user: pwd.struct_passwd, *words: str) -> bool:
    """Whether a command succeeds as that user: with the rights of a cell in their notebook."""
    return subprocess.run(as_user(user, words), capture_output=True, check=False, cwd="/").returncode == 0


def test_the_login_page_says_what_is_wrong(running: Room) -> None:
    learner = running.learner()
    for name, room_word, pin, said in (
        ("../etc", "blue-fish", "1234", "cannot be the name of a seat"),
        ("<b>x", "blue-fish", "1234", "cannot be the name of a seat"),
        ("eve", "wrong", "1234", "room&#39;s password is wrong"),
        ("eve", "blue-fish", "1", "PIN is too short"),
        ("trainer", "blue-fish", "1234", "trainer&#39;s password is wrong"),
    ):
        status, error = learner.log_in(name, room=room_word, pin=pin)
        assert status == 403
        assert said in error
        assert "<b>" not in error
    assert find_account(f"{running.settings.prefix}eve") is None


def test_a_seat_is_an_account_with_a_closed_home(running: Room, seated: tuple[Learner, Learner]) -> None:
    user = account(running, "ada")
    assert user.pw_uid >= 1000
    assert stat.S_IMODE(Path(user.pw_dir).stat().st_mode) == 0o700
    assert stat.S_IMODE(runtime_folder(user).stat().st_mode) == 0o700
    assert runtime_folder(user).stat().st_uid == user.pw_uid
    process = server_of(running, "ada")
    words = Path(f"/proc/{process}/environ").read_bytes().decode().split("\0")
    environment = dict(word.split("=", 1) for word in words if "=" in word)
    assert environment["FLATKIT_SEAT"] == "ada"
    assert environment["FLATKIT_PAGES"] == "/user/ada/flatkit/page/"
    assert environment["XDG_RUNTIME_DIR"] == str(runtime_folder(user))
    assert environment["HOME"] == user.pw_dir
    assert environment["PYTHONSTARTUP"].endswith("kernel_start.py")
    assert "FLATKIT_SEATS_HUB" not in environment
    assert (Path(user.pw_dir) / "flatkit-course" / "00-start.ipynb").is_file()
    assert "Max processes             1600" in Path(f"/proc/{process}/limits").read_text()


def test_one_seat_reaches_nothing_of_the_other(running: Room, seated: tuple[Learner, Learner]) -> None:
    ada, bob = account(running, "ada"), account(running, "bob")
    secret = Path(ada.pw_dir) / "flatkit-course" / "secret.txt"
    secret.write_text("x")
    os.chown(secret, ada.pw_uid, ada.pw_gid)
    assert may(ada, "cat", str(secret))  # the test itself works
    process = server_of(running, "ada")
    for words in (
        ("ls", ada.pw_dir),
        ("cat", str(secret)),
        ("ls", str(runtime_folder(ada))),
        ("cat", f"/proc/{process}/environ"),
        ("ls", f"/proc/{process}/fd"),
        ("kill", "-0", str(process)),
        ("ls", str(running.settings.folder)),
        ("cat", str(running.settings.folder / "pins.sqlite")),
        ("cat", str(running.settings.folder / "routes.toml")),
        ("touch", "/run/flatkit/locks/another"),
    ):
        assert not may(bob, *words), words


def test_one_learners_browser_opens_nothing_of_the_other(running: Room, seated: tuple[Learner, Learner]) -> None:
    _, bob = seated
    for path in (
        "/user/ada/lab",
        "/user/ada/api/contents/secret.txt",
        "/user/ada/files/secret.txt",
        "/hub/api/users",
        "/hub/api/users/ada",
    ):
        status, page = bob.ask(path)
        assert status in {403, 404}, (path, status)
        assert "jupyter-config-data" not in page
    assert bob.stop("ada") in {403, 404}
    user = account(running, "bob")
    environ = Path(f"/proc/{server_of(running, 'bob')}/environ").read_bytes().decode()
    token = next(word.partition("=")[2] for word in environ.split("\0") if word.startswith("JUPYTERHUB_API_TOKEN="))
    asked = Learner(url=f"http://127.0.0.1:{running.settings.hub_port}")
    for path in ("/hub/api/users", "/hub/api/users/ada", "/hub/api/proxy", "/hub/api/services"):
        status, text = asked.ask(path, Authorization=f"token {token}")
        assert status in {403, 404}, (path, text)
    assert may(user, "true")


def test_nobody_else_takes_a_name(running: Room, seated: tuple[Learner, Learner]) -> None:
    thief = running.learner()
    status, error = thief.log_in("ADA", pin="2222")
    assert (status, "belongs to somebody" in error) == (403, True)
    status, error = thief.log_in("trainer", pin="2222")
    assert status == 403
    again = running.learner()
    assert again.log_in(" Ada ", pin="1111")[0] == 200
    again.name = "ada"
    assert again.lab()[0] == 200


def test_the_trainer_sees_the_seats_and_into_none(running: Room, seated: tuple[Learner, Learner]) -> None:
    trainer = running.learner()
    assert trainer.log_in("trainer", room="", pin=TRAINER)[0] == 200
    status, text = trainer.ask("/hub/api/users")
    assert status == 200
    assert {'"name": "ada"', '"name": "bob"'} <= {f'"name": "{name}"' for name in ("ada", "bob") if f'"{name}"' in text}
    assert trainer.ask("/user/ada/lab")[0] == 403


def test_an_account_of_the_host_is_never_a_seat(running: Room) -> None:
    name = f"{running.settings.prefix}mail"
    subprocess.run(["useradd", "--no-create-home", "--comment", "of the host", name], check=True)
    try:
        learner = running.learner()
        assert learner.log_in("mail")[0] == 200
        learner.ask("/hub/spawn")
        wait_for(lambda: "was not made by flatkit" in running.log(), seconds=120)
        assert list(processes_of(pwd.getpwnam(name).pw_uid)) == []
        assert learner.lab()[0] != 200
    finally:
        remove_user(name)


@pytest.mark.parametrize("part", ["hub", "proxy"])
def test_seats_go_on_when_a_part_is_killed(running: Room, seated: tuple[Learner, Learner], part: str) -> None:
    ada, _ = seated
    before, server = running.parts()[part], server_of(running, "ada")
    os.kill(before, signal.SIGKILL)
    if part == "hub":  # and its new proxy, as soon as there is one: the hub waited for its answer, and gave up
        wait_for(lambda: "proxy" in running.parts() and running.parts().get("hub") not in {None, before}, seconds=120)
        os.kill(running.parts()["proxy"], signal.SIGKILL)
    wait_for(lambda: running.parts().get(part) not in {None, before} and is_served(running.settings), seconds=120)
    wait_for(lambda: ada.lab()[0] == 200)
    assert server_of(running, "ada") == server
    wait_for(
        lambda: set(running.parts()) == {"hub", "proxy", "culler", "board"}
    )  # the hub starts some after it answers


def test_everybodys_work_is_archived_and_no_link_is_followed(running: Room, seated: tuple[Learner, Learner]) -> None:
    user = account(running, "ada")
    course = Path(user.pw_dir) / "flatkit-course"
    (course / "mine.bu").write_text("variant: flatcar\n")
    (course / "big.img").touch()
    os.truncate(course / "big.img", 2 * 2**30)
    (course / "link").symlink_to("/etc/shadow")
    for path in course.iterdir():
        os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)
    found = {one.seat: one for one in archive_all(running.settings)}
    assert (found["ada"].fault, found["bob"].fault) == ("", "")
    assert found["ada"].path
    with zipfile.ZipFile(found["ada"].path) as archive:
        names = archive.namelist()
        assert archive.read("mine.bu") == b"variant: flatcar\n"
    assert not {"big.img", "link"} & set(names)
    assert stat.S_IMODE(found["ada"].path.stat().st_mode) == 0o600
    assert (course / "my-work.zip").stat().st_uid == user.pw_uid
    (course / "my-work.zip").unlink()
    (course / "my-work.zip").mkdir()
    (without,) = [one for one in archive_all(running.settings) if one.seat == "ada"]
    assert (without.path, without.fault) == (None, f'"{course / "my-work.zip"}" cannot be written: Is a directory')
    (course / "my-work.zip").rmdir()
    # A seat that names another file instead of its archive gets nothing of it.
    course.rename(course.with_name("away"))
    course.symlink_to("/etc")
    assert next(one for one in archive_all(running.settings) if one.seat == "ada").path is None
    course.unlink()
    course.with_name("away").rename(course)


def test_a_stopped_seat_leaves_no_process_and_keeps_its_files(running: Room, seated: tuple[Learner, Learner]) -> None:
    _, bob = seated
    user = account(running, "bob")
    leftover = subprocess.Popen(as_user(user, ["sh", "-c", "trap '' TERM HUP; while :; do sleep 1; done"]), cwd="/")
    (Path(user.pw_dir) / "kept.txt").write_text("x")
    assert bob.stop("bob") in {202, 204}
    wait_for(lambda: list(processes_of(user.pw_uid)) == [])
    assert leftover.wait(120) != 0
    assert (Path(user.pw_dir) / "kept.txt").exists()
    assert account(running, "bob") == user


def words_of_a_failed_start(learner: Learner, words: str) -> str:
    """Start a seat that cannot start: its page, once it says so; at once, or where the hub's wheel was."""
    found = [html.unescape(learner.ask("/hub/spawn")[1])]

    def says() -> bool:
        if words not in found[0]:
            found[0] = html.unescape(learner.ask(f"/hub/spawn-pending/{learner.name}")[1])
        return words in found[0]

    wait_for(says, seconds=120)
    return found[0]


def test_a_seat_on_a_full_disk_says_so_and_the_others_go_on(running: Room, seated: tuple[Learner, Learner]) -> None:
    ada, _ = seated
    user = ensure_account(f"{running.settings.prefix}fay")
    small = ["mount", "-t", "tmpfs", "-o", f"size=2m,mode=0700,uid={user.pw_uid}", "small", user.pw_dir]
    if subprocess.run(small, capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        fay = running.learner()
        assert fay.log_in("fay")[0] == 200
        page = words_of_a_failed_start(fay, "the disk of this host is full (2 MiB are free for")
        assert "Tell the trainer" in page
        assert ada.lab()[0] == 200
    finally:
        subprocess.run(["umount", user.pw_dir], check=True)


def test_a_server_that_ends_at_once_says_its_last_words(running: Room) -> None:
    """The hub would show a wheel for five minutes."""
    user = ensure_account(f"{running.settings.prefix}gil")
    (Path(user.pw_dir) / "flatkit-course").write_text("not a folder")
    gil = running.learner()
    assert gil.log_in("gil")[0] == 200
    page = words_of_a_failed_start(gil, "the server of your seat has ended with status")
    assert "flatkit-course" in page
    assert "Tell the trainer" in page
    (Path(user.pw_dir) / "flatkit-course").unlink()


BOMB = """
import os, time
made = 0
try:
    while made < 1000:
        if not os.fork():
            time.sleep(600)
            os._exit(0)
        made += 1
except OSError:
    pass
print(made, flush=True)
time.sleep(600)
"""


def test_a_fork_bomb_ends_at_the_limit_and_with_its_seat(running: Room, seated: tuple[Learner, Learner]) -> None:
    ada, _ = seated
    user = ensure_account(f"{running.settings.prefix}hal")
    limit = SeatLimits(memory_mib=4096, processes=10).before_exec("hal")
    words = as_user(user, [sys.executable, "-c", BOMB])
    with subprocess.Popen(words, preexec_fn=limit, stdout=subprocess.PIPE, text=True, cwd="/") as bomb:
        try:
            assert bomb.stdout
            assert 20 <= int(bomb.stdout.readline()) < 40
            assert len(list(processes_of(user.pw_uid))) <= 40
            assert ada.lab()[0] == 200
            assert may(account(running, "ada"), "true"), "another seat still makes processes"
        finally:
            end_processes(user.pw_uid)
    assert list(processes_of(user.pw_uid)) == []


def test_a_broken_database_of_a_running_room_costs_a_new_login_and_no_file(
    running: Room, seated: tuple[Learner, Learner]
) -> None:
    kept = Path(account(running, "ada").pw_dir) / "flatkit-course" / "00-start.ipynb"
    before = running.parts()["hub"]
    database = running.settings.folder / "hub.sqlite"
    database.write_bytes(b"torn" * 5000)
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: running.parts().get("hub") not in {None, before} and is_served(running.settings), seconds=120)
    ada = running.learner()
    assert ada.log_in("ada", pin="2222")[0] == 403, "the name is still owned"
    assert ada.log_in("ada", pin="1111")[0] == 200
    ada.sit_down()
    assert kept.is_file()
    assert list(running.settings.folder.glob("hub.sqlite.broken-*"))
