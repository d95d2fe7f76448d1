"""Measure the trainer's board with sixty seats: `tools/bench_board.py [--check] [--browser]`, on 127.0.0.1.

First a steady part: how long until an event of a seat is on the trainers' page (its stream; with --browser also Chromium's
page). Then faults: the board is killed, the network is cut, answers get lost, clocks of seats jump. Afterwards the board's store
is compared with what each seat has noted. Targets: nothing lost or stored twice, the order kept, at most 150 MB of memory, and
95 % of the updates on the page within a second. With --check a missed target is exit status 1.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flatkit.board.journal import JoinedSeat, Journal
from flatkit.board.ledger import Ledger
from flatkit.board.sender import BoardAnswer, Sender, ask_for_seat, post_events
from flatkit.errors import FetchError

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "ui"))  # the tests' own browser

ROOM, TRAINER = "the-rooms-word", "the-trainers-word"
MOST_SECONDS, MOST_MB = 1.0, 150.0
NOTEBOOK, STEPS = "01-provision", 1_000_000
PAUSE = 4.0  # seconds between two events of a seat; a learner's come every ten to sixty
CUT_SECONDS = 5.0
PATIENCE = 240.0  # after the faults: a seat's pause between two tries is up to a minute
# When a row of the page shows another step: its seat, the step, the time.
WATCH = """() => {
  window.seen = [];
  const steps = new Map();
  new MutationObserver(() => {
    const now = Date.now() / 1000;
    for (const row of document.querySelectorAll("#rows tr")) {
      const [seat, , where] = [...row.children].map((cell) => cell.textContent);
      const step = Number(/ (\\d+)\\//.exec(where)?.[1] ?? 0);
      if (step && steps.get(seat) !== step) {
        steps.set(seat, step);
        window.seen.push([seat, step, now]);
      }
    }
  }).observe(document.getElementById("rows"), { subtree: true, childList: true, characterData: true });
}"""


class Board:
    """`flatkit board serve` as a process of its own."""

    def __init__(self, state: Path) -> None:
        self.store = state / "room" / "board.sqlite"
        self._env = {
            **os.environ, "FLATKIT_STATE": str(state), "FLATKIT_ROOM_PASSWORD": ROOM, "FLATKIT_TRAINER_PASSWORD": TRAINER,
        }  # fmt: skip
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.peak_mb = 0.0
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        command = [sys.executable, "-m", "flatkit", "board", "serve", "--listen", f"127.0.0.1:{self.port}"]
        self._process = subprocess.Popen(command, env=self._env, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            raise SystemExit("the board did not start")

    def memory(self) -> float:
        """Return its memory in MB, and remember the most of it."""
        assert self._process is not None
        text = Path(f"/proc/{self._process.pid}/status").read_text()
        now, most = (int(re.search(rf"{name}:\s+(\d+)", text)[1]) / 1024 for name in ("VmRSS", "VmHWM"))  # type: ignore[index]
        self.peak_mb = max(self.peak_mb, most)
        return now

    def abandon(self) -> None:
        """End it if it runs: the measuring did not come to its end."""
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.communicate()

    def end(self, by: signal.Signals = signal.SIGKILL) -> None:
        """End it: without warning, or as Ctrl-C does."""
        assert self._process is not None
        with suppress(OSError, TypeError):
            self.memory()
        self._process.send_signal(by)
        self._process.communicate(timeout=30)


class Faults:
    """The network of all seats: `cut` while set; one answer in `lossy` is lost on its way back."""

    def __init__(self) -> None:
        self.cut = threading.Event()
        self.lossy = 0

    def post(self, seat: JoinedSeat, lines: list[str], **more: Any) -> BoardAnswer:
        """Post as a seat does."""
        if self.cut.is_set():
            raise FetchError("the network is cut")
        answer = post_events(seat, lines, **more)
        if self.lossy and random.randrange(self.lossy) == 0:
            raise FetchError("the answer was lost")
        return answer


@dataclass
class Seat:
    """A simulated seat. `noted`: the number of each step, with the time when it was noted."""

    name: str
    journal: Journal
    sender: Sender
    noted: dict[int, float] = field(default_factory=dict)

    def work(self, stop: threading.Event) -> None:
        """Run one cell after the other."""
        step = 0
        while not stop.wait(random.uniform(0, 2 * PAUSE)):
            step += 1
            self.noted[step] = time.time()
            if self.journal.note("step", notebook=NOTEBOOK, step=step, steps=STEPS) is None:
                raise SystemExit(f"{self.name} could not note a step")
            self.sender.wake()


def make_seats(board: Board, folder: Path, count: int, faults: Faults, jumps: dict[str, float]) -> list[Seat]:
    """Join the seats, each with a journal and a sender as a kernel has them."""
    made = []
    for number in range(1, count + 1):
        name = f"seat-{number:02}"
        journal = Journal(folder / name, clock=lambda name=name: time.time() + jumps.get(name, 0.0))
        journal.join(board.url, name, ask_for_seat(board.url, name, ROOM))
        sender = Sender(journal, post=faults.post)
        sender.start()
        made.append(Seat(name, journal, sender))
    return made


class Stream:
    """A trainer's page without a browser: reads the stream in a thread. `seen` has (seat, step, time)."""

    def __init__(self, port: int) -> None:
        self._line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._line.request(
            "POST", "/login", f"password={TRAINER}", {"Content-Type": "application/x-www-form-urlencoded"}
        )
        answer = self._line.getresponse()
        cookie = str(answer.getheader("Set-Cookie")).partition(";")[0]
        answer.read()
        self._line.request("GET", "/stream", headers={"Cookie": cookie})
        self._answer = self._line.getresponse()
        self.seen: list[tuple[str, int, float]] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        steps: dict[str, int] = {}
        with suppress(OSError, http.client.HTTPException, ValueError, AttributeError):
            while line := self._answer.readline():
                if not line.startswith(b"data: "):
                    continue
                now = time.time()
                for row in json.loads(line[6:])["rows"]:
                    step = int(row["where"].partition(" ")[2].partition("/")[0] or 0)
                    if step and steps.get(row["seat"]) != step:
                        steps[row["seat"]] = step
                        self.seen.append((row["seat"], step, now))


def latencies(seats: list[Seat], seen: list[tuple[str, int, float]]) -> list[float]:
    """Return the seconds from noting each step until a page showed it, or a later one."""
    found = []
    for seat in seats:
        shown = [(step, at) for name, step, at in seen if name == seat.name]
        for step, noted in list(seat.noted.items()):
            at = next((at for other, at in shown if other >= step), None)
            if at is not None:
                found.append(max(0.0, at - noted))
    return sorted(found)


@contextmanager
def browser_page(url: str) -> Iterator[Any]:
    """Yield Chromium with the trainers' page, which records its updates."""
    from browser import find_chromium, launch
    from playwright.sync_api import sync_playwright

    path = find_chromium()
    if path is None:
        raise SystemExit("there is no chromium on this host; measure without --browser")
    with sync_playwright() as play:
        browser = launch(play, path)
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.goto(f"{url}/")
        page.get_by_label("Trainers' password").fill(TRAINER)
        page.keyboard.press("Enter")
        page.locator("#rows tr").first.wait_for()
        page.evaluate(WATCH)
        yield page
        browser.close()


def break_things(board: Board, seats: list[Seat], faults: Faults, jumps: dict[str, float], seconds: float) -> int:
    """Kill the board, cut the network and let clocks jump for so long; return how many times the board was killed."""
    faults.lossy, until, kills = 20, time.monotonic() + seconds, 0
    while time.monotonic() < until:
        jumps.update({seat.name: random.choice([-1, 1]) * random.uniform(0, 10_000_000) for seat in seats[::3]})
        faults.cut.set()
        time.sleep(CUT_SECONDS)  # the length of the fault, not a wait for something
        faults.cut.clear()
        time.sleep(CUT_SECONDS)
        board.end()
        kills += 1
        time.sleep(CUT_SECONDS)
        board.start()
        time.sleep(CUT_SECONDS)
    faults.lossy = 0
    return kills


def compare(store: Path, seats: list[Seat]) -> tuple[int, int, int, int]:
    """Return how many steps were noted, lost, stored twice, and out of order."""
    ledger = Ledger(store)
    lost = twice = wrong = 0
    for seat in seats:
        have = [one.event.data["step"] for one in ledger.events(seat.name) if one.event.kind == "step"]
        lost += len(set(seat.noted) - set(have))
        twice += len(have) - len(set(have))
        wrong += have != sorted(have)
    ledger.close()
    return sum(len(seat.noted) for seat in seats), lost, twice, wrong


def wait_for_all(seats: list[Seat]) -> None:
    """Wait until the board has all that was noted."""
    until = time.monotonic() + PATIENCE
    while any(seat.journal.after(seat.journal.cursor, most=1) for seat in seats) and time.monotonic() < until:
        time.sleep(0.5)


def measure(options: argparse.Namespace, folder: Path, board: Board) -> bool:
    """Measure, print, and return True if all targets are met."""
    faults, jumps = Faults(), dict[str, float]()
    board.start()
    seats = make_seats(board, folder, options.seats, faults, jumps)
    first, stop = board.memory(), threading.Event()
    workers = [threading.Thread(target=seat.work, args=(stop,), daemon=True) for seat in seats]
    for worker in workers:
        worker.start()
    stream, pages = Stream(board.port), {}
    if options.browser:
        with browser_page(board.url) as page:
            page.wait_for_timeout(options.seconds * 1000)
            pages["Chromium"] = latencies(seats, [tuple(one) for one in page.evaluate("seen")])
    else:
        time.sleep(options.seconds)
    pages["stream"] = latencies(seats, list(stream.seen))
    steady = board.memory()
    kills = break_things(board, seats, faults, jumps, options.faults)
    stop.set()
    for worker in workers:
        worker.join()
    wait_for_all(seats)
    for seat in seats:
        seat.sender.stop()
    last = board.memory()
    board.end(signal.SIGINT)
    noted, lost, twice, wrong = compare(board.store, seats)
    print(f"{options.seats} seats, an event each {PAUSE:.0f} s of each: {noted} events")
    worst = 0.0
    for name, found in pages.items():
        p95 = statistics.quantiles(found, n=20)[-1]
        worst = max(worst, p95)
        print(f"{name}: an event is on the page after {statistics.median(found):.2f} s (median), {p95:.2f} s (p95), "
              f"{found[-1]:.2f} s (longest of {len(found)}); at most {MOST_SECONDS:.0f} s at p95")  # fmt: skip
    print(f"faults for {options.faults:.0f} s: the board was killed {kills} times, the network cut {kills} times")
    print(f"lost {lost}, stored twice {twice}, seats out of order {wrong}; 0 each")
    print(f"memory of the board: {first:.0f} MB at first, {steady:.0f} after the steady part, {last:.0f} at the end, "
          f"{board.peak_mb:.0f} at most; at most {MOST_MB:.0f} MB")  # fmt: skip
    return not (lost or twice or wrong) and worst <= MOST_SECONDS and board.peak_mb <= MOST_MB


def main(argv: list[str]) -> int:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description="Measure the trainer's board with many seats.")
    parser.add_argument("--seats", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=60.0, help="of the steady part (default: 60)")
    parser.add_argument("--faults", type=float, default=60.0, help="seconds of the part with faults (default: 60)")
    parser.add_argument("--browser", action="store_true", help="also in Chromium, as in the tests")
    parser.add_argument("--check", action="store_true", help="exit status 1 if a target is missed")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="fk-board-") as folder:
        board = Board(Path(folder) / "state")
        try:
            ok = measure(options, Path(folder), board)
        finally:
            board.abandon()
    return 1 if options.check and not ok else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
