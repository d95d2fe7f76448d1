"""The names of `import flatkit as fk`, and how little the import costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import flatkit as fk
from flatkit.errors import UsageError
from flatkit.widgets.channels_card import ChannelsCard
from flatkit.widgets.check_card import CheckCard, QuizCard
from flatkit.widgets.editor import Editor
from flatkit.widgets.live_machine import LiveMachine
from flatkit.widgets.player import Player


def test_the_face_holds_exactly_these_names() -> None:
    assert fk.__all__ == ["channels", "check", "clean", "course", "doctor", "editor", "glossary", "play", "up"]
    assert fk.__all__ == sorted(fk.__all__)
    for name in fk.__all__:
        held = getattr(fk, name)
        assert callable(held)
        assert held.__doc__
    assert set(fk.__all__) <= set(dir(fk))


@pytest.mark.parametrize("held", [LiveMachine, Player, CheckCard, QuizCard, ChannelsCard, Editor])
def test_what_a_person_holds_explains_itself(held: type) -> None:
    """What completion offers after `m.` has a sentence each."""
    names = [name for name in dir(held) if not name.startswith("_")]
    assert names
    silent = [name for name in names if not (getattr(held, name).__doc__ or "").strip()]
    assert silent == []


def test_a_demo_of_several_machines_takes_none_of_yours(folder: Path) -> None:
    with pytest.raises(UsageError, match="needs several machines") as caught:
        fk.play("identical", LiveMachine("web"))
    assert caught.value.hint == 'fk.play("identical")'


def test_the_import_brings_nothing_heavy() -> None:
    code = "import sys; before = set(sys.modules); import flatkit; print(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert (
        loaded & {"IPython", "ipywidgets", "libvirt", "paramiko", "yaml", "asyncio", "traitlets", "subprocess"} == set()
    )


def test_the_names_come_without_a_notebook() -> None:
    code = "import flatkit as fk, sys; fk.up, fk.play; print('IPython' in sys.modules, 'ipywidgets' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_the_doctor_shows_itself_in_text_and_html() -> None:
    card = fk.doctor()
    assert "python" in repr(card)
    assert "can boot machines" in repr(card) or "cannot boot machines" in repr(card)
    assert "<table>" in card._repr_html_()
    assert card.ok == card.examination.ok


def test_a_sick_host_shows_the_fix() -> None:
    from flatkit.host import Examination, Health, HostCheck
    from flatkit.widgets.info_cards import DoctorCard

    check = HostCheck(name="libvirt", state=Health.FAIL, found="<none>", why="machines need it", fix="make setup")
    card = DoctorCard(examination=Examination(checks=(check,)))
    assert not card.ok
    assert "make setup" in repr(card)
    page = card._repr_html_()
    assert "<code>make setup</code>" in page
    assert "&lt;none&gt;" in page
    assert "✗" in page
