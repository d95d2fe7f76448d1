"""%%butane and %%on in a real IPython shell, what a cell displays, and errors without a traceback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from notebook_parts import CONFIG

from flatkit.errors import FlatkitError
from flatkit.testing.hypervisor import FakeHypervisor
from flatkit.widgets.config_card import ConfigCard


def result_of(shell: Any, cell: str) -> Any:
    done = shell.run_cell(cell)
    done.raise_error()
    return done.result


def test_a_butane_cell_saves_judges_and_summarises(shell: Any, folder: Path) -> None:
    card = result_of(shell, "%%butane web.bu\n" + CONFIG)
    assert isinstance(card, ConfigCard)
    assert card.ok
    assert (folder / "web.bu").read_text() == CONFIG
    assert repr(card).splitlines()[0] == "✓ web.bu is saved: no faults, becomes Ignition 3.3.0"
    assert "1 file: /etc/hostname" in repr(card)
    page = card._repr_html_()
    assert "<details>" in page
    assert "&quot;/etc/hostname&quot;" in page


def test_a_fault_is_shown_at_its_line_and_the_text_is_saved(shell: Any, folder: Path) -> None:
    card = result_of(shell, "%%butane web.bu\n" + CONFIG.replace("inline: web", "inline: web\n      mode: rwx"))
    assert not card.ok
    assert card.ignition is None
    assert "mode: rwx" in (folder / "web.bu").read_text()
    assert repr(card).startswith("✗ web.bu is saved, with 1 fault: correct")
    assert "line 8" in repr(card)
    assert "&gt;   8 |       mode: rwx" in card._repr_html_()


def test_a_text_of_the_learner_is_kept(shell: Any, folder: Path) -> None:
    (folder / "web.bu").write_text("# mine\n")
    card = result_of(shell, "%%butane web.bu\n" + CONFIG)
    assert (folder / "web.bu~").read_text() == "# mine\n"
    assert 'kept as "web.bu~"' in repr(card)
    assert "kept" not in repr(result_of(shell, "%%butane web.bu\n# other\n" + CONFIG))


def test_a_name_without_its_ending_is_noted(shell: Any, folder: Path) -> None:
    assert "web.bu is another file" in repr(result_of(shell, "%%butane web\n" + CONFIG))
    assert (folder / "web").is_file()


def test_a_cell_without_a_name_says_what_is_missing(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    shell.run_cell("%%butane\n" + CONFIG)
    said = " ".join(capsys.readouterr().out.split())
    assert "expected one name" in said
    assert "Next: %%butane web.bu" in said
    assert "Traceback" not in said


@pytest.mark.usefixtures("backend")
def test_on_types_the_cell_on_a_machine(shell: Any, folder: Path, hypervisor: FakeHypervisor) -> None:
    (folder / "web.bu").write_text(CONFIG)
    result_of(shell, 'm = fk.up("web.bu")\nm.wait(120)')
    typed = result_of(shell, "%%on m\nhostname\n")
    # The pretended guest echoes the command line, which holds no marks: nothing was typed there.
    assert typed.commands == ()
    (guest,) = hypervisor.guests.values()
    assert any(command.startswith("bash -c ") for command in guest.commands)
    assert result_of(shell, "%%on web\nhostname\n").commands == ()


def test_on_without_a_machine_says_how_to_get_one(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    shell.run_cell("%%on nobody\nhostname\n")
    said = capsys.readouterr().out
    assert '"nobody" is not a machine' in said
    assert "fk.up" in said


def test_an_error_shows_without_a_traceback(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    done = shell.run_cell('fk.up("none.bu")')
    assert isinstance(done.error_in_exec, FlatkitError)
    said = capsys.readouterr().out
    assert said.startswith('InputError: there is no file "none.bu"')
    assert "Traceback" not in said
    assert "api.py" not in said


@pytest.mark.usefixtures("backend")
def test_the_panel_shows_once_in_a_cell_and_an_await_in_one_line(shell: Any, folder: Path) -> None:
    (folder / "web.bu").write_text(CONFIG)
    shell.run_cell('m = fk.up("web.bu", ports=80)\nm', store_history=True)
    (panel,) = shell.shown.bundles
    assert "application/vnd.jupyter.widget-view+json" in panel
    assert panel["text/plain"].splitlines()[0].startswith("… web: booting")
    done = shell.run_cell("await m", store_history=True)
    done.raise_error()
    (_, line) = shell.shown.bundles
    assert line["text/plain"].startswith("● web: running; ready after")
    assert "application/vnd.jupyter.widget-view+json" not in line
    shell.run_cell("m", store_history=True)
    assert shell.shown.bundles[2]["application/vnd.jupyter.widget-view+json"] == panel[
        "application/vnd.jupyter.widget-view+json"
    ]  # fmt: skip


@pytest.mark.usefixtures("backend")
def test_a_failed_boot_fails_the_cell_that_awaits(
    shell: Any, folder: Path, hypervisor: FakeHypervisor, capsys: pytest.CaptureFixture[str]
) -> None:
    from flatkit.errors import MachineError

    (folder / "web.bu").write_text(CONFIG)
    hypervisor.refusals = [MachineError("no memory", hint="close something")] * 9
    shell.run_cell('m = fk.up("web.bu")')
    done = shell.run_cell("await m")
    assert isinstance(done.error_in_exec, MachineError)
    said = capsys.readouterr().out
    assert "MachineError: no memory" in said
    assert "Next: close something" in said
    assert "Traceback" not in said


def test_a_config_with_warnings_gets_no_tick_and_the_editor_s_help(shell: Any) -> None:
    card = result_of(shell, "%%butane web.bu\n" + CONFIG.replace("inline: web", "inline: web\n      mode: 755"))
    assert card.ok
    text = repr(card)
    assert text.startswith("! web.bu is saved, with 2 warnings: ")
    assert "  >   8 |       mode: 755" in text
    assert "Why: Permissions are three octal digits" in text
    assert "Fix: write 0755" in text
    assert "✓" not in text + card._repr_html_()
    assert '<span class="fk-line">&gt;   8 |       mode: 755</span>' in card._repr_html_()


@pytest.mark.parametrize(
    ("text", "place", "helped"),
    [
        ("variant: flatcar\nversion: 1.1.0\nsystemd: 5\n", "✗ line 3, column 10: ", "write units: below it"),
        ("variant: flatcar\nversion: 1.1.0\nstorage:\n\tfiles: []\n", "✗ line 4, column 1: ", "never with tabs"),
        ("version: 1.1.0\n", "✗ the whole file: ", "Fix: add the variant"),
        ("variant: flatcar\nversion: 1.1.0\nstorag: {}\n", "! line 3, column 1: unused key", "Did you mean storage?"),
    ],
)
def test_each_fault_is_at_its_line_with_advice(shell: Any, text: str, place: str, helped: str) -> None:
    shown = repr(result_of(shell, f"%%butane web.bu\n{text}"))
    assert place in shown
    assert helped in shown
