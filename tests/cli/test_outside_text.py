"""Text from outside never reaches the terminal as it is: every observer, every error, every command that shows a name."""

from __future__ import annotations

import gzip
import io
import json
import math
import os
import re
import resource
import subprocess
import sys
import time
import traceback
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from outside import ATTACK, NAME, faults, filled

from flatkit import cli, errors, events, host
from flatkit.cli import main
from flatkit.cli.screen import Code, Screen
from flatkit.cli.show import Json, Terminal, fail_json, print_error
from flatkit.demos.recording import Recorder
from flatkit.errors import FlatkitError
from flatkit.host import Examination, Health, HostCheck
from flatkit.images import catalogue, store
from flatkit.images.catalogue import Feed, ReleaseInfo
from flatkit.images.lab import build
from flatkit.images.releases import Channel, Version
from flatkit.machines import MachineState
from flatkit.machines import cleanup as machines_cleanup
from flatkit.machines.checkpoints import Checkpoint
from flatkit.machines.cleanup import MachineInfo
from flatkit.report import Report
from flatkit.updates.model import MachineSeen
from flatkit.widgets.results import Note, Ran, Typed, WebPage

ROOT = Path(__file__).resolve().parents[2]


def all_below(kind: type) -> Iterator[type]:
    for child in kind.__subclasses__():
        if child.__module__.startswith("flatkit."):
            yield child
            yield from all_below(child)


EVENTS = sorted(set(all_below(events.Event)), key=lambda kind: kind.__name__)
ERRORS = sorted({FlatkitError, *all_below(FlatkitError)}, key=lambda kind: kind.__name__)


def test_the_walks_find_what_there_is() -> None:
    assert len(EVENTS) >= 9
    assert len(ERRORS) >= 15
    assert faults(ATTACK)
    assert {"'\\x1b'", "'\\u202e'", "'\\x9b'", "'\\ud800'"} <= set(faults(ATTACK))
    assert any(fault.startswith("FORGED line") for fault in faults(ATTACK))
    assert faults("ordinary ✓ Zürich 日本") == []


def tell(observer: events.Observer, kind: type[events.Event]) -> None:
    """An event, in a phase, so that a live line is drawn as well."""
    observer.notify(filled(events.PhaseStarted))
    observer.notify(filled(kind))
    observer.notify(filled(events.PhaseEnded))


@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize("kind", EVENTS)
def test_every_event_on_a_stream(kind: type[events.Event], verbose: bool) -> None:
    out = io.StringIO()
    tell(Terminal(out, verbose=verbose), kind)
    assert "before" in out.getvalue()
    assert faults(out.getvalue()) == []


