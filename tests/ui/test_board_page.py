"""The trainer's board in a browser: thirty rows on a projector's 1280 x 720, live, by keys, and a helper who is coming."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browser import keep_screenshot, open_context, serious_faults
from playwright.sync_api import Browser, Locator, Page, expect
from stage import Stage

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "board"))
from board_parts import TRAINER, joined, opened

import flatkit as fk
from flatkit.board import seat
from flatkit.board.sender import Sender
from flatkit.board.talk import TalkLog, confirm_hints
from flatkit.widgets import board_asks


def test_a_trainer_sees_who_needs_help_and_tells_them(browser: Browser, axe: str, tmp_path: Path) -> None:
    with opened(tmp_path / "board.sqlite") as board, open_context(browser) as context:
        page = context.new_page()
        page.set_viewport_size({"width": 1280, "height": 720})
        page.goto(f"{board.url}/")
        page.get_by_label("Trainers' password").fill("a guess")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_have_text("This is not the trainers' password.")
        page.get_by_label("Trainers' password").fill(TRAINER)
        page.keyboard.press("Enter")
        expect(page.get_by_text("No seat has joined yet")).to_be_visible()

        journals = [joined(board, f"seat-{number:02}", tmp_path / str(number)) for number in range(30)]
        for number, journal in enumerate(journals):
            journal.note("step", notebook=f"0{number % 4}-lesson", step=number % 17 + 1, steps=20)
            journal.note("check", task="03-remount", verdict="wrong" if number % 3 else "passed")
            journal.note("machine", machine="web", state="running", image="lab image 110.2.0")
            journal.note("quiz", task="03-recap", question=1, choice=number % 3, right=False)
        for _ in range(3):
            journals[4].note("check", task="02-mode", verdict="wrong")
        journals[7].note("flag", flag="help", word="<b>the machine hangs</b>")
        for journal in journals:
            Sender(journal).flush()

        rows = page.locator("#rows tr")
        expect(rows).to_have_count(30)
        expect(rows.nth(0)).to_contain_text("seat-07")
        expect(rows.nth(0)).to_contain_text("needs help now: <b>the machine hangs</b>")
        expect(rows.nth(1)).to_contain_text("seat-04")
        expect(rows.nth(1)).to_contain_text("02-mode ×3")
        last = rows.nth(29).bounding_box()
        assert last is not None
        assert last["y"] + last["height"] <= 720, "thirty rows are on the screen at once"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "and all of each row"
        page.evaluate("send({seat: 'seat-07', kind: 'hint', text: 'look at the console'})")
        page.evaluate("fetch(url('ask'), {method: 'POST', body: JSON.stringify({seat: 'seat-07', kind: 'look'})})")
        Sender(journals[7]).flush()
        confirm_hints(journals[7], [1])
        Sender(journals[7]).flush()
        expect(rows.nth(0)).to_contain_text("✓ shown just now")
        expect(rows.nth(0).get_by_role("button", name="Look, asked: seat-07")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "with a hint and a request, too"
        keep_screenshot(page, "board-rows-hint")
        keep_screenshot(page, "board-rows")
        page.evaluate(f"() => {{ {axe} }}")  # the page's own policy lets no other script in
        assert serious_faults(page, axe, "body") == []

        rows.nth(0).get_by_role("button").first.click()
        expect(rows.nth(0).get_by_role("button").first).to_have_text("Done")
        Sender(journals[7]).flush()
        assert TalkLog(journals[7].folder).read().coming == "a helper is coming"
        rows.nth(0).get_by_role("button").first.click()
        expect(rows.nth(0)).to_contain_text("seat-04")

        journals[7].note("step", notebook="diary of seat-07", step=1, steps=2)
        journals[7].note("quiz", task="about seat-07", question=1, choice=0, right=False)
        Sender(journals[7]).flush()
        for text in ("diary of seat-07", "about seat-07, question 1"):
            expect(page.get_by_text(text, exact=True)).to_be_visible()
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.locator("#heat").scroll_into_view_if_needed()
            keep_screenshot(page, f"board-heat-{scheme}")
        page.emulate_media(color_scheme="light")
        page.keyboard.press("p")
        expect(page.get_by_role("region", name="seats")).to_be_hidden()
        expect(page.locator("body")).not_to_contain_text("seat-07", use_inner_text=True)
        expect(page.get_by_text("Half the room is at")).to_be_visible()
        for text in ("diary", "about"):
            expect(page.locator("main")).not_to_contain_text(text, use_inner_text=True)
        expect(page.locator("main")).to_contain_text("03-recap, question 1", use_inner_text=True)
        keep_screenshot(page, "board-projector")
        for width, scheme in ((640, "dark"), (640, "light"), (1280, "dark")):
            page.set_viewport_size({"width": width, "height": 720})
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            keep_screenshot(page, f"board-projector-{width}-{scheme}")
        assert serious_faults(page, axe, "body") == []


@pytest.fixture
def one_sender(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The sender of this process, as a kernel has it, ended with the test."""
    monkeypatch.setattr(seat, "_sender", None)
    yield
    if seat._sender is not None:
        seat._sender.stop()


