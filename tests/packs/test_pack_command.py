"""`flatkit room` as a trainer types it."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flatkit import web
from flatkit.cli import main
from flatkit.cli.room import _watch
from flatkit.errors import HostError
from flatkit.updates.channels import Channels
from flatkit.updates.model import MachineSeen, PublishedRelease

NOTHING = ("--lab", "none", "--extensions", "none", "--containers", "none", "--python", "none")
CHECK = (
    '<request protocol="3.0" updaterversion="flatcar-lab-110.2.0"><app appid="{e96281a6-d1af-4bde-9a0a-97b76e56dc57}" '
    'version="110.2.0" track="beta" machineid="0123456789abcdef" board="amd64-usr"><updatecheck/></app></request>'
)


def test_the_commands_that_are_named_take_the_folder_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "a pack; touch x"
    assert main(["room", "pack", str(folder), *NOTHING]) == 0
    lines = capsys.readouterr().out.split("\n")
    assert shlex.split(lines[1]) == ["flatkit", "room", "check", str(folder)]
    assert shlex.split(lines[2])[:4] == ["flatkit", "room", "serve", str(folder)]
    (folder / "manifest.json").unlink()
    assert main(["room", "pack", str(folder), *NOTHING]) == 2
    said = capsys.readouterr().err
    assert shlex.split(said.rpartition("Next: ")[2]) == ["flatkit", "room", "pack", str(folder / "flatkit-pack")]


@contextmanager
def served(pack: Path, *words: str, state: Path) -> Iterator[subprocess.Popen[str]]:
    """`flatkit room serve` as a process of its own; ended by Ctrl-C, in good order."""
    command = [sys.executable, "-m", "flatkit", "room", "serve", str(pack), "--listen", "127.0.0.1:0", *words]
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path), "FLATKIT_STATE": str(state)}
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
        assert (process.returncode, errors.strip()) == (0, "the server has ended")


def test_serve_tells_what_machines_do_and_keeps_it(pack: Path, tmp_path: Path) -> None:
    with served(pack, "--json", state=tmp_path) as process:
        assert process.stdout
        first = json.loads(process.stdout.readline())
        assert (first["event"], first["url"].startswith("http://127.0.0.1:")) == ("serving", True)
        assert f"{first['url']}/wheels/" in first["install"]
        subprocess.run(
            ["curl", "-fsS", "--data-binary", "@-", f"{first['url']}/v1/update/"], input=CHECK, text=True, check=True,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        told = json.loads(process.stdout.readline())
    assert {**told} == {
        "event": "machine", "machine": "01234567", "group": "beta", "version": "110.2.0", "state": "offered",
    }  # fmt: skip
    store = tmp_path / "room" / "channels.json"
    assert [machine.offered for machine in Channels(store=store).machines] == ["120.1.0"]
    with served(pack, "--json", "--new-room", state=tmp_path) as process:
        assert process.stdout
        process.stdout.readline()
    assert Channels(store=store).machines == ()


def test_serve_shows_a_person_the_address_a_code_and_the_lines_to_type(pack: Path, tmp_path: Path) -> None:
    with served(pack, state=tmp_path) as process:
        assert process.stdout
        shown = []
        for line in process.stdout:
            shown.append(line.rstrip("\n"))
            if shown[-1] == "Ctrl-C ends it":
                break
        assert web.get(shown[0]).ok
    code = [line for line in shown if set(line) & set("█▀▄")]
    assert len(code) > 10
    assert len({len(line) for line in code}) == 1
    assert any(line.strip().startswith("python3 -m venv") for line in shown)
    assert "beta     120.1.0 for lab machines" in shown


def test_check_and_its_status(pack: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.python_version_tuple", lambda: ("3", "9", "0"))
    assert main(["room", "check", str(pack)]) == 0
    assert "suffices" in capsys.readouterr().out
    (pack / "course").mkdir()
    (pack / "lab/110.2.0-abc/image.json").unlink()
    assert main(["room", "check", str(pack), "--json"]) == 1
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (result["event"], result["ok"]) == ("result", False)
    assert main(["room", "check", str(pack / "nowhere")]) == 2
    assert "holds no pack" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("room", "check"), ("room", "pack"), ("room", "serve"), ("sysext", "serve")])
@pytest.mark.parametrize(("path", "what"), [("/dev/null", "a device"), (__file__, "a file")])
def test_what_is_no_folder_is_named(
    words: tuple[str, ...], path: str, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, path]) == 2
    assert f'"{path}" is {what}; expected a folder' in capsys.readouterr().err


def test_a_pack_of_what_was_wished_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = tmp_path / "tool-v2.1-x86-64.raw"
    own.write_bytes(b"tool")
    folder = tmp_path / "pack"
    assert main(["room", "pack", str(folder), *NOTHING, "--extension", str(own), "--json"]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["ok"]
    assert (folder / "extensions/tool/tool-v2.1-x86-64.raw").read_bytes() == b"tool"
    assert (folder / "extensions/tool/SHA256SUMS").read_text().endswith("  tool-v2.1-x86-64.raw\n")
    assert list((folder / "course").glob("*.ipynb"))
    assert main(["room", "check", str(folder)]) == 1  # nothing to boot, and no wheels
    assert "no image at all" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--lab", "lab,lab-gamma"), 'there is no lab image "lab-gamma"; expected one of lab-lts, lab'),
        (("--python", "3.9"), 'no wheels for Python "3.9"; expected some of 3.11, 3.12, 3.13'),
    ],
)
def test_a_wish_that_is_none_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert main(["room", "pack", str(tmp_path / "pack"), *NOTHING, *words]) == 2
    assert said in capsys.readouterr().err


def test_an_extension_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gone = str(tmp_path / "gone.raw")
    assert main(["room", "pack", str(tmp_path / "pack"), *NOTHING, "--extension", gone]) == 1
    assert f'"{gone}" cannot be read' in capsys.readouterr().err


def test_a_state_that_breaks_meanwhile_is_said_once_and_the_server_stays(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    web_1 = MachineSeen(machine_id="m", version="1.2.3", channel="beta", group="\x1b[2J", first_seen=1, last_seen=2)
    answers = iter([(), HostError("broken"), HostError("broken"), (web_1,), (web_1,), KeyboardInterrupt()])

    class Server:
        @property
        def machines(self) -> tuple[MachineSeen, ...]:
            found = next(answers)
            if isinstance(found, BaseException):
                raise found
            return found

    monkeypatch.setattr("flatkit.cli.room._LOOK_SECONDS", 0.0)
    with pytest.raises(KeyboardInterrupt):
        _watch(Server(), as_json=False)  # type: ignore[arg-type]
    said = capsys.readouterr()
    assert said.err == "flatkit: broken\n"
    assert said.out == "m  \\x1b[2J  runs 1.2.3  current\n"


def test_groups_are_made_changed_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLATKIT_ROOM_STATE", str(tmp_path / "channels.json"))
    channels = Channels(store=tmp_path / "channels.json")
    channels.publish("beta", PublishedRelease(version="120.1.0", packages=()))

    def group(*words: str) -> dict[str, object] | None:
        assert main(["room", "group", *words, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)["groups"]
        return found[0] if found else None

    assert group() is None
    assert group("canary", "--channel", "beta") == {"name": "canary", "channel": "beta", "version": "", "paused": False}
    assert group("canary", "--pin", "120.1.0", "--pause") == {
        "name": "canary", "channel": "beta", "version": "120.1.0", "paused": True,
    }  # fmt: skip
    assert group("canary", "--resume") == {"name": "canary", "channel": "beta", "version": "120.1.0", "paused": False}
    assert main(["room", "group"]) == 0
    assert "canary   as beta, pinned to 120.1.0" in capsys.readouterr().out
    assert group("canary", "--pin", "none") == {"name": "canary", "channel": "beta", "version": "", "paused": False}
    assert group("canary", "--remove") is None
    assert channels.groups == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--channel", "beta"), "the group has no name"),
        (("canary",), 'there is no group "canary"'),
        (("canary", "--pause"), "a new one needs a channel"),
        (("canary", "--remove"), 'there is no group "canary"'),
        (("A b", "--channel", "beta"), '"A b" is not the name of a channel or a group'),
        (("canary", "--channel", "beta", "--pin", "1.2.3"), 'cannot be pinned to "1.2.3"'),
    ],
)
def test_a_wrong_group(
    words: tuple[str, ...],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("FLATKIT_ROOM_STATE", str(tmp_path / "channels.json"))
    assert main(["room", "group", *words]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "channels.json").exists()