@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize("kind", EVENTS)
def test_every_event_on_a_terminal(kind: type[events.Event], verbose: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    keyboard, screen = os.openpty()
    tty.setraw(screen)
    try:
        with os.fdopen(screen, "w", closefd=False) as stream:
            tell(Terminal(stream, verbose=verbose), kind)
            stream.write("<end>")
        shown = b""
        while b"<end>" not in shown:
            shown += os.read(keyboard, 65536)
    finally:
        os.close(keyboard)
        os.close(screen)
    assert faults(shown.decode(), is_terminal=True) == []
    assert b"\x1b[32m" in shown or b"\x1b[31m" in shown, "our own colors are there"


@pytest.mark.parametrize("kind", EVENTS)
def test_every_event_as_json(kind: type[events.Event], capsys: pytest.CaptureFixture[str]) -> None:
    Json().notify(filled(kind))
    Json().notify(filled(kind, at=math.nan))
    Json().result(ok=True, extra=[ATTACK, math.inf, {ATTACK: (ATTACK,)}])
    out = capsys.readouterr().out
    assert out.isascii()
    assert faults(out, longest=10**9) == []
    rows = [json.loads(line, parse_constant=pytest.fail) for line in out.split("\n") if line]
    assert [row["event"] for row in rows] == [kind.name_of(), kind.name_of(), "result"]
    assert rows[2]["extra"][1] is None
    json.dumps(rows, ensure_ascii=False).encode()


@pytest.mark.parametrize("kind", EVENTS)
def test_every_event_in_a_recording(kind: type[events.Event], tmp_path: Path) -> None:
    """What other players of the asciicast show."""
    recorder = Recorder(demo="d", title="t", screen=lambda stream: Terminal(stream, verbose=True))
    tell(recorder, kind)
    lines = gzip.decompress(recorder.write(tmp_path, ok=True, image="").read_bytes()).decode().split("\n")[1:]
    shown = "".join(row[2] for row in map(json.loads, filter(None, lines)) if row[1] == "o")
    assert faults(shown.replace("\r\n", "\n")) == []


def raised(kind: type[FlatkitError]) -> FlatkitError:
    more = {"report": Report()} if kind is errors.ConfigFaults else {}
    try:
        raise kind(ATTACK, hint=ATTACK, details=ATTACK, **more)
    except FlatkitError as error:
        return error


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error(kind: type[FlatkitError], capsys: pytest.CaptureFixture[str]) -> None:
    error = raised(kind)
    print_error(error)
    shown = capsys.readouterr().err
    assert "before" in shown
    assert faults(shown) == []
    fail_json(Json(), error)
    assert json.loads(capsys.readouterr().out)["error"].startswith("before")
    for text in (str(error), repr(error), "\n".join(error._render_traceback_()), traceback.format_exception(error)[-1]):
        assert faults(text) == []
    assert "\n" not in error.message
    assert "\n" not in error.hint


def run(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Everything that a command shows; nothing of it may be an attack."""
    main(list(words))
    said = capsys.readouterr()
    shown = said.out + said.err
    assert faults(shown) == [], f"flatkit {words[0]}"
    return shown


def test_machines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    point = Checkpoint(name=ATTACK, created=ATTACK, bytes=1, host_keys=(), xml="")
    info = filled(MachineInfo, state=MachineState.FAILED, checkpoints=(point,), folder=tmp_path / NAME)
    for name in ("list_machines", "find_machines"):
        monkeypatch.setattr(f"flatkit.machines.{name}", lambda *_: [info])
        monkeypatch.setattr(machines_cleanup, name, lambda *_: [info], raising=False)
    monkeypatch.setattr("flatkit.machines.remove_machines", lambda _: [ATTACK])
    assert "before" in run(capsys, "list")
    assert "before" in run(capsys, "clean")
    assert "before" in run(capsys, "clean", "--yes")
    assert main(["list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.split("\n")[0])["name"].startswith("before\x1b")


def test_console(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path))
    (tmp_path / "machines" / "web").mkdir(parents=True)
    text = ATTACK.replace("FORGED", "").encode("utf-8", "replace")
    (tmp_path / "machines" / "web" / "console.log").write_bytes(b"ready\n" + text + b"\n\xff\xfe\x9b2J\n")
    monkeypatch.setattr("flatkit.machines.Machine.attend", lambda _: None)
    assert "ready" in run(capsys, "console", "web")
    monkeypatch.setattr("flatkit.machines.console.follow", lambda *_, **__: iter([ATTACK]))
    assert "before" in run(capsys, "console", "web", "--follow")


def test_images(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    release = filled(ReleaseInfo, version=Version(1, 2, 3),
                     channel=Channel.STABLE, software=(("kernel", ATTACK),))  # fmt: skip
    feed = filled(Feed, channel=Channel.STABLE, releases=(release,), current=release.version, seen=time.time())
    left = tmp_path / NAME
    left.write_bytes(b"")
    monkeypatch.setattr(catalogue, "get_feeds", lambda *_: [feed])
    monkeypatch.setattr(store, "find_leftovers", lambda: [left])
    monkeypatch.setattr(store, "list_cached", lambda **_: [])
    monkeypatch.setattr(build, "list_lab_images", list)
    assert "before" in run(capsys, "images", "list")
    run(capsys, "images", "fetch", NAME)
    run(capsys, "images", "verify", f"./{NAME}")
    run(capsys, "images", "rm", NAME)


def test_channels(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from flatkit.packs import serve
    from flatkit.updates.channels import Channels

    class Told(Channels):
        machines = (filled(MachineSeen),)

    monkeypatch.setattr(serve, "open_channels", Told)
    assert "before" in run(capsys, "channels")
    run(capsys, "channels", "promote", NAME, "--to", NAME)
    assert main(["channels", "--json"]) == 0
    out = capsys.readouterr().out
    assert faults(out, longest=10**9) == []
    assert json.loads(out.split("\n")[0])["alias"].startswith("before\x1b]0;")


def cast(folder: Path, *rows: events.Event) -> Path:
    """A recording of the demo `everywhere`, with these events."""
    recorder = Recorder(demo="everywhere", title="t", screen=lambda stream: Terminal(stream, verbose=True))
    for row in rows:
        recorder.notify(row)
    return recorder.write(folder, ok=True, image=TELLABLE)


# What a recording can hold: its JSON refuses half a pair.
TELLABLE = ATTACK.replace("\ud800", "").replace("\udcff", "")


def test_a_recorded_demo(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rows = [filled(kind, TELLABLE, number=1, total=1) for kind in (events.StepStarted, *EVENTS)]
    path = cast(tmp_path, *rows)
    assert "before" in run(capsys, "demo", "run", "everywhere", "--replay", str(path), "--speed", "0")
    assert main(["demo", "run", "everywhere", "--replay", str(path), "--speed", "0", "--json"]) in {0, 1}
    out = capsys.readouterr().out
    assert faults(out, longest=10**9) == []
    assert all(json.loads(line) for line in out.split("\n") if line)
    run(capsys, "demo", "run", NAME)
    run(capsys, "demo", "run", "everywhere", "--replay", str(tmp_path / NAME))


LESSON = """\
from flatkit.lessons.exercise import Exercise, Finding, Lesson, Question, Choice, Quiz
from flatkit.steps import Demo, Step, Verdict, Where

A = {attack!r}
CHECK = lambda *_: Finding(ok=False, found=A, expected=A, look=A)
LESSON = Lesson(name=A, title=A, exercises=(Exercise(name="x-one", title=A, task="t", check=CHECK, hints=(A, A), solve=()),),
    quizzes=(Quiz(name="x-quiz", title=A, questions=(Question(ask=A, choices=(Choice(text=A, why=A, is_right=True),)),)),))
DEMO = Demo(name="x", title=A, steps=(Step(title=A, why=A, command="printf '\\\\033[2J\\\\007'", where=Where.HOST, hint=A,
    check=lambda _: Verdict(ok=False, found=A)),))
"""


def test_a_lesson_of_somebody(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / "state"))
    folder = tmp_path / NAME
    folder.mkdir()
    # A title may have lines of its own: what a lesson prints is indented or escaped, and never a command's own line.
    (folder / "lesson.py").write_text(LESSON.format(attack=ATTACK.replace("\nFORGED", "\n")))
    monkeypatch.chdir(folder)
    for words in (["list", "."], ["check", "./x-one"], ["hint", "./x-one"], ["solve", "./x-one"], ["check", "./x-quiz"],
                  ["prove", "."], ["prove", "./x-one"], ["start-over", "./x-one"]):  # fmt: skip
        assert "before" in run(capsys, "lesson", *words) or words[0] == "start-over"
    assert "before" in run(capsys, "demo", "run", ".")
    for text in (f"raise ValueError({ATTACK!r})\n", f"raise ImportError({ATTACK!r})\n"):
        (folder / "lesson.py").write_text(text)
        assert "before" in run(capsys, "lesson", "list", ".")
        assert "before" in run(capsys, "demo", "run", str(folder))
    run(capsys, "lesson", "check", NAME)
    run(capsys, "lesson", "prove", NAME)


def test_doctor(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    checks = tuple(filled(HostCheck, name="trust", state=state) for state in Health)
    monkeypatch.setattr(host, "examine", lambda: Examination(checks=checks))
    assert "before" in run(capsys, "doctor")


HEAD = "variant: flatcar\nversion: 1.1.0\n"
CONFIGS = [
    HEAD + "bogus{a}: 1\n",
    HEAD + "storage:\n  files:\n    - path: '/x{a}'\n      mode: 644\n      contents: {{inline: '{a}'}}\n",
    HEAD + "systemd:\n  units:\n    - name: 'x{a}.service'\n      contents: '{a}'\n",
    HEAD + "passwd:\n  users:\n    - name: 'u{a}'\n      groups: ['{a}']\n",
    HEAD + 'storage:\n  files:\n    - path: "rel\\e[2J\\u202e\\x9b"\n',
    'variant: "flat\\e]0;x\\a\\u202ecar"\nversion: "1.\\e[2J"\n',
    "{a}\n",
    "#cloud-config {a}\n",
    "a: [{a}\n",
    HEAD + "storage: {{files: [{{path: /a, local: '{a}'}}]}}\n",
]
IN_YAML = ["\u202eb\u2066", "\x85", "\u2028", "\x1b[2J", "\x9b31m", "\x7f", "\ufeff"]


@pytest.mark.parametrize("number", range(len(CONFIGS)))
def test_configs(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for attack in IN_YAML:
        for name in ("a.bu", f"{NAME}.bu"):
            (tmp_path / name).write_text(CONFIGS[number].format(a=attack))
            for words in (["explain", name], ["butane", "--check", name], ["butane", "--check", "--raw-errors", name],
                          ["butane", "-D", "--check", name], ["everywhere", name], ["everywhere", name, "aws"]):  # fmt: skip
                run(capsys, *words)
            main(["butane", "--check", "--color=always", name])
            assert faults(re.sub(r"\x1b\[(1;3[134]|0)m", "", capsys.readouterr().err)) == []


def test_bytes_that_are_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: Any) -> None:
    """Eight-bit control characters in a config that is not UTF-8; other bytes are shown as butane does."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.bu").write_bytes(b"variant: flatcar\nversion: 1.1.0\nx: 1 # caf\xe9 \x9b2J \x9d0;t\x9c\n")
    for command in ("butane", "explain"):
        main([command, "a.bu"])
        said = capfdbinary.readouterr()
        assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]|(?<![\xc0-\xff])[\x80-\x9f]", said.out + said.err)


