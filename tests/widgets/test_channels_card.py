"""The table of channels: what the server's book says, kept up to date, in text and on the page alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import flatkit as fk
from flatkit.errors import HostError, UsageError
from flatkit.updates.channels import Channels
from flatkit.updates.omaha import FLATCAR_APPID, AppRequest, UpdateEvent
from flatkit.updates.server import UpdateServer
from flatkit.widgets import channels_card
from flatkit.widgets.channels_card import ChannelsCard


@pytest.fixture
def payload(folder: Path) -> Path:
    file = folder / "payload.bin"
    file.write_bytes(b"x" * 100)
    return file


def test_a_notebook_has_one_table(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels_card, "_card", None)
    assert fk.channels() is fk.channels()
    assert "no machine has asked yet" in repr(fk.channels())
    assert "fk.channels().serve() starts one" in repr(fk.channels())
    with pytest.raises(UsageError, match="no channel offers anything yet") as raised:
        fk.channels().promote("beta", to="stable")
    assert "serve()" in raised.value.hint
    with pytest.raises(HostError) as caught:
        _ = fk.channels().url
    assert caught.value.hint == "fk.channels().serve()"


def test_what_is_promoted_and_who_asked_is_shown(folder: Path, payload: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    channels = Channels(store=folder / "book.json")
    card = ChannelsCard(channels)
    with UpdateServer(channels=channels) as server:
        server.publish("beta", version="120.1.0", payload=payload)
        card.promote("beta", to="stable")
        assert channels.releases["stable"].version == "120.1.0"
    channels.answer(
        AppRequest(appid=FLATCAR_APPID, version="110.2.0", track="stable", machine_id="m1", is_update_check=True)
    )
    later = channels.machines[0].last_seen + 20
    monkeypatch.setattr(channels_card.time, "time", lambda: later)
    shown = card.state()
    assert {"channel": "stable", "version": "120.1.0"} in shown["offers"]
    assert [(one["version"], one["seen"]) for one in shown["machines"]] == [("110.2.0", "15 s ago")]
    assert "110.2.0" in repr(card)


def test_a_release_that_there_is_not(folder: Path) -> None:
    card = ChannelsCard(Channels(store=folder / "book.json"))
    with pytest.raises(UsageError, match='"lab-none"'):
        card.serve(port=0, stable="lab-none")
    assert card.url.startswith("http://10.0.2.2:")
    card.stop()
    card.stop()


def test_a_port_that_is_taken_is_freed_by_the_notebook_that_serves(folder: Path) -> None:
    with UpdateServer() as other:
        with pytest.raises(HostError, match="already in use") as caught:
            ChannelsCard(Channels(store=folder / "book.json")).serve(port=other.port, stable="lab-none")
        assert "fk.clean() in the notebook that serves" in caught.value.hint


def ask(channels: Channels, version: str, *, track: str = "stable", machine_id: str = "a" * 32) -> None:
    channels.answer(
        AppRequest(appid=FLATCAR_APPID, version=version, track=track, machine_id=machine_id, is_update_check=True)
    )


def test_what_has_changed_since_it_was_shown_is_marked(shell: Any, folder: Path, payload: Path) -> None:
    channels = Channels(store=folder / "book.json")
    shell.user_ns["card"] = card = ChannelsCard(channels)
    with UpdateServer(channels=channels) as server:
        server.publish("stable", version="110.2.0", payload=payload)
        server.publish("beta", version="120.1.0", payload=payload)
    ask(channels, "110.2.0")
    shell.run_cell("card", store_history=True).raise_error()
    assert "was" not in str(card.state())
    card.promote("beta", to="stable")
    ask(channels, "120.1.0", track="beta")
    shell.run_cell("card", store_history=True).raise_error()
    state = card.state()
    assert {"channel": "stable", "version": "120.1.0 (was 110.2.0)"} in state["offers"]
    assert (state["machines"][0]["follows"], state["machines"][0]["version"]) == (
        "beta (was stable)",
        "120.1.0 (was 110.2.0)",
    )
    assert "changed: aaaaaaaa runs 120.1.0 (was 110.2.0)" in repr(card)
    (kept,) = shell.shown.kept.values()
    assert "s ago" not in kept, "it would be stored anew every second"
    shell.run_cell("card", store_history=True).raise_error()
    assert "was" not in str(card.state())


def test_a_machine_of_this_notebook_is_shown_by_its_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Machine:
        name, state = "updates", "running"

        def run(self, command: str) -> str:
            asked.append(command)
            return "a" * 32 + "\n"

    channels = Channels(store=folder / "book.json")
    card = ChannelsCard(channels)
    with monkeypatch.context() as patched:
        patched.setattr(channels_card.live_machine, "held", lambda: [Machine()])
        card.learn_names()
        assert asked == [], "nobody is in the table"
        ask(channels, "110.2.0")
        card.learn_names()
        card.learn_names()
    assert asked == ["cat /etc/machine-id"]
    assert card.state()["machines"][0]["name"] == "updates"
    assert "aaaaaaaa is updates" in repr(card)


def test_a_machine_that_failed_and_asks_as_it_should_has_recovered(folder: Path) -> None:
    channels = Channels(store=folder / "book.json")
    card = ChannelsCard(channels)
    ask(channels, "110.2.0")
    failed = AppRequest(
        appid=FLATCAR_APPID, version="110.2.0", track="stable", machine_id="a" * 32,
        events=(UpdateEvent(type=3, result=0, error_code=34),),
    )  # fmt: skip
    channels.answer(failed)
    assert card.state()["machines"][0]["state"] == "✗ failed"
    ask(channels, "110.2.0")
    ask(channels, "110.2.0")
    assert card.state()["machines"][0]["state"] == "✓ recovered"
    ask(channels, "120.1.0")
    assert card.state()["machines"][0]["state"] == "✓ current"
