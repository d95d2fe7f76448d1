"""The editor's Python side: checked and saved on every change, no text is ever lost, and none is sent back to who types."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from notebook_parts import CONFIG

import flatkit as fk
from flatkit import paths
from flatkit.errors import InputError
from flatkit.testing.front import FakeFront
from flatkit.widgets.editor import Editor

EXAMPLE = (paths.examples_dir() / "web.bu").read_text(encoding="utf-8")


def test_a_new_file_starts_as_the_example(folder: Path) -> None:
    editor = fk.editor("web.bu")
    assert editor.text == EXAMPLE
    assert (folder / "web.bu").read_text(encoding="utf-8") == EXAMPLE
    assert "new; it starts as its lesson starts" in editor.note
    assert editor.ok
    assert "✓ web.bu" in repr(editor)


def test_a_name_without_an_example_starts_small(folder: Path) -> None:
    editor = fk.editor("own.bu")
    assert editor.ok
    assert editor.start is None
    with pytest.raises(InputError, match="no start"):
        editor.reset()


def test_a_name_without_its_suffix_is_said_to_be_another_file(folder: Path) -> None:
    assert "without .bu: first.bu is another file" in fk.editor("first").note
    assert fk.editor("own.bu").note == ""


def test_what_is_there_is_loaded_and_not_touched(folder: Path) -> None:
    (folder / "web.bu").write_text(CONFIG)
    assert fk.editor("web.bu").text == CONFIG
    assert not (folder / "web.bu~").exists()


class Page:
    """What a page does, with the real view behind it."""

    def __init__(self, editor: Editor, name: str = "one") -> None:
        self.front = FakeFront(editor.page)
        self.name = name
        self.seq = 0

    def edit(self, text: str) -> dict[str, Any]:
        """Type: all that is answered, by kind."""
        self.seq += 1
        return self.ask("edit", seq=self.seq, text=text)

    def ask(self, verb: str, **more: Any) -> dict[str, Any]:
        self.front.send({"verb": verb, "page": self.name, **more})
        return {said["kind"]: said for said in self.front.said()}


@pytest.fixture
def page(folder: Path) -> Page:
    (folder / "web.bu").write_text(CONFIG)
    return Page(fk.editor("web.bu"))


def test_typing_is_checked_and_saved(folder: Path, page: Page) -> None:
    said = page.edit(CONFIG + "oops: 1\n")
    assert (folder / "web.bu").read_text() == CONFIG + "oops: 1\n"
    entry = said["checked"]["report"][0]
    assert (entry["kind"], entry["span"]["line"], entry["span"]["column"]) == ("warning", 8, 1)
    assert "oops" in entry["message"]
    said = page.edit("variant: flatcar\nversion: [\n")
    assert not said["checked"]["ok"]
    assert said["checked"]["report"][0]["kind"] == "error"
    assert "json" not in said["became"]
    said = page.edit(CONFIG)
    assert said["checked"]["ok"]
    assert said["checked"]["note"] == "saved"
    assert "/etc/hostname" in said["became"]["json"]
    assert not fk.editor("web.bu").translation.failure


def test_a_text_is_never_sent_back_to_who_types(page: Page) -> None:
    page.seq += 1
    page.front.send({"verb": "edit", "page": "one", "seq": 1, "text": CONFIG + "# more\n"})
    sent = page.front.take()
    assert [message.state for message in sent if message.state] == []
    assert [message.content["kind"] for message in sent] == ["checked", "became"]
    assert not any("text" in message.content for message in sent)


def test_an_older_text_does_not_come_after_a_newer_one(folder: Path, page: Page) -> None:
    page.ask("edit", seq=2, text="# newer\n" + CONFIG)
    assert page.ask("edit", seq=1, text="# older\n" + CONFIG) == {}
    assert (folder / "web.bu").read_text() == "# newer\n" + CONFIG


def test_messages_on_several_threads_leave_one_truth(folder: Path, page: Page) -> None:
    """As from two tabs, each handled on a thread of its own."""

    def type_in(name: str) -> None:
        for seq in range(1, 26):
            text = f"# {name} {seq}\n" + CONFIG
            page.front.send({"verb": "edit", "page": name, "seq": seq, "text": text})

    threads = [threading.Thread(target=type_in, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    editor = fk.editor("web.bu")
    assert (folder / "web.bu").read_text() == editor.text
    assert editor.text.split("\n")[0] in ("# one 25", "# two 25")
    checked = [said for said in page.front.said() if said["kind"] == "checked"]
    assert len(checked) == 50
    assert f"# {checked[-1]['page']} {checked[-1]['seq']}" == editor.text.split("\n")[0]
    assert not (folder / "web.bu~").exists()


def test_answers_name_the_page_and_the_edit(page: Page) -> None:
    page.ask("edit", seq=7, text="# one\n" + CONFIG)
    page.name = "two"
    said = page.ask("edit", seq=1, text="# two\n" + CONFIG)
    assert [(said[kind]["page"], said[kind]["seq"]) for kind in ("checked", "became")] == [("two", 1)] * 2
    page.name = "one"  # it hears of that and follows
    replace = page.ask("sync")["replace"]
    assert (replace["page"], replace["text"]) == ("one", "# two\n" + CONFIG)
    assert replace["edition"] == said["checked"]["edition"]


def test_an_edit_of_a_text_that_another_page_has_replaced_is_asked_about(folder: Path, page: Page) -> None:
    file = folder / "web.bu"
    begun = page.front.widget.get_state()["state"]["edition"]
    one = page.ask("edit", seq=1, on=begun, text="# one\n" + CONFIG)["checked"]
    assert not one["conflict"]
    page.name = "two"  # it has not heard of that
    two = page.ask("edit", seq=1, on=begun, text="# two\n" + CONFIG)["checked"]
    assert two["conflict"]
    assert file.read_text() == "# one\n" + CONFIG
    # It goes on, and still nothing is lost.
    assert page.ask("edit", seq=2, on=two["edition"], text="# two!\n" + CONFIG)["checked"]["conflict"]
    kept = page.ask("keep")["checked"]
    assert not kept["conflict"]
    assert "web.bu~" in kept["note"]
    assert (file.read_text(), (folder / "web.bu~").read_text()) == ("# two!\n" + CONFIG, "# one\n" + CONFIG)
    assert not page.ask("edit", seq=3, on=kept["edition"], text="# three\n" + CONFIG)["checked"]["conflict"]
    assert file.read_text() == "# three\n" + CONFIG


def test_the_same_text_typed_on_two_pages_is_no_conflict(folder: Path, page: Page) -> None:
    page.ask("edit", seq=1, on=0, text="# one\n" + CONFIG)
    page.name = "two"
    assert not page.ask("edit", seq=1, on=0, text="# one\n" + CONFIG)["checked"]["conflict"]
    assert (folder / "web.bu").read_text() == "# one\n" + CONFIG


def test_what_is_typed_while_another_program_s_text_arrives_is_asked_about(folder: Path, page: Page) -> None:
    (folder / "web.bu").write_text("# theirs\n" + CONFIG)
    assert page.ask("look")["replace"]["text"] == "# theirs\n" + CONFIG
    assert page.ask("edit", seq=1, on=0, text="# mine\n" + CONFIG)["checked"]["conflict"]
    page.ask("load")
    assert (folder / "web.bu").read_text() == "# theirs\n" + CONFIG
    assert (folder / "web.bu~").read_text() == "# mine\n" + CONFIG


def test_a_page_that_comes_later_starts_with_what_is_typed(page: Page) -> None:
    page.edit("# typed\n" + CONFIG)
    assert page.front.widget.get_state()["state"]["text"] == "# typed\n" + CONFIG
    assert page.ask("hello", seq=0)["checked"]["ok"]


def test_each_line_of_the_ignition_knows_its_source(page: Page) -> None:
    became = page.edit(CONFIG)["became"]
    lines = became["json"].split("\n")
    sources = {lines[number - 1].strip(): rest for number, *rest in became["origins"]}
    assert sources['"path": "/etc/hostname",'] == [(5, 13, 5, 26), "path", False]
    assert sources['"source": "data:,web"'] == [(7, 17, 7, 20), "inline", False]
    assert sources['"compression": "",'] == [(7, 17, 7, 20), "inline", True]


def test_the_explanation_and_the_changes_are_made_when_their_tab_is_open(page: Page) -> None:
    assert page.edit(CONFIG)["became"]["more"] == {}
    more = page.ask("hello", seq=1, tab="explain")["became"]["more"]
    (group,) = more["explain"]
    assert group["sentences"][0]["line"] == 5
    assert "/etc/hostname is written" in group["sentences"][0]["text"]
    editor = fk.editor("web.bu")
    assert page.ask("hello", seq=1, tab="changes")["became"]["more"].keys() == {"start"}
    editor.solution = CONFIG.replace("inline: web", "inline: solved")
    more = page.ask("hello", seq=1)["became"]["more"]
    assert [row for row in more["solution"] if row["mark"] in "+-"] == [
        {"mark": "-", "text": "        inline: web"},
        {"mark": "+", "text": "        inline: solved"},
    ]
    assert editor.text == CONFIG


def test_the_end_of_a_solution_is_no_difference(page: Page) -> None:
    fk.editor("web.bu").solution = CONFIG
    assert page.ask("hello", seq=0, tab="changes")["became"]["more"]["solution"] == []


def test_the_same_file_has_one_editor_which_follows_it(folder: Path) -> None:
    (folder / "web.bu").write_text(CONFIG)
    editor = fk.editor("web.bu")
    assert fk.editor(str(folder / "web.bu")) is editor
    (folder / "web.bu").write_text("# elsewhere\n" + CONFIG)
    assert fk.editor("web.bu").text == "# elsewhere\n" + CONFIG


def test_a_file_changed_elsewhere_is_not_overwritten(folder: Path, page: Page) -> None:
    file = folder / "web.bu"
    file.write_text("# theirs\n" + CONFIG)
    checked = page.edit("# mine\n" + CONFIG)["checked"]
    assert file.read_text() == "# theirs\n" + CONFIG
    assert "not saved" in checked["note"]
    assert checked["conflict"]
    said = page.ask("keep")
    assert file.read_text() == "# mine\n" + CONFIG
    assert (folder / "web.bu~").read_text() == "# theirs\n" + CONFIG
    assert not said["checked"]["conflict"]


def test_the_other_text_can_be_loaded_instead(folder: Path, page: Page) -> None:
    file = folder / "web.bu"
    file.write_text("# theirs\n" + CONFIG)
    page.edit("# mine\n" + CONFIG)
    said = page.ask("load")
    assert said["replace"]["text"] == "# theirs\n" + CONFIG
    assert said["replace"]["page"] == ""  # every page
    assert file.read_text() == "# theirs\n" + CONFIG
    assert (folder / "web.bu~").read_text() == "# mine\n" + CONFIG


def test_reset_keeps_the_text_beside(folder: Path, page: Page) -> None:
    said = page.ask("reset")
    assert said["replace"]["text"] == EXAMPLE
    assert (folder / "web.bu").read_text(encoding="utf-8") == EXAMPLE
    assert (folder / "web.bu~").read_text() == CONFIG


def test_a_file_of_an_exercise_has_its_start_and_its_solution(folder: Path) -> None:
    editor = fk.editor("first.bu")
    assert editor.text == editor.start
    assert "inline: first" in editor.text
    assert editor.solution is not None
    assert editor.solution != editor.start


def test_what_a_magic_or_an_exercise_writes_is_followed(folder: Path, page: Page) -> None:
    from flatkit.widgets import magics

    page.edit("# mine\n" + CONFIG)
    magics.butane("web.bu", "# cell\n" + CONFIG)
    assert fk.editor("web.bu").text == "# cell\n" + CONFIG
    said = {message["kind"]: message for message in page.front.said()}
    assert said["replace"]["text"] == "# cell\n" + CONFIG
    assert said["checked"]["note"] == "loaded from the file"


def test_a_text_that_is_in_no_file_is_not_replaced(folder: Path, page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    from flatkit.widgets import drafts

    def refuse(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(drafts, "write_atomic", refuse)
        assert "not saved" in page.edit("# mine\n" + CONFIG)["checked"]["note"]
    (folder / "web.bu").write_text("# theirs\n" + CONFIG)
    said = page.ask("look")
    assert said["checked"]["conflict"]
    assert "replace" not in said
    assert fk.editor("web.bu").text == "# mine\n" + CONFIG


def test_the_kernel_may_go_to_another_folder(folder: Path, page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "deeper").mkdir()
    monkeypatch.chdir(folder / "deeper")
    page.edit("# mine\n" + CONFIG)
    assert (folder / "web.bu").read_text() == "# mine\n" + CONFIG
    assert list((folder / "deeper").iterdir()) == []


def test_another_file_of_the_folder_can_be_taken(folder: Path, page: Page) -> None:
    (folder / "own.bu").write_text("# own\n" + CONFIG)
    (folder / "notes.txt").write_text("no")
    assert page.ask("others")["others"]["names"] == ["own.bu"]
    assert page.ask("take", name="own.bu")["take"]["text"] == "# own\n" + CONFIG
    assert (folder / "web.bu").read_text() == CONFIG  # the page puts it in, as an edit
    for name in ("../secret.bu", "notes.txt", "/etc/passwd"):
        said = page.ask("take", name=name)["said"]
        assert not said["ok"]
        assert "there is no Butane file" in said["text"]


def test_a_copy_never_replaces_a_file(folder: Path, page: Page) -> None:
    page.edit("# mine\n" + CONFIG)
    assert page.ask("copy", name="copy")["said"]["text"] == 'a copy is saved as "copy.bu"'
    assert (folder / "copy.bu").read_text() == "# mine\n" + CONFIG
    page.edit(CONFIG)
    assert "already" in page.ask("copy", name="copy.bu")["said"]["text"]
    assert (folder / "copy.bu").read_text() == "# mine\n" + CONFIG
    for name in ("../out.bu", ".hidden", "", "a/b.bu", "a" * 200):
        assert not page.ask("copy", name=name)["said"]["ok"]
    assert sorted(path.name for path in folder.parent.rglob("*.bu")) == ["copy.bu", "web.bu"]


def test_a_folder_that_cannot_be_written_loses_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from flatkit.widgets import drafts

    (folder / "web.bu").write_text(CONFIG)
    editor = fk.editor("web.bu")

    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(drafts, "write_atomic", refuse)
    editor.change("# mine\n" + CONFIG)
    assert editor.text == "# mine\n" + CONFIG
    assert "not saved" in editor.note
    assert "Permission denied" in editor.note


def test_a_file_that_is_no_text_is_refused(folder: Path) -> None:
    (folder / "web.bu").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not UTF-8"):
        fk.editor("web.bu")


def test_running_the_cell_again_makes_no_second_widget(shell: Any, folder: Path) -> None:
    (folder / "web.bu").write_text(CONFIG)
    for _ in range(3):
        shell.run_cell('fk.editor("web.bu")').raise_error()
    ids = {bundle["application/vnd.jupyter.widget-view+json"]["model_id"] for bundle in shell.shown.bundles}
    assert len(ids) == 1


def test_the_editor_displays_with_a_text_twin(shell: Any, folder: Path) -> None:
    (folder / "web.bu").write_text(CONFIG)
    shell.run_cell('fk.editor("web.bu")').raise_error()
    (bundle,) = shell.shown.bundles
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert bundle["text/plain"].startswith("✓ web.bu")
