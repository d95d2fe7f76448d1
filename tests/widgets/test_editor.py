"""The editor: judged and saved on every change, and no text is ever lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from notebook_parts import CONFIG

import flatkit as fk
from flatkit import paths
from flatkit.errors import InputError
from flatkit.widgets.editor_view import EditorView

EXAMPLE = (paths.examples_dir() / "web.bu").read_text(encoding="utf-8")


def test_a_new_file_starts_as_the_example(folder: Path) -> None:
    editor = fk.editor("web.bu")
    assert editor.text == EXAMPLE
    assert (folder / "web.bu").read_text(encoding="utf-8") == EXAMPLE
    assert "example" in editor.note
    assert editor.ok
    assert "✓ web.bu" in repr(editor)


def test_a_name_without_an_example_starts_small(folder: Path) -> None:
    editor = fk.editor("own.bu")
    assert editor.ok
    assert not editor.has_example
    with pytest.raises(InputError, match="no example"):
        editor.reset()


def test_what_is_there_is_loaded_and_not_touched(folder: Path) -> None:
    (folder / "web.bu").write_text(CONFIG)
    assert fk.editor("web.bu").text == CONFIG
    assert not (folder / "web.bu~").exists()


def test_typing_is_judged_and_saved(folder: Path) -> None:
    (folder / "web.bu").write_text(CONFIG)
    editor = fk.editor("web.bu")
    view = EditorView(editor)
    editor._view = view
    view.area.value = CONFIG + "oops: 1\n"
    assert (folder / "web.bu").read_text() == CONFIG + "oops: 1\n"
    assert "line 8, column 1" in view.report.value
    assert "oops" in view.report.value
    view.area.value = "variant: flatcar\nversion: [\n"
    assert not editor.ok
    assert "no Ignition" in view.preview.value
    assert "✗" in view.verdict.value
    view.area.value = CONFIG
    assert "/etc/hostname" in view.preview.value
    assert "saved" in view.verdict.value


def test_the_same_file_has_one_editor_which_follows_it(folder: Path) -> None:
    (folder / "web.bu").write_text(CONFIG)
    editor = fk.editor("web.bu")
    assert fk.editor(str(folder / "web.bu")) is editor
    (folder / "web.bu").write_text("# elsewhere\n" + CONFIG)
    assert fk.editor("web.bu").text == "# elsewhere\n" + CONFIG


def test_a_file_changed_elsewhere_is_not_overwritten(folder: Path) -> None:
    file = folder / "web.bu"
    file.write_text(CONFIG)
    editor = fk.editor("web.bu")
    view = EditorView(editor)
    editor._view = view
    file.write_text("# theirs\n" + CONFIG)
    view.area.value = "# mine\n" + CONFIG
    assert file.read_text() == "# theirs\n" + CONFIG
    assert "not saved" in view.verdict.value
    assert view.keep.layout.display is None
    view.keep.click()
    assert file.read_text() == "# mine\n" + CONFIG
    assert (folder / "web.bu~").read_text() == "# theirs\n" + CONFIG
    assert view.keep.layout.display == "none"


def test_the_other_text_can_be_loaded_instead(folder: Path) -> None:
    file = folder / "web.bu"
    file.write_text(CONFIG)
    editor = fk.editor("web.bu")
    view = EditorView(editor)
    editor._view = view
    file.write_text("# theirs\n" + CONFIG)
    view.area.value = "# mine\n" + CONFIG
    view.load.click()
    assert view.area.value == "# theirs\n" + CONFIG
    assert file.read_text() == "# theirs\n" + CONFIG
    assert (folder / "web.bu~").read_text() == "# mine\n" + CONFIG


def test_reset_asks_first_and_keeps_the_text(folder: Path) -> None:
    file = folder / "web.bu"
    file.write_text(CONFIG)
    editor = fk.editor("web.bu")
    view = EditorView(editor)
    editor._view = view
    view.reset.click()
    assert view.area.value == CONFIG
    assert view.reset_yes.layout.display is None
    view.reset_no.click()
    assert view.reset_yes.layout.display == "none"
    view.reset.click()
    view.reset_yes.click()
    assert view.area.value == EXAMPLE
    assert file.read_text(encoding="utf-8") == EXAMPLE
    assert (folder / "web.bu~").read_text() == CONFIG


def test_a_folder_that_cannot_be_written_loses_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from flatkit.widgets import drafts

    (folder / "web.bu").write_text(CONFIG)
    editor = fk.editor("web.bu")

    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(drafts, "_replace", refuse)
    editor.change("# mine\n" + CONFIG)
    assert editor.text == "# mine\n" + CONFIG
    assert "not saved" in editor.note
    assert "Permission denied" in editor.note


def test_a_file_that_is_no_text_is_refused(folder: Path) -> None:
    (folder / "web.bu").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="no UTF-8"):
        fk.editor("web.bu")


def test_the_editor_displays_with_a_text_twin(shell: Any, folder: Path) -> None:
    (folder / "web.bu").write_text(CONFIG)
    shell.run_cell('fk.editor("web.bu")').raise_error()
    (bundle,) = shell.shown.bundles
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert bundle["text/plain"].startswith("✓ web.bu")
