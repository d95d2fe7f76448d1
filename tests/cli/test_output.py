"""Streams that are closed, full or not UTF-8, Ctrl-C at any moment, and exceptions that nobody expected."""

from __future__ import annotations

import encodings.aliases
import errno
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from flatkit import accounts, cli, host
from flatkit.cli import main
from flatkit.cli.screen import Screen
from flatkit.events import PhaseEnded, Said
from flatkit.host import Examination, Health, HostCheck

GOOD = "variant: flatcar\nversion: 1.1.0\n# é ✓\n"
# Every command, with something to say and nothing to boot.
CALLS = [
    ["butane", "a.bu"], ["butane", "--help"], ["channels"], ["checkpoint", "ghost", "é✓"], ["clean"], ["community"],
    ["console", "ghost"], ["container", "build", "é✓.tar", "--page", "é✓"], ["course", "--copy-only", "--folder", "kurs-é✓"],
    ["demo", "list"], ["demo", "run", "everywhere", "--replay", "--speed", "0"], ["doctor"], ["down", "ghost"],
    ["everywhere", "a.bu"], ["everywhere", "a.bu", "aws"], ["explain", "a.bu"], ["explain", "é✓.bu"], ["glossary"],
    ["images", "rm", "é✓"], ["images", "list", "--channel", "é✓"], ["lesson", "list"], ["lesson", "prove", "02-recap"],
    ["lesson", "check", "02-recap"], ["list"], ["review"], ["rewind", "ghost"], ["room", "check", "é✓"], ["board"],
    ["board", "hard"], ["present", "é✓"],
    ["join", "http://127.0.0.1:1", "--seat", "é✓"], ["leave"], ["flag", "help"], ["seat", "é✓"],
    ["seats", "pin", "é✓"], ["ssh", "ghost"], ["stop", "ghost"],
    ["sysext", "build", "x", "--file", "/usr/é=✓"], ["unplug", "ghost"], ["up", "é✓.bu"], ["é✓"], ["--help"], ["--version"],
]  # fmt: skip


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / "state"))
    (tmp_path / "a.bu").write_text(GOOD, encoding="utf-8")
    checks = (
        HostCheck(name="trust", state=Health.OK, found="é ✓", why="w"),
        HostCheck(name="x", state=Health.FAIL, found="✗", why="w"),
    )
    monkeypatch.setattr(host, "examine", lambda: Examination(checks=checks))
    return tmp_path


def test_the_calls_cover_every_command() -> None:
    assert {words[0] for words in CALLS} >= set(cli._COMMANDS)