def log_in(page: Page, url: str) -> None:
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(f"{url}/")
    type_password(page)


def type_password(page: Page) -> None:
    page.get_by_label("Trainers' password").fill(TRAINER)
    page.keyboard.press("Enter")


REWOUND = [
    'the trainer asks to rewind your machine "web" (what was changed on it is lost)',
    "you allowed it: rewind",
    'rewind is done: the machine "web" is back at fresh',
]


def look_together(page: Page, card: Locator, axe: str, colours: str) -> None:
    """The trainer asks to look, the learner refuses, then allows it, shows something, and ends it."""
    seat.show("output", "01-first", "before the yes")
    page.get_by_role("button", name="Look: ada").click()
    dialog = page.get_by_role("dialog", name="Help for ada")
    dialog.get_by_role("button", name="Ask to look").click()
    expect(dialog).to_contain_text("look: no answer yet")
    asks = card.get_by_role("list", name="The trainer's requests")
    expect(asks).to_contain_text("The trainer asks to look at what your cells and terminals show.")
    asks.get_by_role("button", name="No", exact=True).press("Enter")
    expect(dialog).to_contain_text("look: the learner said no")
    dialog.get_by_role("button", name="Ask to look").click()
    asks.scroll_into_view_if_needed()
    keep_screenshot(card.page, f"look-asked-{colours}")
    asks.get_by_role("button", name="Allow for 5 minutes").press("Enter")
    expect(dialog).to_contain_text("look: allowed, it ends in 5 min")
    expect(asks).to_contain_text("The trainer sees what your cells and terminals show, until")
    seat.show("cell", "01-first", "%%on m\nls /etc/os-release")
    seat.show("output", "01-first", "<b>/etc/os-release</b>\x1b[2J")
    seat.show("screen", "terminal on web", "core@web ~ $ systemctl --failed")
    shown = dialog.get_by_role("log", name="what the seat shows")
    expect(shown).to_contain_text("<b>/etc/os-release</b>\\x1b[2J")
    expect(shown).not_to_contain_text("before the yes")
    expect(dialog.get_by_role("region", name="terminal on web")).to_contain_text("systemctl --failed")
    keep_screenshot(page, f"board-look-{colours}")
    keep_screenshot(card.page, f"look-allowed-{colours}")
    assert serious_faults(page, axe, "body") == []
    asks.get_by_role("button", name="End it now").click()
    expect(asks).to_be_hidden()
    expect(dialog).to_contain_text("look: the look is over")
    expect(dialog).not_to_contain_text("os-release")
    expect(dialog).not_to_contain_text("systemctl")
    seat.show("output", "01-first", "after the end")
    dialog.get_by_role("button", name="Close").click()


