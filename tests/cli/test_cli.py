"""The command line without machines: help, wrong calls, exit statuses, how errors are said."""

from __future__ import annotations

import io
import json
import os
import sys

import pytest

from flatkit.api import default_name
from flatkit.cli import HELP, main
from flatkit.cli.show import Json, Terminal
from flatkit.events import (
    ConsoleLine,
    Observer,
    PhaseEnded,
    PhaseStarted,
    Said,
    StepEnded,
    StepOutput,
    StepStarted,
    Tape,
    Waiting,
    phase,
)


def test_help_shows_the_learners_five_first(capsys):
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    learner, rest = out.split("Trainer:")
    for command in ("course", "doctor", "up", "ssh", "clean"):
        assert f"flatkit {command}" in learner
    assert "flatkit butane" in rest.split("Author:")[1]


def test_without_a_command_help_and_status_2(capsys):
    assert main([]) == 2
    assert capsys.readouterr().out == HELP


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("flatkit 0.")


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["upp"], 2, "did you mean: flatkit up"),
        (["up", "--nonsense"], 2, "unrecognized arguments"),
        (["up", "--forward", "80"], 2, "HOST:GUEST"),
        (["up", "--name", "No Name"], 2, '"No Name"'),
        (["up", "/no/such.bu"], 1, '"/no/such.bu" cannot be read'),
        (["down", "-x"], 2, "usage"),
        (["down", "Bad!"], 2, '"Bad!"'),
        (["demo", "run", "nothing"], 2, 'no demo "nothing"'),
        (["images"], 2, "usage"),
    ],
)
def test_wrong_calls(words, status, said, capsys):
    assert main(words) == status
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("a.bu", '{"ignition": {"version": "3.3.0"}}', "holds Ignition JSON"),
        ("a.ign", "variant: flatcar\nversion: 1.0.0\n", "holds Butane"),
        ("b.ign", "{", "cannot be used"),
        ("c.bu", "#cloud-config\nhostname: x\n", "cloud-config"),
        ("d.bu", "variant: flatcar\nversion: 1.0.0\nstorage: 5\n", "has faults"),
        ("e.bu", "variant: flatcar\nversion: 1.0.0\nstorage:\n  files:\n    - path: x\n", "line 5"),
    ],
)
def test_configs_that_cannot_be_used(tmp_path, capsys, file, text, said):
    (tmp_path / file).write_text(text)
    assert main(["up", str(tmp_path / file), "--name", "never"]) == 1
    err = capsys.readouterr().err
    assert said in err
    assert "Traceback" not in err


def test_errors_as_json(tmp_path, capsys):
    assert main(["up", str(tmp_path / "none.bu"), "--json"]) == 1
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["event"] == "result"
    assert last["ok"] is False
    assert "cannot be read" in last["error"]
    assert last["hint"]


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (None, "machine"),
        ("web.bu", "web"),
        ("a/My Config_2.bu", "my-config-2"),
        ("x" * 50 + ".bu", "x" * 32),
        ("--.bu", "machine"),
    ],
)
def test_default_names(config, name):
    assert default_name(config) == name


def test_ctrl_c_is_said_and_is_no_traceback(monkeypatch, capsys):
    def stopped(words):
        raise KeyboardInterrupt

    monkeypatch.setattr("flatkit.cli.doctor.run", stopped)
    assert main(["doctor"]) == 130
    assert capsys.readouterr().err == "\nflatkit: stopped\n"


def tell(observer: Observer) -> None:
    """One of each event that a demo gives."""
    observer.notify(Said(text="hello"))
    with phase(observer, "kernel", "Kernel", typical=3):
        observer.notify(ConsoleLine(machine="m", text="[    0.0] Linux version"))
    observer.notify(
        StepStarted(demo="d", number=1, total=2, title="Title", why="Why.", command="hostname", where="guest")
    )
    observer.notify(StepOutput(demo="d", number=1, text="\n".join(map(str, range(40)))))
    observer.notify(StepEnded(demo="d", number=1, ok=False, found="found nothing", hint="look there", seconds=1.0))


def test_a_person_sees_what_why_command_output_and_verdict(capsys):
    import sys

    tell(Terminal(sys.stdout))
    out = capsys.readouterr().out
    for words in (
        "hello",
        "✓ Kernel",
        "1/2  Title",
        "Why.",
        "core@machine$ hostname",
        "… 25 more lines",
        "✗ found nothing",
    ):
        assert words in out
    assert "Next: look there" in out
    assert "\x1b" not in out  # no colours, no live line: this is no terminal


def test_json_lines_have_names_and_times_from_the_start(capsys):
    observer = Json()
    tell(observer)
    observer.result(ok=False, extra=1)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in lines] == [
        "said", "phase_started", "console_line", "phase_ended", "step_started", "step_output", "step_ended", "result",
    ]  # fmt: skip
    assert all(0 <= line["at"] < 60 for line in lines)
    assert lines[-1] == {"event": "result", "ok": False, "at": lines[-1]["at"], "extra": 1}


def test_every_event_has_an_observer_method():
    from flatkit import events

    kinds = [kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, events.Event)]
    assert len(kinds) >= 8
    tape = Tape()
    tell(tape)
    for event in tape.events:
        assert hasattr(Observer, f"on_{event.name}")


def tell_boot(observer: Observer) -> None:
    waiting = {"machine": "web", "phase": "units", "title": "Units", "typical": 5.0, "line": "Started sshd"}
    observer.notify(PhaseStarted(phase="units", title="Units", typical=5.0, says="systemd starts services.", at=100.0))
    observer.notify(ConsoleLine(machine="web", text="Reached target paths", at=101.0))
    observer.notify(Waiting(**waiting, elapsed=3.0, remaining=4.0, quiet=0.0, at=103.0))
    observer.notify(Waiting(**waiting, elapsed=20.0, remaining=1.5, quiet=17.0, at=120.0))
    observer.notify(PhaseEnded(phase="units", title="Units", seconds=21.0, line="Started sshd", at=121.0))


def test_a_phase_of_a_template_is_shown_with_its_origin(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    stream = io.StringIO()
    Terminal(stream).notify(
        PhaseEnded(phase="kernel", title="Kernel", seconds=0.0, template="2026-01-02T03:04:05+00:00")
    )
    assert stream.getvalue() == "  ✓ Kernel kept from an earlier boot, 2026-01-02 03:04\n"


def test_a_boot_on_a_terminal_has_a_live_line(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    keyboard, screen = os.openpty()
    try:
        with os.fdopen(screen, "w", closefd=True) as stream:
            tell_boot(Terminal(stream))
            shown = b""
            while b"21.0 s" not in shown:
                shown += os.read(keyboard, 65536)
    finally:
        os.close(keyboard)
    steps = [step.strip() for step in shown.decode().split("\r\x1b[K") if step.strip()]
    assert steps == [
        "… Units  (usually about 5 s)  systemd starts services.",
        "… Units 1 s, usually 5 s  Reached target paths",
        "… Units 3 s, usually 5 s, about 4 s to go  Started sshd",
        "… Units 20 s, usually 5 s, nothing has moved for 17 s  Started sshd",
        "✓ Units 21.0 s",
    ]


def test_a_boot_without_a_terminal_is_plain_lines(capsys):
    tell_boot(Terminal(sys.stdout))
    assert capsys.readouterr().out.splitlines() == [
        "  … Units 20 s, usually 5 s, nothing has moved for 17 s",
        "  ✓ Units 21.0 s",
    ]
