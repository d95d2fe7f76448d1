"""What every card has in common: its state on the page, escaped; its verbs from the page; shown once in a cell."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest

import flatkit as fk
from flatkit.errors import MachineError
from flatkit.testing.front import FakeFront
from flatkit.widgets import display, html
from flatkit.widgets.card import STATIC, Card, page_type


class Counter(Card):
    """Counts; refuses to go below zero."""

    bundle = "player"
    quiet = frozenset({"look"})

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.said = ""

    def state(self) -> Mapping[str, Any]:
        refusal = self.refusal.message if self.refusal else ""
        return {"count": self.count, "rows": [{"said": self.said}], "refusal": refusal}

    def verbs(self) -> Mapping[str, Callable[..., object]]:
        return {"add": self.add, "look": lambda: None}

    def add(self, by: int = 1) -> None:
        if self.count + by < 0:
            raise MachineError("below zero", hint="add more")
        self.count += by

    def as_text(self) -> str:
        return f"count {self.count} {self.said}"


def test_a_verb_changes_what_the_page_shows() -> None:
    card = Counter()
    front = FakeFront(card.page)
    front.send({"verb": "add", "by": 2})
    front.send({"verb": "add"})
    assert [sent.state["state"]["count"] for sent in front.take()] == [2, 3]
    card.draw()
    assert front.take() == [], "a state that did not change is not sent"


def test_a_refusal_is_shown_until_the_next_verb_of_the_user() -> None:
    card = Counter()
    front = FakeFront(card.page)
    front.send({"verb": "add", "by": -1})
    assert card.page.state["refusal"] == "below zero"
    front.send({"verb": "look"})
    assert card.page.state["refusal"] == "below zero", "the page's own look leaves it in sight"
    front.send({"verb": "add"})
    assert (card.page.state["refusal"], card.count) == ("", 1)


@pytest.mark.parametrize("message", [None, [], "add", {}, {"verb": None}, {"verb": ["add"]}, {"verb": "__init__"}])
def test_a_message_that_is_no_verb_does_nothing(message: Any) -> None:
    card = Counter()
    front = FakeFront(card.page)
    front.send(message)
    assert (card.count, front.take()) == (0, [])


def test_hidden_characters_in_a_state_are_made_visible_at_every_depth() -> None:
    card = Counter()
    card.said = "\x1b]0;title\x07 \u202egnp.exe\nsecond line"
    assert card.page.state["rows"] == [{"said": r"\x1b]0;title\x07 \u202egnp.exe" + "\nsecond line"}]
    card.said = "\x9b2J"
    card.draw()
    assert card.page.state["rows"] == [{"said": r"\x9b2J"}]
    assert "\x9b" not in repr(card)


def test_a_page_cannot_change_the_state_of_its_card() -> None:
    card = Counter()
    front = FakeFront(card.page)
    front.set(state={"count": 99})
    front.send({"verb": "add"})
    assert card.count == 1
    assert card.page.state["count"] == 1


def test_a_cell_shows_a_card_once_with_its_text(shell: Any) -> None:
    shell.user_ns["card"] = card = Counter()
    shell.run_cell("card.display()\ncard", store_history=True).raise_error()
    (bundle,) = shell.shown.bundles
    assert bundle["text/plain"].startswith("count 0")
    shell.run_cell("card", store_history=True).raise_error()
    first, second = (one["application/vnd.jupyter.widget-view+json"] for one in shell.shown.bundles)
    assert first == second, "the next cell shows the same page"
    assert card.page.comm is not None


def test_every_bundle_has_a_page_of_its_own() -> None:
    names = {file.stem for file in STATIC.glob("*.js")}
    assert {file.stem for file in STATIC.glob("*.css")} == names
    pages = {name: page_type(name) for name in names}
    ids = {name: page({}, print).get_state()["_anywidget_id"] for name, page in pages.items()}
    assert ids == {name: f"flatkit.widgets.card.{name.title()}Page" for name in names}, "a style sheet each"
    assert all(page_type(name) is page for name, page in pages.items())


def test_the_text_of_a_shown_card_is_stored_and_kept_up_to_date(shell: Any) -> None:
    shell.run_cell('card = fk.check("00-recap")\ncard').raise_error()
    (ident,) = shell.shown.kept
    assert "Your answers are kept." in shell.shown.kept[ident]
    assert "right:" not in shell.shown.kept[ident]
    shell.user_ns["card"].answer(1, "b")
    assert list(shell.shown.kept) == [ident], "replaced, not added"
    assert "&gt; b  One image" in shell.shown.kept[ident]
    shell.run_cell('fk.check("00-name")').raise_error()
    assert len(shell.shown.kept) == 2
    card = fk.check("00-name")
    (other,) = set(shell.shown.kept) - {ident}
    before = shell.shown.kept[other]
    card.verbs()["hint"]()  # type: ignore[union-attr]
    card.wait(60)  # type: ignore[union-attr]
    assert shell.shown.kept[other] != before


def test_a_stored_text_is_escaped_and_short() -> None:
    text = html.kept("<script>x</script>\u202e", "<b>")
    assert "<script>" not in text
    assert "<b>" not in text
    assert "\u202e" not in text


def test_a_cell_that_captures_its_outputs_takes_none_of_another_threads(shell: Any) -> None:
    """`%%capture` replaces the notebook's publisher for the time of its cell; a card's work may end in that time."""
    shell.run_cell('card = fk.check("00-name")\ncard').raise_error()
    ((ident, before),) = shell.shown.kept.items()
    shell.run_cell('%%capture captured\ncard.verbs()["hint"]()\ncard.wait(120)\nprint("mine")').raise_error()
    assert shell.shown.kept[ident] != before
    assert (shell.user_ns["captured"].outputs, shell.user_ns["captured"].stdout) == ([], "mine\n")


def test_a_name_that_a_cell_adds_meanwhile_ends_no_search_for_a_variable(shell: Any) -> None:
    value = object()

    class Name(str):
        __slots__ = ()

        def startswith(self, *_: Any) -> bool:
            shell.user_ns[f"new_{len(shell.user_ns)}"] = 1  # the cell, in the main thread
            return False

    shell.user_ns[Name("machine")] = value
    shell.user_ns["last"] = 1
    assert display.variable_of(value) == "machine"


def test_a_change_while_a_card_is_being_shown_is_stored_after_it(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    card, keep = Counter(), display.keep

    def change() -> None:
        card.count = 1
        card.draw()

    def keep_later(*words: Any, **more: Any) -> None:
        if not more:
            other.start()
            other.join(1)  # with the fix it waits for this thread
        keep(*words, **more)

    other = threading.Thread(target=change)
    monkeypatch.setattr(display, "keep", keep_later)
    shell.user_ns["card"] = card
    shell.run_cell("card").raise_error()
    other.join(120)
    (text,) = shell.shown.kept.values()
    assert "count 1" in text
