"""A cell typed in one shell: what counts as one command, and what each of them said. Bash is real here."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from flatkit.widgets import cell_shell
from flatkit.widgets.results import Note, Ran, Times, Typed, WebPage

needs_bash = pytest.mark.skipif(not shutil.which("bash"), reason="no bash here")


def typed(cell: str) -> Typed:
    mark = cell_shell.new_mark()
    done = subprocess.run(
        ["bash", "-c", cell_shell.command_for(cell, mark)], capture_output=True, text=True, check=False
    )
    return Typed(
        commands=cell_shell.parse_answer(
            done.stdout + done.stderr, mark, machine="web", user="core", status=done.returncode
        )
    )


CELLS = [
    pytest.param("pwd\ncd /\npwd\n", [("cd /", "", 0), ("pwd", "/\n", 0)], id="cd lasts"),
    pytest.param("a=1\necho $a", [("echo $a", "1\n", 0)], id="variables last"),
    pytest.param("for x in 1 2\ndo echo $x\ndone", [("for x in 1 2\ndo echo $x\ndone", "1\n2\n", 0)], id="loop"),
    pytest.param("cat <<END\n# hi\n\nEND", [("cat <<END\n# hi\n\nEND", "# hi\n\n", 0)], id="here-document"),
    pytest.param("echo a \\\n b", [("echo a \\\n b", "a b\n", 0)], id="continued line"),
    pytest.param("echo 'a\nb'", [("echo 'a\nb'", "a\nb\n", 0)], id="open quote"),
    pytest.param("echo a |\ncat", [("echo a |\ncat", "a\n", 0)], id="open pipe"),
    pytest.param("false\necho on", [("false", "", 1), ("echo on", "on\n", 0)], id="a failure does not stop"),
    pytest.param("printf x", [("printf x", "x", 0)], id="no newline at the end"),
    pytest.param("nope", [("nope", "bash: nope: command not found\n", 127)], id="no line is numbered"),
    pytest.param(
        "if true\nthen nope\nfi",
        [("if true\nthen nope\nfi", "bash: line 2: nope: command not found\n", 127)],
        id="the lines of a command are",
    ),
    pytest.param(")", [(")", "bash: syntax error near unexpected token `)'\nbash: `)'\n", 2)], id="a syntax error"),
    pytest.param("cat\necho on", [("cat", "", 0), ("echo on", "on\n", 0)], id="nothing to read"),
    pytest.param("echo bad >&2", [("echo bad >&2", "bad\n", 0)], id="errors are shown"),
    pytest.param("exit 3\necho never", [("exit 3", "", 3)], id="exit ends the shell"),
    pytest.param("echo ä€", [("echo ä€", "ä€\n", 0)], id="other letters"),
]


@needs_bash
@pytest.mark.parametrize(("cell", "expected"), CELLS)
def test_commands_and_what_they_said(cell: str, expected: list[tuple[str, str, int]]) -> None:
    found = [(ran.command, ran.output, ran.status) for ran in typed(cell).commands]
    assert found[-len(expected) :] == expected


@needs_bash
def test_what_never_ends_shows_the_shells_own_message() -> None:
    (ran,) = typed("echo 'a\n").commands
    assert ran.status != 0
    assert "unexpected EOF" in ran.output


@needs_bash
def test_an_empty_cell_types_nothing() -> None:
    assert typed("").commands == ()
    assert typed("\n\n").commands == ()


def test_a_typed_cell_reads_like_a_terminal() -> None:
    shown = Typed(
        commands=(
            Ran(machine="web", user="core", command="id", output="uid=500\n", status=0),
            Ran(machine="web", user="core", command="if x\nfi", output="", status=2),
        )
    )
    assert repr(shown) == "core@web$ id\nuid=500\ncore@web$ if x\n> fi\n[status 2]"
    assert not shown.ok
    assert "<pre" in shown._repr_html_()


def test_html_is_escaped() -> None:
    evil = "<script>alert(1)</script>"
    values = (
        Ran(machine=evil, user=evil, command=evil, output=evil, status=1),
        WebPage(url=evil, status=200, text=evil),
        Times(phases=((evil, 1.0),)),
        Note(lines=(evil,)),
    )
    for value in values:
        assert "<script>" not in value._repr_html_()
        assert evil in repr(value)


def test_a_timeline_adds_up() -> None:
    times = Times(phases=(("Kernel", 1.0), ("Userspace", 3.0)))
    assert times.total == 4.0
    assert repr(times).splitlines()[-1].split() == ["together", "4.0", "s"]
    assert "ran already" in repr(Times())
    assert "ran already" in Times()._repr_html_()


@pytest.mark.parametrize("begin", ["!!!", "YQ", "\u0661", ""])
@pytest.mark.parametrize("end", ["zero", "", "\u0663", "9" * 5000, "-1"])
def test_a_command_that_prints_the_mark_itself(begin: str, end: str) -> None:
    """The mark is in a variable of the shell: a hostile machine may print anything behind it."""
    (ran,) = cell_shell.parse_answer(f"m begin {begin}\nx\nm end {end}\n", "m", machine="web", user="core")
    assert (ran.output, ran.status) == ("x", 1)
