"""The editor in a browser, with its real Python side: judging, mending, completing, lighting up, and losing nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from browser import keep_screenshot, open_context, serious_faults
from editor_page import CONFIG, EditorPage
from playwright.sync_api import Browser, expect
from stage import Stage

FAULTY = CONFIG.replace("      contents:", "      mode: 644\n      content:")


def test_a_fault_is_shown_while_typing_and_goes_when_it_is_mended(stage: Stage, tmp_path: Path) -> None:
    editor = EditorPage(stage, tmp_path)
    expect(editor.verdict).to_have_text("✓ Becomes Ignition 3.4.0")
    editor.go_to(13)
    editor.type("oops: [")
    expect(editor.verdict).to_contain_text("no machine can be made")
    expect(editor.problems.first).to_contain_text("Fault, line 13")
    expect(editor.root.locator(".cm-lintRange-error")).to_have_count(1)
    expect(editor.root.locator(".cm-gutter-lint .cm-lint-marker-error")).to_have_count(1)
    # The last good Ignition stays, and says that it is old.
    expect(editor.root).to_contain_text("from your last text without faults")
    expect(editor.ignition).to_contain_text("/etc/hostname")
    for _ in range(7):
        editor.page.keyboard.press("Backspace")
    editor.wait()
    expect(editor.verdict).to_have_text("✓ Becomes Ignition 3.4.0")
    expect(editor.problems).to_have_count(0)
    editor.expect_file(CONFIG)


def test_suggested_edits_are_a_visible_change_that_undo_takes_back(stage: Stage, tmp_path: Path) -> None:
    editor = EditorPage(stage, tmp_path, FAULTY)
    editor.root.get_by_role("button", name="Fix: write contents").click()
    editor.wait()
    expect(editor.root.locator(".fk-fixed")).to_have_text("contents")
    expect(editor.text).to_be_focused()
    editor.expect_file(FAULTY.replace("content:", "contents:"))
    editor.page.keyboard.press("Control+z")
    editor.expect_file(FAULTY)


def test_the_next_problem_is_a_key_away_and_spoken(stage: Stage, tmp_path: Path) -> None:
    editor = EditorPage(stage, tmp_path, FAULTY)
    spoken = editor.root.locator(".fk-unseen[role=status]")
    lines = set()
    for _ in range(2):
        editor.text.press("F8")
        expect(spoken).not_to_be_empty()
        lines.add(editor.root.locator(".cm-activeLine").first.text_content())
    assert lines == {"      mode: 644", "      content:"}
    editor.text.press("Shift+F8")
    expect(spoken).to_contain_text("line 11")


def test_a_problem_in_the_list_leads_to_its_line(stage: Stage, tmp_path: Path) -> None:
    editor = EditorPage(stage, tmp_path, FAULTY)
    editor.root.get_by_role("button", name="Warning, line 12").click()
    expect(editor.text).to_be_focused()
    expect(editor.root.locator(".fk-text .cm-activeLine")).to_have_text("      content:")


def test_keys_are_completed_from_the_schema(stage: Stage, tmp_path: Path) -> None:
    editor = EditorPage(stage, tmp_path)
    editor.go_to(10)
    editor.page.keyboard.press("End")
    editor.page.keyboard.press("Enter")
    editor.page.keyboard.type("ov")
    option = editor.page.get_by_role("option", name="overwrite")
    expect(option).to_be_visible()
    expect(editor.page.locator(".cm-completionInfo")).to_contain_text("Replace what is already there")
    option.click()  # the key Enter would do it too, but not in the first moment
    expect(editor.text).to_contain_text("overwrite: ")
    editor.page.keyboard.type("t")
    editor.page.get_by_role("option", name="true").click()
    editor.expect_file(CONFIG.replace("/etc/hostname\n", "/etc/hostname\n      overwrite: true\n"))


def test_a_mapping_is_completed_with_its_indentation(stage: Stage, tmp_path: Path) -> None:
    editor = EditorPage(stage, tmp_path, "variant: flatcar\nversion: 1.1.0\n")
    editor.go_to(3)
    for word in ("storage", "files", "path"):
        editor.page.keyboard.type(word[:3])
        editor.page.get_by_role("option").filter(has_text=re.compile(f"^{word}")).first.click()
    editor.page.keyboard.type("/etc/motd\ncontents")
    editor.page.get_by_role("option", name="contents").click()
    editor.page.keyboard.type("inl")
    editor.page.get_by_role("option", name="inline").click()
    editor.page.keyboard.type("hello")
    editor.expect_file(
        "variant: flatcar\nversion: 1.1.0\nstorage:\n  files:\n    - path: /etc/motd\n      contents:\n        inline: hello"
    )


def test_inside_a_text_block_nothing_is_completed(stage: Stage, tmp_path: Path) -> None:
    editor = EditorPage(stage, tmp_path, CONFIG.replace("inline: web", "inline: |\n          pa"))
    editor.go_to(13)
    editor.page.keyboard.press("End")
    editor.page.keyboard.press("Control+Space")
    editor.type("th")
    expect(editor.page.get_by_role("option")).to_have_count(0)


def test_a_key_says_what_it_means_under_the_mouse_and_at_the_cursor(stage: Stage, tmp_path: Path) -> None:
    editor = EditorPage(stage, tmp_path)
    editor.go_to(11)
    expect(editor.root.locator(".fk-about-line")).to_contain_text("storage › files › contents object")
    editor.root.locator(".fk-text .cm-line").nth(9).locator(".tok-propertyName").hover()
    expect(editor.page.locator(".cm-tooltip")).to_contain_text("The absolute path on the machine.")


def test_each_side_lights_up_its_origin_in_the_other(stage: Stage, tmp_path: Path) -> None:
    editor = EditorPage(stage, tmp_path)
    editor.go_to(10, 8)
    expect(editor.lit(editor.ignition)).to_have_text(['"path": "/etc/hostname",'])
    editor.go_to(11)
    expect(editor.lit(editor.ignition)).to_have_text(['"compression": "",', '"source": "data:,web"'])
    editor.go_to(3)
    expect(editor.lit(editor.ignition).first).to_have_text('"name": "core",')
    editor.ignition.get_by_text("/etc/hostname").click()
    expect(editor.lit(editor.text)).to_have_text(["- path: /etc/hostname"])
    expect(editor.root.locator(".fk-detail")).to_have_text("From path, line 10. ")


def test_what_butane_added_is_marked_and_data_urls_are_decoded(stage: Stage, tmp_path: Path) -> None:
    packed = "0123456789" * 40
    editor = EditorPage(stage, tmp_path, CONFIG.replace("inline: web", f"inline: {packed}A"))
    expect(editor.root.locator(".fk-added-gutter .fk-added")).to_have_count(2)
    editor.ignition.get_by_text('"version"').click()
    expect(editor.root.locator(".fk-detail")).to_contain_text("+ Butane added this because of version, line 2")
    url = editor.ignition.locator(".cm-line", has_text="data:;base64,")
    expect(editor.ignition).to_contain_text('"compression": "gzip"')
    url.hover()
    expect(editor.page.locator(".cm-tooltip")).to_contain_text(f"{packed}A")
    url.click()
    expect(editor.root.get_by_label("Decoded contents")).to_have_text(f"{packed}A")


def test_explain_and_changes_have_tabs(stage: Stage, tmp_path: Path) -> None:
    editor = EditorPage(stage, tmp_path)
    tab = editor.root.get_by_role("tab", name="Ignition")
    tab.focus()
    tab.press("ArrowRight")
    panel = editor.root.get_by_role("tabpanel", name="Explain")
    expect(panel).to_contain_text("The file /etc/hostname is written (3 bytes from the config itself), with mode 0644.")
    expect(panel).to_contain_text("flatkit adds one thing")
    panel.get_by_role("button", name="line 10").click()
    expect(editor.root.locator(".fk-text .cm-activeLine")).to_have_text("    - path: /etc/hostname")
    editor.editor.solution = CONFIG.replace("inline: web", "inline: solved")
    editor.root.get_by_role("tab", name="Changes").click()
    expect(editor.root.locator("details .fk-plus")).to_be_hidden()  # nobody sees it who did not ask
    editor.root.get_by_text("Show the way from your text").click()
    solution = editor.root.get_by_role("region", name="From your text to the solution")
    expect(solution.locator(".fk-plus")).to_contain_text("added: ")
    expect(solution.locator(".fk-plus")).to_contain_text("inline: solved")
    assert editor.file.read_text() == CONFIG


def test_escape_leaves_the_editor_and_enter_goes_back(stage: Stage, tmp_path: Path) -> None:
    editor = EditorPage(stage, tmp_path)
    editor.go_to(2)
    editor.page.keyboard.press("Escape")
    gate = editor.root.get_by_role("group", name="You left the text")
    expect(gate).to_be_focused()
    editor.page.keyboard.press("Enter")
    expect(editor.text).to_be_focused()
    editor.page.keyboard.press("Escape")
    editor.page.keyboard.press("Tab")
    assert editor.page.evaluate("() => document.activeElement.textContent") != ""
    expect(editor.text).not_to_be_focused()
    assert editor.file.read_text() == CONFIG


def test_in_a_narrow_place_the_text_is_a_tab_too(stage: Stage, tmp_path: Path) -> None:
    stage.page.set_viewport_size({"width": 600, "height": 800})
    editor = EditorPage(stage, tmp_path)
    expect(editor.text).to_be_visible()
    expect(editor.ignition).to_be_hidden()
    editor.root.get_by_role("tab", name="Ignition").click()
    expect(editor.text).to_be_hidden()
    expect(editor.ignition).to_be_visible()
    assert editor.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    editor.root.get_by_role("tab", name="Butane").click()
    editor.page.keyboard.press("Tab")
    expect(editor.text).to_be_focused()  # from the tabs into what is below them
    stage.page.set_viewport_size({"width": 1280, "height": 800})
    expect(editor.text).to_be_visible()
    expect(editor.root.get_by_role("tab", name="Butane")).to_be_hidden()


def test_large_type_on_a_small_page_hides_nothing(stage: Stage, tmp_path: Path) -> None:
    stage.page.set_viewport_size({"width": 900, "height": 800})
    stage.page.evaluate("() => { document.body.style.zoom = 1.5; }")
    editor = EditorPage(stage, tmp_path, FAULTY)
    assert editor.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    for name in ("Load…", "Save a copy…", "Start over…", "Fix: write contents"):
        box = editor.root.get_by_role("button", name=name).bounding_box()
        assert box is not None
        assert 0 <= box["x"] <= box["x"] + box["width"] <= 900
    keep_screenshot(editor.page, "editor-large-type")


def test_who_wants_no_motion_gets_none(browser: Browser, tmp_path: Path) -> None:
    with open_context(browser, reduced_motion="reduce") as context:
        editor = EditorPage(Stage(context), tmp_path)
        editor.go_to(3)
        moving = "() => document.getAnimations().filter((one) => one.playState === 'running').length"
        assert editor.page.evaluate(moving) == 0
        style = "el => getComputedStyle(el).animationName"
        assert editor.root.locator(".fk-text .cm-cursorLayer").evaluate(style) == "none"


def test_windows_line_ends_stay(stage: Stage, tmp_path: Path) -> None:
    editor = EditorPage(stage, tmp_path, CONFIG.replace("\n", "\r\n"))
    editor.go_to(1)
    editor.type("# mine\n")
    editor.expect_file(("# mine\n" + CONFIG).replace("\n", "\r\n"))


def test_wide_characters_do_not_shift_the_marks(stage: Stage, tmp_path: Path) -> None:
    editor = EditorPage(stage, tmp_path, CONFIG + "é🚀: {a: 1, 🚀b: 2}\nzz🚀: 1 # 🚀\n")
    assert set(editor.root.locator(".cm-lintRange-warning").all_text_contents()) >= {"é🚀", "zz🚀"}


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_axe_finds_nothing_serious(staged: Callable[[str], Stage], tmp_path: Path, axe: str, colours: str) -> None:
    stage = staged(colours)
    editor = EditorPage(stage, tmp_path, FAULTY)
    keep_screenshot(editor.page, f"editor-{colours}-problems")
    assert serious_faults(editor.page, axe, "main") == []
    editor.go_to(11, 8)
    editor.page.keyboard.press("Control+f")
    for tab in ("Explain", "Changes", "Ignition"):
        editor.root.get_by_role("tab", name=tab).click()
        editor.wait()
        keep_screenshot(editor.page, f"editor-{colours}-{tab.lower()}")
        assert serious_faults(editor.page, axe, "main") == []
    editor.root.get_by_role("button", name="Save a copy").click()
    assert serious_faults(editor.page, axe, "main") == []
    editor.mounted.kill_kernel()
    keep_screenshot(editor.page, f"editor-{colours}-gone")
    assert serious_faults(editor.page, axe, "main") == []


def test_problems_are_grouped_and_say_why_on_demand(stage: Stage, tmp_path: Path) -> None:
    text = f"{CONFIG}      mode: '0644'\n    - path: /opt/tool\n      contents: https://example.com/t\n      owner: core:core\n"
    editor = EditorPage(stage, tmp_path, text)
    titles = editor.root.locator(".fk-problems h4")
    expect(titles).to_have_text(["Faults (2)", "Warnings (1)"])
    expect(editor.problems).to_have_count(3)
    first = editor.problems.filter(has_text="source: (a URL)")
    reason = first.locator(".fk-why p")
    expect(reason).to_be_hidden()
    first.get_by_text("Why?").click()
    expect(reason).to_contain_text("Each field takes one kind of value")
    expect(reason.get_by_role("link")).to_have_attribute(
        "href", re.compile("^https://coreos.github.io/butane/config-flatcar-")
    )
    keep_screenshot(editor.page, "editor-problems-why")
    # What is open stays open while the user types.
    editor.go_to(1)
    editor.page.keyboard.press("End")
    editor.type(" ")
    expect(reason).to_be_visible()
    for label in ("take the quotes away", "fetch it from this URL", "write user, group"):
        editor.root.get_by_role("button", name=f"Fix: {label}").click()
        editor.wait()
    expect(editor.problems).to_have_count(0)
    editor.expect_file(
        text.replace("flatcar\n", "flatcar \n", 1)
        .replace("'0644'", "0644")
        .replace("contents: https://example.com/t", "contents: {source: https://example.com/t}")
        .replace("owner: core:core", "user: {name: core}\n      group: {name: core}")
    )