def test_the_json_of_butane_on_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file takes it byte for byte; a terminal with JSON's own escapes."""
    (tmp_path / "a.bu").write_text(
        'variant: flatcar\nversion: 1.1.0\npasswd: {users: [{name: "a\\x9b\\u202e\\x7fé"}]}\n'
    )

    class Tty(io.TextIOWrapper):
        def isatty(self) -> bool:
            return self.is_tty

    shown = []
    for is_tty in (True, False):
        stream = Tty(io.BytesIO(), encoding="utf-8")
        stream.is_tty = is_tty  # type: ignore[attr-defined]
        monkeypatch.setattr(sys, "stdout", stream)
        assert main(["butane", str(tmp_path / "a.bu")]) == 0
        stream.flush()
        shown.append(stream.buffer.getvalue().decode())  # type: ignore[attr-defined]
    assert faults(shown[0]) == []
    assert "\\u009b\\u202e\\u007fé" in shown[0]
    assert "\x9b" in shown[1]
    assert json.loads(shown[0]) == json.loads(shown[1])


WRONG = [
    [NAME], ["up", NAME], ["up", "--image", NAME, "--name", NAME], ["up", "--disk", NAME], ["up", "--forward", NAME],
    ["up", f"--{NAME}"], ["down", NAME], ["stop", NAME], ["unplug", NAME], ["rewind", NAME, "--to", NAME], ["ssh", NAME],
    ["checkpoint", "web", NAME], ["console", NAME], ["glossary", NAME], ["demo", NAME], ["demo", "run", "x", "--image", NAME],
    ["room", "check", NAME], ["room", "pack", NAME, "--python", NAME], ["room", "serve", NAME, "--listen", NAME],
    ["sysext", "build", NAME, "--file", NAME], ["container", "build", NAME, "--page", NAME], ["lesson", NAME],
    ["images", "list", "--channel", NAME], ["images", "list", "--arch", NAME], ["images", "verify", NAME], ["butane", NAME],
    ["butane", f"--{NAME}"], ["butane", "-o", f"{NAME}/{NAME}", "a.bu"], ["butane", "--schema", NAME], ["explain", NAME],
    ["explain", f"--{NAME}"], ["everywhere", NAME], ["everywhere", "a.bu", NAME], ["course", "--folder", f"a.bu/{NAME}"],
    ["review", NAME], ["board", NAME], ["join", NAME, "--seat", "ada"],
    ["join", "http://127.0.0.1:1", "--seat", NAME], ["leave", NAME], ["flag", NAME],
    ["seat", NAME], ["seats", NAME], ["seats", "pin", NAME],
    ["present", NAME], ["present", "--notes", NAME],
    ["channels", NAME], ["clean", NAME], ["list", NAME], ["doctor", NAME], ["community", NAME],
]  # fmt: skip