class Bytes(io.TextIOWrapper):
    """A stream of an encoding, as Python makes standard output: strict."""

    def __init__(self, encoding: str) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, errors="strict")

    def text(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode(self.encoding)  # type: ignore[attr-defined]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-16"])
@pytest.mark.parametrize("words", CALLS, ids=" ".join)
def test_every_command_in_every_encoding(words: list[str], encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, other = (Bytes("utf-8"), Bytes("utf-8")), (Bytes(encoding), Bytes(encoding))
    statuses = []
    for out, err in (plain, other):
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        statuses.append(main(words))
    assert statuses[0] == statuses[1] != 70
    if words[0] in {"butane", "explain"}:
        return  # their pipes are UTF-8 in every locale, as those of butane
    for utf8, stream in zip(plain, other, strict=True):
        shown = stream.text()
        assert "Traceback" not in shown
        assert len(shown.split("\n")) == len(utf8.text().split("\n"))
        assert "?" * 3 not in shown, "what the encoding lacks is readable"


def test_every_encoding_of_python_gets_text_it_can_write() -> None:
    text = "".join(map(chr, range(32, 127))) + "\n✓ … Zürich 日本 \udcff \U0001f600 “x” – %\n"
    tried = 0
    for encoding in sorted({*encodings.aliases.aliases.values(), "utf-8-sig"}):
        try:
            stream = Bytes(encoding)
        except LookupError:  # a codec from bytes to bytes
            continue
        Screen(stream).write(text)
        assert "ok " in stream.text() or "✓" in stream.text(), encoding
        tried += 1
    assert tried > 80


# One Python process in a locale that is not UTF-8 runs every command.
ALL_CALLS = """\
import json, os, sys
from flatkit.cli import main
from flatkit import host
host.examine = lambda: host.Examination(checks=(host.HostCheck(name="x", state=host.Health.FAIL, found=chr(0x2717), why="w"),))
for words in json.loads(sys.argv[1]):
    words = [os.fsdecode(word.encode()) for word in words]
    print(f"\\n{main(words)} {words[0]!a}")
"""
OLD_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ":strict"}


def test_every_command_in_a_locale_without_utf8(apart: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ALL_CALLS, json.dumps(CALLS)], capture_output=True, check=False, timeout=120,
        stdin=subprocess.DEVNULL, env={**os.environ, **OLD_LOCALE},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stdout + done.stderr
    statuses = re.findall(rb"^(\d+) '", done.stdout, re.MULTILINE)
    assert len(statuses) == len(CALLS)
    assert b"70" not in statuses


def test_butane_writes_the_same_bytes_in_every_locale(apart: Path) -> None:
    """The config names a file with a name that is not ASCII; what is printed is JSON in UTF-8, as butane's."""
    (apart / "é✓.txt").write_text("é", encoding="utf-8")
    (apart / "é.bu").write_text(
        GOOD + 'storage: {files: [{path: "/etc/ü✓", contents: {local: "é✓.txt"}}]}\n', encoding="utf-8"
    )
    said = set()
    for env in ({}, OLD_LOCALE, {"PYTHONIOENCODING": "latin-1"}, {"PYTHONIOENCODING": "utf-16"}):
        done = subprocess.run(
            [sys.executable, "-m", "flatkit", "butane", "-d", ".", "é.bu"], capture_output=True, check=False, timeout=120,
            stdin=subprocess.DEVNULL, env={**os.environ, **env},
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, b""), env
        said.add(done.stdout)
    (text,) = said
    (file,) = json.loads(text)["storage"]["files"]
    assert (file["path"], file["contents"]["source"]) == ("/etc/ü✓", "data:,%C3%A9")


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_the_locales_encoding_stays_that_of_the_output(encoding: str, apart: Path) -> None:
    env = {**os.environ, **OLD_LOCALE, "PYTHONIOENCODING": encoding, "FLATKIT_STATE": str(apart / "état")}
    done = subprocess.run(
        [sys.executable, "-m", "flatkit", "down", "✓"], capture_output=True, check=False, timeout=120, env=env
    )
    mark = "✓" if encoding == "utf-8" else "ok"
    assert (done.returncode, f'"{mark}"' in done.stderr.decode(encoding)) == (2, True)


def test_standard_input_of_another_encoding(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, status in ((["butane"], 1), (["explain"], 1), (["demo", "run", "everywhere", "--step"], 0)):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff\xfe\n"), encoding="utf-8"))
        assert main(words) == status
        assert "fault in flatkit" not in capsys.readouterr().err


def test_own_marks_become_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Bytes("ascii")
    Screen(stream).write("✓ done … Zürich ✗ 日\n")
    assert stream.text() == "ok done ... Z\\xfcrich X \\u65e5\n"
    stream = Bytes("latin-1")
    Screen(stream).write("✓ Zürich\n")
    assert stream.text() == "ok Zürich\n"


def program(
    words: list[str], *, stdout: int | str, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """`flatkit` as a process, its standard output a descriptor, a file, or closed ("-")."""
    command = " ".join([sys.executable, "-m", "flatkit", *words])
    where = {"-": ">&-", "--": ">&- 2>&-"}.get(str(stdout), f">{stdout}" if isinstance(stdout, str) else "")
    return subprocess.run(
        ["sh", "-c", f"exec {command} {where}"], stdout=stdout if isinstance(stdout, int) else subprocess.PIPE,
        stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, env={**os.environ, **(env or {})}, timeout=120, check=False,
    )  # fmt: skip


TALKING = [
    ["--help"],
    ["demo", "list", "--json"],
    ["glossary"],
    ["butane", "a.bu"],
    ["demo", "run", "everywhere", "--replay", "--speed", "0"],
]


@pytest.mark.parametrize("words", TALKING, ids=" ".join)
def test_a_reader_that_has_gone(words: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = program(words, stdout=writing)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("words", TALKING, ids=" ".join)
def test_a_full_disk(words: list[str]) -> None:
    done = program(words, stdout="/dev/full")
    assert done.returncode == 1
    assert done.stderr == "flatkit: the output cannot be written: No space left on device\n"


@pytest.mark.parametrize("words", TALKING, ids=" ".join)
def test_closed_streams(words: list[str]) -> None:
    done = program(words, stdout="-")
    assert done.returncode == 1
    assert done.stderr == "flatkit: the output cannot be written: Bad file descriptor\n"
    both = program(words, stdout="--")
    assert (both.returncode, both.stderr) == (1, "")


def test_a_message_that_nobody_takes_changes_nothing(apart: Path) -> None:
    command = [sys.executable, "-m", "flatkit", "butane", "b.bu"]
    (apart / "b.bu").write_text(GOOD + "bogus: 1\n", encoding="utf-8")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=full, text=True, check=False, timeout=120)
    assert (done.returncode, json.loads(done.stdout)["ignition"]["version"]) == (0, "3.4.0")


# Python imports this first: it sends SIGINT at the nth module that flatkit imports. Before the first one Python itself starts.
INTERRUPT = """\
import os, signal, sys
class Finder:
    count = None
    def find_spec(self, name, path=None, target=None):
        if name == "flatkit.cli":
            Finder.count = 1
        elif Finder.count is not None:
            Finder.count += 1
        if Finder.count == {at}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
"""


def interrupted(folder: Path, at: int, command: list[str]) -> subprocess.CompletedProcess[str]:
    (folder / "sitecustomize.py").write_text(INTERRUPT.format(at=at))
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *filter(None, sys.path)])}
    return subprocess.run(
        command, env=env, capture_output=True, text=True, check=False, timeout=120, stdin=subprocess.DEVNULL
    )


