"""The picture beside a demo's steps: what it draws after each answer, live or recorded."""

from __future__ import annotations

from typing import Any

import pytest

from flatkit.demos import DEMOS
from flatkit.demos.facts import SLOTS, UPDATE, VERSION
from flatkit.events import FactSeen
from flatkit.widgets.moving_picture import MovingPicture

TABLE = """       start        size    part  contents
       266240        4096       3  Label: "USR-A"
                                  Type: Alias for flatcar-rootfs
                                  UUID: 7130C94A-213A-4E5A-8E26-6CCE9662F132
                                  Attr: priority={} tries=0 successful=1
      1318912     1048576       4  Label: "USR-B"
                                  Type: Alias for flatcar-rootfs
                                  UUID: E03DD35C-7C2D-4A47-B3FE-27F15780A57C
                                  Attr: priority={} tries={} successful={}
"""


def see(picture: MovingPicture, number: int, **texts: str) -> None:
    for fact, text in texts.items():
        picture.see(FactSeen(demo="update", number=number, fact=fact, text=text))


def slots(running: str, *bits: int) -> str:
    return f"/dev/{running}\n--flatkit-cut--\n{TABLE.format(*bits)}"


def drawn(picture: MovingPicture) -> dict[str, Any]:
    state = picture.state()
    assert state is not None
    return dict(state)


IDLE = "LAST_CHECKED_TIME=1\nPROGRESS=0.0\nCURRENT_OP=UPDATE_STATUS_IDLE\nNEW_VERSION=0.0.0\nNEW_SIZE=0\n"
STAGED = (
    "LAST_CHECKED_TIME=1\nPROGRESS=1.0\nCURRENT_OP=UPDATE_STATUS_UPDATED_NEED_REBOOT\nNEW_VERSION=2.0.0\nNEW_SIZE=0\n"
)


def test_the_slots_move_as_an_update_is_staged_and_booted():
    picture = MovingPicture(DEMOS["update"])
    assert picture.state() is None
    assert picture.as_text() == ""
    see(picture, 1, slots=slots("vda3", 1, 0, 0, 0), version="1.0.0", update=IDLE)
    first = drawn(picture)
    assert first["kind"] == "slots"
    assert [slot["version"] for slot in first["inside"]["slots"]] == ["1.0.0", ""]
    see(picture, 4, slots=slots("vda3", 1, 2, 1, 0), version="1.0.0", update=STAGED)
    staged = drawn(picture)
    assert staged["inside"]["slots"][1]["version"] == "2.0.0"
    assert "the next boot takes USR-B" in staged["story"]
    see(picture, 6, slots=slots("vda4", 1, 2, 0, 1), version="2.0.0", update=IDLE)
    assert [slot["running"] for slot in drawn(picture)["inside"]["slots"]] == [False, True]
    assert "USR-B 2.0.0: running, marked good" in picture.as_text()


def test_an_answer_that_cannot_be_read_leaves_the_picture():
    picture = MovingPicture(DEMOS["update"])
    see(picture, 1, slots=slots("vda3", 1, 0, 0, 0), version="1.0.0", update=IDLE)
    before = picture.state()
    see(picture, 2, slots="Connection closed", version="", update="")
    see(picture, 3, other="never asked for")
    assert picture.state() == before


def test_channels_are_drawn_with_the_machines_that_follow_them():
    picture = MovingPicture(DEMOS["channels"])
    table = "channel  offers\nbeta     2.0.0\nstable   1.0.0\n\nmachine  group  runs   state    seen\n"
    see(picture, 1, channels=table + "canary   beta   2.0.0  running  1 s ago\n")
    state = drawn(picture)
    assert state["offers"] == [["beta", "2.0.0"], ["stable", "1.0.0"]]
    assert state["machines"] == [{"name": "canary", "group": "beta", "version": "2.0.0", "state": "running"}]
    assert "machine canary follows beta, runs 2.0.0: running" in picture.as_text()


@pytest.mark.parametrize(("offered", "said"), [("1.0.0", "current"), ("2.0.0", "current when it asked last")])
def test_a_machine_is_current_only_while_its_channel_offers_what_it_runs(offered: str, said: str) -> None:
    picture = MovingPicture(DEMOS["channels"])
    table = f"channel  offers\nstable   {offered}\n\nmachine  group   runs   state    seen\n"
    see(picture, 1, channels=table + "web      stable  1.0.0  current  1 s ago\n")
    assert [machine["state"] for machine in drawn(picture)["machines"]] == [said]
    assert f"machine web follows stable, runs 1.0.0: {said}\n" in f"{picture.as_text()}\n"


def test_the_disk_is_drawn_with_when_its_config_was_applied():
    picture = MovingPicture(DEMOS["reset"])
    see(picture, 1, disk="USR-A 512M\nROOT 5G\n--flatkit-cut--\n2026-11-29T12:00:00Z\nid\nid\n")
    state = drawn(picture)
    assert [(part["label"], part["written"]) for part in state["parts"]] == [("USR-A", False), ("ROOT", True)]
    assert "in this boot" in state["story"]
    assert "ROOT 5G: everything else" in picture.as_text()


def test_a_demo_without_a_picture_draws_nothing():
    picture = MovingPicture(DEMOS["immutable"])
    see(picture, 1, **{fact.name: "text" for fact in (SLOTS, UPDATE, VERSION)})
    assert picture.state() is None
