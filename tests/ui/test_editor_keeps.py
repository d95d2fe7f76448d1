"""The text in the editor is the person's: kernels die, pages are opened twice, files change outside, and nothing is lost."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from editor_page import CONFIG, EditorPage
from playwright.sync_api import BrowserContext, expect
from stage import Stage, wait_until

from flatkit.testing.front import Sent


def test_typing_faster_than_the_answers_loses_nothing(stage: Stage, tmp_path: Path) -> None:
    editor = EditorPage(stage, tmp_path)
    editor.go_to(1)
    typed = "# The quick brown fox jumps over the lazy dog, again and again and again\n"
    editor.type(typed)
    editor.expect_file(typed + CONFIG)


def test_a_kernel_that_is_busy_is_said_and_makes_no_queue(stage: Stage, tmp_path: Path) -> None:
    editor = EditorPage(stage, tmp_path)
    heard: list[str] = []
    send, free = editor.mounted.front.send, threading.Event()
    waiting: list[object] = []

    def later(content: dict[str, str], buffers: object = ()) -> None:
        heard.append(content["verb"])
        if free.is_set():
            send(content)
        else:
            waiting.append(content)

    editor.mounted.front.send = later  # type: ignore[method-assign]
    editor.go_to(1)
    editor.page.keyboard.type("# typed while busy\n")
    # At once, and not when the kernel counts as busy: a cell that is run now reads the file as it was.
    assert editor.root.locator(".fk-saved").inner_text() != "✓ saved"
    expect(editor.root.locator(".fk-saved")).to_have_text("… not saved yet: the kernel is busy with a cell")
    editor.mounted.wait_until_heard()
    assert heard == ["look", "edit"]  # one is on its way, the newest waits on the page
    free.set()
    for content in waiting:
        send(content)
    editor.expect_file("# typed while busy\n" + CONFIG)
    assert heard == ["look", "edit", "edit"]


def test_what_is_typed_after_the_kernel_died_comes_back(context: BrowserContext, tmp_path: Path) -> None:
    editor = EditorPage(Stage(context), tmp_path)
    editor.mounted.kill_kernel()
    expect(editor.root.get_by_text("The kernel has restarted")).to_be_visible()
    editor.go_to(1)
    editor.page.keyboard.type("# typed without a kernel\n")
    expect(editor.root.locator(".fk-saved")).to_contain_text("not saved: kept in this browser")
    assert editor.file.read_text() == CONFIG
    again = EditorPage(Stage(context), tmp_path)  # the cell is run again, or the page is loaded again
    expect(again.text).to_contain_text("# typed without a kernel")
    again.expect_file("# typed without a kernel\n" + CONFIG)


def test_an_answer_that_is_lost_with_the_kernel_is_no_conflict(context: BrowserContext, tmp_path: Path) -> None:
    editor = EditorPage(Stage(context), tmp_path)
    editor.mounted.model("model => { model.receive = () => {}; }")
    editor.go_to(1)
    editor.page.keyboard.type("#")
    editor.wait_for_text("#" + CONFIG)
    editor.mounted.kill_kernel()
    editor.page.keyboard.type(" mine\n")
    again = EditorPage(Stage(context), tmp_path)
    again.expect_file("# mine\n" + CONFIG)


def test_a_draft_of_another_text_is_offered_and_not_put_in(context: BrowserContext, tmp_path: Path) -> None:
    editor = EditorPage(Stage(context), tmp_path)
    editor.mounted.kill_kernel()
    editor.go_to(1)
    editor.page.keyboard.type("# mine\n")
    editor.file.write_text("# theirs\n" + CONFIG)
    again = EditorPage(Stage(context), tmp_path)
    expect(again.text).not_to_contain_text("# mine")
    again.root.get_by_role("button", name="Put my text back").click()
    again.expect_file("# mine\n" + CONFIG)
    again.page.keyboard.press("Control+z")
    again.expect_file("# theirs\n" + CONFIG)


def test_two_views_of_one_editor_stay_alike(stage: Stage, tmp_path: Path) -> None:
    editor = EditorPage(stage, tmp_path)
    editor.mounted.show_again()
    texts = stage.page.get_by_role("textbox", name="Butane config web.bu")
    expect(texts).to_have_count(2)
    texts.nth(1).press("Control+Home")
    editor.type("# from the second\n")
    expect(texts.nth(0)).to_contain_text("# from the second")
    texts.nth(0).press("Control+Home")
    editor.type("# from the first\n")
    expect(texts.nth(1)).to_contain_text("# from the first")
    editor.expect_file("# from the first\n# from the second\n" + CONFIG)


def test_a_second_page_follows(context: BrowserContext, tmp_path: Path) -> None:
    """Two tabs on one notebook: Python speaks to both, as a kernel does."""
    one = EditorPage(Stage(context), tmp_path)
    two = Stage(context)
    mirrored = two.mirror(one.mounted)
    text = two.page.get_by_role("textbox", name="Butane config web.bu")
    one.go_to(1)
    one.type("# one\n")
    expect(text.locator(".cm-line").nth(1)).to_have_text("variant: flatcar")  # all of it is here
    text.press("Control+Home")
    two.page.keyboard.type("# two\n")
    expect(one.text).to_contain_text("# two")
    one.page.wait_for_function("() => true")
    expect(mirrored.root.locator(".fk-saved")).to_have_text("✓ saved")
    assert one.file.read_text() == "# two\n# one\n" + CONFIG


@pytest.mark.parametrize("late", [{"replace"}, {"checked", "became", "replace"}], ids=["the-text", "everything"])
def test_what_is_typed_before_the_other_pages_text_arrives_stays(
    context: BrowserContext, tmp_path: Path, late: set[str]
) -> None:
    one = EditorPage(Stage(context), tmp_path)
    two = Stage(context)
    mirrored = two.mirror(one.mounted)
    take, held = mirrored.front.take, list[Sent]()

    def hold() -> list[Sent]:
        sent = take()
        held.extend(said for said in sent if said.content and said.content["kind"] in late)
        return [said for said in sent if said not in held]

    mirrored.front.take = hold  # type: ignore[method-assign]
    text = two.page.get_by_role("textbox", name="Butane config web.bu")
    one.go_to(1)
    one.type("# one\n")
    one.expect_file("# one\n" + CONFIG)
    wait_until(two, lambda: bool(held))
    text.press("Control+Home")
    two.page.keyboard.type("# two\n")
    mirrored.wait_until_heard()
    mirrored.front.take = lambda: [held.pop(0)] if held else take()  # type: ignore[method-assign]
    alert = mirrored.root.get_by_role("alert").filter(has_text="changed outside")
    expect(alert).to_be_visible()
    expect(text).to_contain_text("# two")
    assert one.file.read_text() == "# one\n" + CONFIG
    alert.get_by_role("button", name="Keep mine").click()
    one.wait_for_text("# two\n" + CONFIG)
    assert (tmp_path / "web.bu~").read_text() == "# one\n" + CONFIG
    expect(one.text).to_contain_text("# two")


def test_a_file_that_was_written_meanwhile_is_followed(stage: Stage, tmp_path: Path) -> None:
    editor = EditorPage(stage, tmp_path)
    editor.file.write_text("# solved\n" + CONFIG)
    editor.root.get_by_role("tab", name="Explain").focus()  # the person comes back to it
    expect(editor.text).to_contain_text("# solved")


def test_a_conflict_is_asked_about(stage: Stage, tmp_path: Path) -> None:
    editor = EditorPage(stage, tmp_path)
    editor.go_to(1)
    editor.mounted.wait_until_heard()  # the editor looks at its file when the user comes to it
    editor.file.write_text("# theirs\n" + CONFIG)
    editor.type("# mine\n")
    alert = editor.root.get_by_role("alert").filter(has_text="changed outside")
    expect(alert).to_be_visible()
    assert editor.file.read_text() == "# theirs\n" + CONFIG
    alert.get_by_role("button", name="Load the file").click()
    expect(editor.text).to_contain_text("# theirs")
    expect(alert).to_be_hidden()
    assert (tmp_path / "web.bu~").read_text() == "# mine\n" + CONFIG


def test_starting_over_is_asked_about_and_keeps_the_text(stage: Stage, tmp_path: Path) -> None:
    editor = EditorPage(stage, tmp_path)
    start = editor.root.get_by_role("button", name="Start over")
    start.click()
    editor.page.keyboard.press("Escape")
    expect(start).to_be_focused()
    assert editor.file.read_text() == CONFIG
    start.click()
    editor.root.get_by_role("button", name="Yes, start over").click()
    expect(editor.text).to_contain_text("a user, a page, and a small web server")
    editor.wait()
    assert (tmp_path / "web.bu~").read_text() == CONFIG
    expect(editor.verdict).to_contain_text("✓ Becomes Ignition 3.3.0")


def test_another_file_is_put_in_as_a_change_that_undo_takes_back(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "own.bu").write_text("# own\n" + CONFIG)
    editor = EditorPage(stage, tmp_path)
    editor.root.get_by_role("button", name="Load…").click()
    editor.root.get_by_label("Put the text of another file here").select_option("own.bu")
    editor.root.get_by_role("button", name="Load", exact=True).click()
    editor.expect_file("# own\n" + CONFIG)
    editor.page.keyboard.press("Control+z")
    editor.expect_file(CONFIG)


def test_a_copy_is_saved_and_a_taken_name_is_said(stage: Stage, tmp_path: Path) -> None:
    editor = EditorPage(stage, tmp_path)
    for _ in range(2):
        editor.root.get_by_role("button", name="Save a copy").click()
        editor.root.get_by_label("Save a copy in this folder as").fill("second.bu")
        editor.page.keyboard.press("Enter")
        expect(editor.root.get_by_role("group", name="Message")).to_be_visible()
    expect(editor.root.get_by_role("group", name="Message")).to_contain_text('there is a file "second.bu" already')
    assert (tmp_path / "second.bu").read_text() == CONFIG


def test_an_editor_taken_off_the_page_leaves_nothing_behind(stage: Stage, tmp_path: Path) -> None:
    editor = EditorPage(stage, tmp_path)
    editor.mounted.unmount()
    assert stage.page.locator(".fk-editor").count() == 0
    editor.editor.change("# later\n" + CONFIG)  # what Python says then falls on no one
    stage.page.wait_for_function("() => true")