@pytest.mark.parametrize("words", WRONG, ids=lambda words: words[0] if words[0] != NAME else "unknown")
def test_names_in_wrong_calls(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.bu").write_text("variant: flatcar\nversion: 1.1.0\n")
    assert run(capsys, *words)


def test_wrong_calls_cover_every_command() -> None:
    assert {words[0] for words in WRONG} == {NAME, *cli._COMMANDS}


def twins() -> dict[str, Callable[[], Any]]:
    ran = filled(Ran, status=1)
    return {
        "Ran": lambda: ran,
        "Typed": lambda: Typed(commands=(ran,)),
        "WebPage": lambda: filled(WebPage),
        "Note": lambda: Note(lines=(ATTACK,)),
    }


@pytest.mark.parametrize("name", twins())
def test_what_a_cell_returns(name: str) -> None:
    value = twins()[name]()
    shown = repr(value)
    assert "before" in shown
    hidden = [fault for fault in faults(shown) if not fault.startswith("FORGED")]
    assert hidden == [], "a page and an output keep their lines"
    page = value._repr_html_()
    assert [fault for fault in faults(page, longest=10**9) if not fault.startswith("FORGED")] == []


def test_pages_escape_what_they_quote() -> None:
    page = Note(lines=("<script>alert(1)</script>\"'&",))._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def sources(folder: str) -> dict[str, str]:
    return {file.name: file.read_text(encoding="utf-8") for file in sorted((ROOT / "flatkit" / folder).glob("*.py"))}


def test_nothing_goes_around_the_screen() -> None:
    """One place turns codes into bytes, one writes JSON, one makes a text twin."""
    command_line = sources("cli")
    for pattern, homes in (
        (r"\\x1b|\\033", {"screen.py", "butane.py", "keys.py"}),  # keys.py reads what a terminal sends
        (r"\.buffer\b|os\.write\(|__stdout__|__stderr__", {"screen.py", "keys.py", "butane.py"}),
        (r"json\.dumps", {"show.py", "butane.py", "stage_notes.py"}),  # stage_notes.py writes a record, no output
    ):
        assert {name for name, text in command_line.items() if re.search(pattern, text)} <= homes
    widgets = sources("widgets")
    assert {name for name, text in widgets.items() if "def __repr__" in text} == {"display.py"}
    assert {name for name, text in widgets.items() if "from html import" in text} == {"html.py"}
    javascript = list((ROOT / "flatkit" / "widgets" / "js" / "src").rglob("*.js"))
    assert len(javascript) > 5
    assert [file.name for file in javascript if re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write",
                                                          file.read_text(encoding="utf-8"))] == []  # fmt: skip


def test_codes_are_no_text() -> None:
    out = io.StringIO()
    Screen(out).put("a\x1b[31m", Code("\x1b[31m"), "b")
    assert out.getvalue() == "a\\x1b[31m\x1b[31mb"


@pytest.mark.parametrize(
    "words", [["everywhere"], ["up", "--image", "none"], ["container", "build", "x.tar", "--page"], ["up", "--ssh-key"]]
)
def test_a_file_without_an_end_does_not_fill_the_memory(words: list[str], tmp_path: Path) -> None:
    code = f"import sys; from flatkit.cli import main; sys.exit(main({[*words, '/dev/zero']!r}))"
    most = 1024 * 1024 * 1024
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (most, most)),
    )  # fmt: skip
    assert (done.returncode, "larger than" in done.stderr) == (1, True), done.stderr