def verb_by_consent(page: Page, card: Locator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trainer asks to rewind the machine, the learner says yes, the seat does it, the trainer sees the result."""
    done: list[tuple[str, str]] = []
    monkeypatch.setattr(
        board_asks, "run_verb", lambda kind, name: done.append((kind, name)) or f'the machine "{name}" is back at fresh'
    )
    page.get_by_role("button", name="Look: ada").click()
    dialog = page.get_by_role("dialog", name="Help for ada")
    dialog.get_by_role("button", name="Ask to rewind web").click()
    asks = card.get_by_role("list", name="The trainer's requests")
    expect(asks).to_contain_text('The trainer asks to rewind your machine "web" (what was changed on it is lost).')
    assert done == []
    asks.get_by_role("button", name="Yes, do it").click()
    expect(dialog).to_contain_text('rewind "web": done: the machine "web" is back at fresh')
    assert done == [("rewind", "web")]
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_from_the_learners_flag_to_the_trainers_hint(
    browser: Browser, staged: Callable[[str], Stage], axe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    colours: str, one_sender: None,
) -> None:  # fmt: skip
    """Two browsers: a learner's notebook card, and the trainer's board; from flag to hint to look to done."""
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    stage = staged(colours)
    with opened(tmp_path / "board.sqlite") as board, open_context(browser, color_scheme=colours) as context:
        joined(board, "ada", tmp_path / "state" / "board").note("machine", machine="web", state="running", image="lab")
        joined(board, "bob", tmp_path / "bob")
        card = stage.mount(fk.check("00-name").page).root
        page = context.new_page()
        log_in(page, board.url)
        card.get_by_role("button", name="I need help").click()
        row = page.locator("#rows tr").nth(0)
        expect(row).to_contain_text("ada")
        expect(row).to_contain_text("◆ needs help")
        row.get_by_role("button", name="I am coming: ada").click()
        expect(card).to_contain_text("a helper saw it: a helper is coming")

        row.get_by_role("button", name="Hint: ada").press("Enter")
        dialog = page.get_by_role("dialog", name="A hint for ada")
        expect(dialog.get_by_label("Shown beside")).to_have_value("00-name")
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        row.get_by_role("button", name="Hint: ada").press("Enter")
        dialog.get_by_label("Text").fill("happy to help: a picture of p")  # p is a key of the page elsewhere
        dialog.get_by_label("A config for the file").fill("../x")
        dialog.get_by_label("The config").fill("variant: flatcar\nversion: 1.1.0\n")
        dialog.get_by_role("button", name="Send").click()
        expect(dialog.get_by_role("alert")).to_contain_text('the file "../x"; expected a plain name')
        page.evaluate(f"() => {{ {axe} }}")
        keep_screenshot(page, f"board-hint-{colours}")
        assert serious_faults(page, axe, "body") == []
        dialog.get_by_label("A config for the file").fill("first.bu")
        dialog.get_by_role("button", name="Send").click()
        expect(dialog).to_be_hidden()
        expect(card.get_by_role("list", name="Hints of the trainer")).to_contain_text("happy to help: a picture of p")
        expect(card.get_by_role("region", name="the trainer's change to first.bu")).to_contain_text("+version: 1.1.0")
        card.get_by_role("list", name="Hints of the trainer").scroll_into_view_if_needed()
        expect(row).to_contain_text("✓ shown just now")
        heights = page.locator("#rows tr").evaluate_all("rows => rows.map((row) => row.offsetHeight)")
        assert len(set(heights)) == 1, "a receipt makes no row higher: 30 of them are on a page"
        keep_screenshot(page, f"board-receipt-{colours}")

        page.get_by_role("button", name="To all seats").click()
        dialog = page.get_by_role("dialog", name="To all seats")
        dialog.get_by_label("Text").fill("we look at it together")
        dialog.get_by_label("With a link to a notebook").select_option("00-start")
        dialog.get_by_label("At the step").select_option(label="3: A first machine")
        keep_screenshot(page, f"board-all-{colours}")
        dialog.get_by_role("button", name="Pause here").click()
        expect(page.get_by_text("All seats see: pause here: we look at it together")).to_be_visible()
        expect(card).to_contain_text("The trainer: pause here: we look at it together")
        keep_screenshot(page, f"board-pause-{colours}")
        assert serious_faults(page, axe, "body") == []
        page.get_by_role("button", name="To all seats").click()
        dialog.get_by_role("button", name="Go on").click()
        expect(page.get_by_text("All seats see")).to_be_hidden()
        expect(card).not_to_contain_text("pause here", use_inner_text=True)

        look_together(page, card, axe, colours)
        if colours == "light":
            verb_by_consent(page, card, monkeypatch)

        row.get_by_role("button", name="Done: ada").click()
        expect(card.get_by_role("button", name="I need help")).to_have_attribute("aria-pressed", "false")
        expect(page.locator("#rows tr").filter(has_text="ada")).not_to_contain_text("needs help")
        seat._sender.stop()  # type: ignore[union-attr]
    lines = [text for _, text in TalkLog(tmp_path / "state" / "board").read().lines]
    assert lines == [
        "your flag: help",
        "a helper: a helper is coming",
        "a hint for 00-name: happy to help: a picture of p (with first.bu)",
        "the trainer sees that the hint was shown",
        'to all: pause here: we look at it together (00-start, under "A first machine")',
        "to all: go on",
        "the trainer asks to look at what your cells and terminals show",
        "you refused it",
        "the trainer asks to look at what your cells and terminals show",
        "you allowed it: the trainer sees what your cells and terminals show, for 5 min",
        "you ended the look",
        *(REWOUND if colours == "light" else []),
        "a helper took your flag down",
    ]


def test_a_page_whose_board_was_started_again_says_so(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "board.sqlite"
    with open_context(browser) as context:
        page = context.new_page()
        with opened(file) as board:
            port = board.port
            page.goto(f"{board.url}/")
            page.get_by_label("Trainers' password").fill("a guess")
            page.keyboard.press("Enter")
            expect(page.get_by_role("alert")).to_have_text("This is not the trainers' password.")
            log_in(page, board.url)
            joined(board, "ada", tmp_path / "ada")
            page.get_by_role("button", name="Hint: ada").click()
            page.get_by_label("Text", exact=True).fill("look at the console")
        expect(page.get_by_text("The board does not answer.")).to_be_visible()
        page.get_by_role("button", name="Send").click()
        expect(page.locator("#refused")).to_have_text("the board does not answer")
        page.get_by_role("button", name="Cancel").click()
        page.get_by_role("button", name="Look: ada").click()
        page.get_by_role("button", name="Ask to look").click()
        expect(page.locator("#watch-refused")).to_have_text("the board does not answer")
        page.get_by_role("button", name="Close").click()
        with opened(file, port=port) as board:
            expect(page.get_by_text("This page is logged out")).to_be_visible()
            expect(page.get_by_text("The board does not answer.")).to_be_hidden()
            page.get_by_role("link", name="Log in").click()
            type_password(page)
            expect(page.locator("#rows tr")).to_have_count(1)


def test_the_login_accuses_nobody_before_its_style_is_there(browser: Browser, tmp_path: Path) -> None:
    with opened(tmp_path / "board.sqlite") as board, open_context(browser) as context:
        page = context.new_page()
        page.route("**/board.css", lambda route: route.abort())
        page.goto(f"{board.url}/")
        expect(page.get_by_role("button", name="Open the board")).to_be_visible()
        expect(page.get_by_role("alert")).to_have_count(0)


def test_a_page_comes_back_after_a_proxys_error(browser: Browser, tmp_path: Path) -> None:
    """A browser ends its stream at such an answer."""
    with opened(tmp_path / "board.sqlite") as board, open_context(browser) as context:
        page = context.new_page()
        log_in(page, board.url)
        expect(page.get_by_text("No seat has joined yet")).to_be_visible()
        page.route("**/stream", lambda route: route.fulfill(status=503))
        page.reload()
        expect(page.get_by_text("The board does not answer.")).to_be_visible()
        page.unroute("**/stream")
        expect(page.get_by_text("The board does not answer.")).to_be_hidden()
        expect(page.get_by_text("This page is logged out")).to_be_hidden()


def test_a_page_whose_connection_says_nothing_any_more_says_so(browser: Browser, tmp_path: Path) -> None:
    with opened(tmp_path / "board.sqlite") as board, open_context(browser) as context:
        page = context.new_page()
        page.clock.install()
        log_in(page, board.url)
        expect(page.get_by_text("No seat has joined yet")).to_be_visible()
        page.route("**/stream", lambda route: route.abort())
        page.clock.fast_forward(60_000)
        expect(page.get_by_text("The board does not answer.")).to_be_visible()
        page.unroute("**/stream")
        page.clock.fast_forward(60_000)
        expect(page.get_by_text("The board does not answer.")).to_be_hidden()


def test_a_small_screen_shows_each_rows_buttons_and_each_bar_its_count(browser: Browser, tmp_path: Path) -> None:
    with opened(tmp_path / "board.sqlite") as board, open_context(browser) as context:
        for number in range(24):
            journal = joined(board, f"rehearsal-{number:02}", tmp_path / str(number))
            journal.note("step", notebook="03-immutable", step=19, steps=21)
            journal.note("machine", machine="updates", state="running", image="lab image 110.2.0")
            journal.note("prediction", task="03-predict", question=1, choice=int(number > 15))
            for _ in range(4 if number == 7 else 1):
                journal.note("check", task="03-remount-again", verdict="wrong")
            if number == 3:
                journal.note(
                    "flag", flag="help", word="the machine does not come back after the update, and I have waited"
                )
            Sender(journal).flush()
        page = context.new_page()
        log_in(page, board.url)
        expect(page.locator("#rows tr")).to_have_count(24)
        widths = [box["width"] for bar in page.locator("#questions .bar").all() if (box := bar.bounding_box())]
        assert widths[0] == pytest.approx(2 * widths[1], rel=0.02), "16 answers, and 8"
        for width in (1280, 900, 853, 640):
            page.set_viewport_size({"width": width, "height": 700})
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"at {width} px"
            keep_screenshot(page, f"board-{width}")


def test_the_keys_stay_at_a_row_that_moves(browser: Browser, tmp_path: Path) -> None:
    with opened(tmp_path / "board.sqlite") as board, open_context(browser) as context:
        journals = [joined(board, name, tmp_path / name) for name in ("ada", "bob", "eve")]
        page = context.new_page()
        log_in(page, board.url)
        expect(page.locator("#rows tr")).to_have_count(3)
        mine = page.get_by_role("button", name="Hint: bob")
        mine.focus()
        for flag, place in (("help", 0), ("done", 2)):
            journals[1].note("flag", flag=flag, word="")
            Sender(journals[1]).flush()
            expect(page.locator("#rows tr").nth(place)).to_contain_text("bob")
            expect(mine).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog", name="A hint for bob")).to_be_visible()


def test_rows_stay_while_somebody_points_at_them(browser: Browser, tmp_path: Path) -> None:
    with opened(tmp_path / "board.sqlite") as board, open_context(browser) as context:
        journals = [joined(board, name, tmp_path / name) for name in ("ada", "bob")]
        page = context.new_page()
        log_in(page, board.url)
        rows = page.locator("#rows tr")
        expect(rows).to_have_count(2)
        page.get_by_role("button", name="Hint: ada").hover()
        # A clock of the page that stands still: the pointer has just moved, however slow this host is.
        page.evaluate("() => { const now = Date.now(); Date.now = () => now; }")
        page.get_by_role("button", name="Look: ada").hover()
        journals[1].note("flag", flag="help", word="mine")
        Sender(journals[1]).flush()
        joined(board, "eve", tmp_path / "eve")
        expect(rows).to_have_count(3)
        expect(rows.nth(0)).to_contain_text("ada")
        expect(rows.nth(1)).to_contain_text("mine")
        page.mouse.move(0, 0)
        journals[1].note("flag", flag="help", word="still mine")
        Sender(journals[1]).flush()
        expect(rows.nth(0)).to_contain_text("still mine")