@pytest.mark.parametrize(
    "entry", [["-m", "flatkit"], ["-c", "from flatkit.__main__ import run; run()"]], ids=["module", "script"]
)
def test_ctrl_c_while_python_imports(tmp_path: Path, entry: list[str]) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    for at in (1, 2, 3, 5, 9, 14, 20, 27, 40, 60):
        done = interrupted(folder, at, [sys.executable, *entry, "lesson", "list"])
        assert done.returncode == 130, (at, done.stderr)
        assert done.stderr.strip() in {"", "flatkit: stopped"}, (at, done.stderr)
    assert interrupted(folder, 10**6, [sys.executable, *entry, "--version"]).returncode == 0


def test_ctrl_c_at_the_end(tmp_path: Path) -> None:
    code = (
        "import atexit, os, signal; atexit.register(os.kill, os.getpid(), signal.SIGINT);"
        "from flatkit.__main__ import run; run()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--version"], capture_output=True, text=True, check=False, timeout=120
    )
    assert "Traceback" not in done.stderr
    assert done.stdout.startswith("flatkit ")


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("b\x1b[2J"),
        TypeError(),
        RecursionError("deep"),
        KeyError("x"),
        ExceptionGroup("g", [ValueError("v")]),
    ],
)
def test_what_nobody_expected(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], apart: Path
) -> None:
    def fail(_: list[str]) -> int:
        raise error

    monkeypatch.delenv("FLATKIT_DEBUG", raising=False)
    monkeypatch.setattr("flatkit.cli.doctor.run", fail)
    assert main(["doctor", "\x1b"]) == 70
    said = capsys.readouterr().err
    assert said.startswith(f"flatkit: this is a fault in flatkit, not in what you typed: {type(error).__name__}")
    assert "Traceback" not in said
    assert "\x1b" not in said
    kept = re.search(r'report it, with the file "(.*)"', said)
    assert kept
    text = Path(kept[1]).read_text()
    assert "in fail" in text
    assert "\x1b" not in text
    monkeypatch.setenv("FLATKIT_DEBUG", "1")
    assert main(["doctor"]) == 70
    assert "in fail" in capsys.readouterr().err


