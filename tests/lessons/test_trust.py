"""A notebook that flatkit lays out is trusted by its user's Jupyter; a changed one, or what is none, is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from flatkit.lessons.layout import trust

nbformat = pytest.importorskip("nbformat")
sign = pytest.importorskip("nbformat.sign")


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    path = tmp_path / "lesson.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 + 1")]), path)
    return path


def is_trusted(path: Path) -> bool:
    notary = sign.NotebookNotary()
    try:
        return bool(notary.check_signature(nbformat.read(path, as_version=4)))
    finally:
        notary.store.close()


def test_a_notebook_is_signed_until_it_is_changed(notebook: Path) -> None:
    assert not is_trusted(notebook)
    assert trust(notebook)
    assert is_trusted(notebook)
    notebook.write_text(notebook.read_text().replace("1 + 1", "1 + 2"))
    assert not is_trusted(notebook)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"nbformat": 99}', "\0"])
def test_what_is_no_notebook_is_not_trusted(notebook: Path, text: str) -> None:
    notebook.write_text(text)
    assert not trust(notebook)


def test_a_missing_file_or_a_folder_without_rights_raises_nothing(
    notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not trust(tmp_path / "none.ipynb")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "file"))
    assert not trust(notebook)
