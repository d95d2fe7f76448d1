"""A real kernel during an allowed look: what its cells say and print goes to the board, and nothing before or after."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "board"))
from board_parts import joined, opened

from flatkit.board import seat
from flatkit.board.consent import Consent
from flatkit.board.feed import LookFeed
from flatkit.board.heard_asks import HeardAsk
from flatkit.board.journal import Journal
from flatkit.board.server import BoardServer
from flatkit.board.talk import TalkLog
from flatkit.waiting import wait_until
from flatkit.widgets import board_looks
from tests.kernels import make_kernel

# Two kinds of output each: printed, the value of a cell, a display; and an error.
CELLS = ["print('printed', 1)\nprint('printed', 2)", "6 * 7", "1 / 0", "fk.glossary('ignition')"]


# A learner's cell during which the kernel hears of the yes, and does the last that it does then.
# At its end IPython puts the `write` of its streams back to what they were at its beginning; `%%capture` the whole streams.
HOOKED = """
from pathlib import Path
Path("began").touch()
import time
from flatkit.widgets import board_looks
while board_looks._show_cell not in get_ipython().events.callbacks["pre_run_cell"]:
    time.sleep(0.01)
print('meanwhile')
"""


@pytest.fixture
def board(tmp_path: Path) -> Iterator[BoardServer]:
    with opened(tmp_path / "board.sqlite") as made:
        yield made


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BlockingKernelClient]:
    """A kernel of the course, in a seat's own state folder."""
    more = {"FLATKIT_STATE": str(tmp_path / "state"), "JPY_SESSION_NAME": "course/01-first.ipynb"}
    manager = KernelManager(kernel_name=make_kernel(tmp_path, monkeypatch, **more))
    manager.start_kernel(cwd=str(tmp_path))
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=120)
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def wait_for(what: Callable[[], bool]) -> None:
    assert wait_until(what, seconds=120)


def run(kernel: BlockingKernelClient, cell: str) -> None:
    kernel.execute_interactive(cell, timeout=120, output_hook=lambda _: None)


def texts(board: BoardServer) -> list[tuple[str, str]]:
    return [(one["kind"], one["text"]) for one in board.asks.look("ada")["pieces"]]


@pytest.mark.parametrize("magic", ["", "%%capture"])
def test_a_kernel_shows_its_cells_while_the_learner_allows_it(
    magic: str, board: BoardServer, kernel: BlockingKernelClient, tmp_path: Path
) -> None:
    journal = joined(board, "ada", tmp_path / "state" / "board")
    run(kernel, "import flatkit as fk\nfrom flatkit.board import seat\nseat.note('opened', notebook='01-first')")
    run(kernel, "print('secret-1')")
    wait_for(lambda: "ada" in board.asks._able)
    ask: Any = board.asks.ask("ada", "look")
    wait_for(lambda: bool(TalkLog(journal.folder).read().asks.held))
    run(kernel, "print('secret-2')")
    kernel.execute(magic + HOOKED)
    wait_for((tmp_path / "began").exists)
    Consent(Journal(journal.folder)).allow(ask.ident, 5)  # in another window: the kernel hears of it by the log
    wait_for(lambda: ask.state == "allowed")
    for cell in CELLS:
        run(kernel, cell)
    wait_for(lambda: any("Ignition" in text and kind == "output" for kind, text in texts(board)))
    found = texts(board)
    assert [text for kind, text in found if kind == "cell"][-len(CELLS) :] == CELLS
    printed = "\n".join(text for kind, text in found if kind == "output")
    for wanted in ("printed 1\nprinted 2", "42", "ZeroDivisionError: division by zero"):
        assert wanted in printed
    assert ("meanwhile" in printed) == (not magic)  # what a cell captures is not shown to the learner either
    assert "secret" not in printed
    Consent(Journal(journal.folder)).end()
    wait_for(lambda: ask.state == "over")
    run(kernel, "print('after the end')")
    assert texts(board) == []
    assert not any(b"printed" in file.read_bytes() for file in (tmp_path / "state").rglob("*") if file.is_file())


def look(letter: str) -> HeardAsk:
    return HeardAsk(ident=letter * 16, kind="look", machine="", state="yes", began=time.time(), seconds=300)


@pytest.fixture
def feed(monkeypatch: pytest.MonkeyPatch) -> LookFeed:
    made = LookFeed()
    monkeypatch.setattr(seat, "feed", made)
    monkeypatch.setattr(seat, "_send", lambda _: None)
    return made


def test_a_cell_that_is_shown_is_shown_with_what_it_prints(feed: LookFeed, monkeypatch: pytest.MonkeyPatch) -> None:
    """The learner's cells run on while the kernel hooks in."""

    class Stream:
        echo: Any = None

        def write(self, text: str) -> None:
            if self.echo is not None:
                self.echo.write(text)

    shell = SimpleNamespace(
        events=SimpleNamespace(register=lambda name, _call: sys.stdout.write(f"{name}\n")),
        display_pub=SimpleNamespace(publish=print),
        displayhook=SimpleNamespace(write_format_data=print),
    )
    monkeypatch.setattr(sys, "stdout", Stream())
    monkeypatch.setattr(sys, "stderr", Stream())
    monkeypatch.setattr(board_looks.display, "get_shell", lambda: shell)
    feed.follow(look("a"))
    board_looks.NotebookLook().draw()
    assert [piece.text for piece in feed._pieces] == ["post_run_cell\npre_run_cell"]


def test_a_line_that_one_look_began_is_not_in_the_next_one(feed: LookFeed) -> None:
    feed.follow(look("a"))
    board_looks._show_printed("Password: ")
    feed.follow(None)
    board_looks.notebook_look.draw()  # what follows the learner's log
    feed.follow(look("b"))
    board_looks._show_printed("later\n")
    assert [piece.text for piece in feed._pieces] == ["later"]


def test_what_two_threads_print_is_shown_in_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr(seat, "show", lambda _kind, _source, text: shown.append(text))

    class Printed(list[str]):
        """The other thread prints while this one takes out what there is."""

        def clear(self) -> None:
            if threading.current_thread() is threading.main_thread() and not other.ident:
                other.start()
                other.join(1)  # with the fix it waits for this thread
            super().clear()

    other = threading.Thread(target=board_looks._show_printed, args=("other\n",))
    monkeypatch.setattr(board_looks, "_printed", Printed())
    board_looks._show_printed("main\n")
    other.join(120)
    assert sorted(shown) == ["main", "other"]


def test_an_object_that_prints_when_it_is_collected_holds_up_no_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python collects it in the middle of anything, also while this thread has the locks of the look."""
    sent: list[object] = []
    feed = LookFeed()
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path))
    monkeypatch.setattr(seat, "feed", feed)
    monkeypatch.setattr(seat, "_sender", SimpleNamespace(is_alive=True, wake=lambda: sent.append(1)))

    def collect() -> None:
        with feed._lock, seat._guard:
            board_looks._Echo(None).write("Exception ignored in: ...\n")

    feed.follow(look("a"))
    thread = threading.Thread(target=collect, daemon=True)
    thread.start()
    thread.join(120)
    assert [piece.text for piece in feed._pieces] == ["Exception ignored in: ..."]
    assert sent == [1]