def test_a_folder_that_cannot_be_used_is_no_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: list[str]) -> int:
        raise PermissionError(13, "Permission denied", "/no/\x1bway")

    monkeypatch.setattr("flatkit.cli.doctor.run", fail)
    assert main(["doctor"]) == 3
    assert capsys.readouterr().err.startswith('flatkit: "/no/\\x1bway" cannot be used: Permission denied\n')


def test_where_the_fault_cannot_be_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], apart: Path
) -> None:
    (apart / "state").write_text("a file")
    monkeypatch.setattr("flatkit.cli.doctor.run", lambda _: 1 // 0)
    assert main(["doctor"]) == 70
    assert "FLATKIT_DEBUG=1" in capsys.readouterr().err


def test_the_streams_are_put_back(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout, sys.stderr
    assert main(["--version"]) == 0
    assert (sys.stdout, sys.stderr) == before


def test_a_live_line_is_cut_behind_its_escapes() -> None:
    from flatkit.cli.show import Terminal

    out = io.StringIO()
    screen = Terminal(out)
    screen.notify(Said(text="a\nb"))
    screen.notify(PhaseEnded(phase="p", title="t\r", seconds=1.0))
    assert out.getvalue() == "  a\\nb\n  ✓ t\\r 1.0 s\n"


@pytest.fixture
def origin(apart: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The course of a wheel, with a folder in it."""
    folder = apart / "origin"
    (folder / "files").mkdir(parents=True)
    for name in ("00-start.ipynb", "01-user.ipynb", "files/a.bu"):
        (folder / name).write_text(f"new {name}")
    monkeypatch.setattr("flatkit.paths.source_notebooks", lambda: None)
    monkeypatch.setattr("flatkit.paths.packaged_notebooks", lambda: folder)
    return folder


def test_the_course_is_copied_beside_what_is_there(origin: Path, apart: Path) -> None:
    target = apart / "mine"
    for _ in range(2):
        assert main(["course", "--copy-only", "--folder", str(target)]) == 0
        assert (target / "files" / "a.bu").read_text() == "new files/a.bu"
        (target / "01-user.ipynb").write_text("my work")
    assert (target / "01-user.ipynb").read_text() == "my work"


def test_the_course_is_not_copied_through_links(origin: Path, apart: Path) -> None:
    target, outside = apart / "mine", apart / "outside"
    target.mkdir()
    outside.mkdir()
    (target / "00-start.ipynb").symlink_to(outside / "startup.py")  # dangling: a copy would make that file
    (target / "files").symlink_to(outside)
    assert main(["course", "--copy-only", "--folder", str(target)]) == 0
    assert list(outside.iterdir()) == []
    assert (target / "01-user.ipynb").read_text() == "new 01-user.ipynb"


def test_a_course_folder_that_cannot_be_made(origin: Path, apart: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (apart / "file").write_text("")
    (apart / "mine").mkdir()
    (apart / "mine" / "files").write_text("a file where a folder is needed")
    for folder in ("file", "file/below", "mine"):
        assert main(["course", "--copy-only", "--folder", str(apart / folder)]) == 2
        assert "the course cannot be copied to" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, 'the disk that holds "{folder}" is full'),
        (errno.EACCES, 'cannot be copied to "{folder}": "{above}" belongs to "root" (mode 0700), and you are'),
    ],
)
def test_why_a_course_cannot_be_laid_out(
    number: int,
    said: str,
    origin: Path,
    apart: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number), "x")

    obstacle = accounts.Obstacle(path=apart, uid=0, gid=0, mode=0o700)
    monkeypatch.setattr(accounts, "my_uid", lambda: 4242)
    monkeypatch.setattr(accounts, "find_obstacle", lambda _: obstacle)
    monkeypatch.setattr("flatkit.lessons.layout.lay_out", refuse)
    assert main(["course", "--copy-only", "--folder", str(apart / "course")]) in {2, 3}
    assert said.format(folder=apart / "course", above=apart) in capsys.readouterr().err
