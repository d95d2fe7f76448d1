"""The whole way in JupyterLab: edit, see the error, mend it; the kernel restarts, the page is loaded again, the text stays."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from browser import keep_screenshot, serious_faults
from editor_page import CONFIG
from lab import Lab
from playwright.sync_api import BrowserContext, Locator, Page, expect

CELL = 'import flatkit as fk\nfk.editor("whole.bu")'


@pytest.fixture
def file(lab: Lab) -> Path:
    path = lab.root / "whole.bu"
    path.write_text(CONFIG)
    (lab.root / "whole.bu~").unlink(missing_ok=True)
    return path


def text_of(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Butane config whole.bu")


def wait_for_file(file: Path, text: str) -> None:
    until = time.monotonic() + 60
    while file.read_text() != text:
        assert time.monotonic() < until, file.read_text()
        time.sleep(0.05)


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_edit_see_the_error_and_mend_it(lab: Lab, context: BrowserContext, file: Path, axe: str, colours: str) -> None:
    with lab.open(context, [CELL], theme=colours) as notebook:
        page = notebook.page
        output = notebook.run(0)
        text = text_of(page)
        expect(text).to_be_visible()
        text.press("Control+End")
        page.keyboard.type("systmd: {}\n")
        warning = output.get_by_role("list", name="Problems").get_by_role("listitem").first
        expect(warning).to_contain_text("unused key systmd")
        wait_for_file(file, CONFIG + "systmd: {}\n")
        keep_screenshot(page, f"lab-editor-{colours}")
        assert serious_faults(page, axe, ".fk-editor") == []
        warning.get_by_role("button", name="Fix: write systemd").click()
        expect(output.locator(".fk-verdict")).to_have_text("✓ Becomes Ignition 3.4.0")
        wait_for_file(file, CONFIG + "systemd: {}\n")
        # JupyterLab's own keys stay away from the text: this one would hide its side bar.
        side_bar = page.locator("#jp-left-stack")
        was = side_bar.is_visible()
        text.press("Control+b")
        assert side_bar.is_visible() == was


def test_notebook_7_shows_it_too(lab: Lab, context: BrowserContext, file: Path) -> None:
    with lab.open(context, [CELL], app="notebooks") as notebook:
        output = notebook.run(0)
        text_of(notebook.page).press("Control+End")
        notebook.page.keyboard.type("systmd: {}\n")
        expect(output.get_by_role("list", name="Problems").get_by_role("listitem")).to_contain_text("line 13")
        wait_for_file(file, CONFIG + "systmd: {}\n")
        keep_screenshot(notebook.page, "notebook7-editor")


def test_the_text_stays_through_restart_and_reload(lab: Lab, context: BrowserContext, file: Path) -> None:
    with lab.open(context, [CELL]) as notebook:
        page = notebook.page
        notebook.run(0)
        text_of(page).press("Control+Home")
        page.keyboard.type("# one\n")
        wait_for_file(file, "# one\n" + CONFIG)
        notebook.restart_kernel()
        expect(page.get_by_text("The kernel has restarted")).to_be_visible()
        text_of(page).press("Control+Home")
        page.keyboard.type("# two\n")
        page.reload()
        notebook.wait_until_ready()
        notebook.run(0)
        expect(text_of(page)).to_contain_text("# two")
        wait_for_file(file, "# two\n# one\n" + CONFIG)
        notebook.save()
        page.reload()  # now with the kernel alive: the widget comes back without the cell being run
        notebook.wait_until_ready()
        expect(text_of(page)).to_contain_text("# two")
        text_of(page).press("Control+Home")
        page.keyboard.type("# three\n")
        wait_for_file(file, "# three\n# two\n# one\n" + CONFIG)


def test_one_editor_in_two_cells_and_a_busy_kernel(lab: Lab, context: BrowserContext, file: Path) -> None:
    """A cell that blocks: what is typed meanwhile is kept, said, and saved when the kernel is free."""
    block = 'import time, pathlib\nwhile not pathlib.Path("go").exists(): time.sleep(0.02)\npathlib.Path("go").unlink()'
    with lab.open(context, [CELL, CELL, block]) as notebook:
        page = notebook.page
        for number in (0, 1):
            notebook.run(number)
            notebook.wait_until_run(number)
        expect(text_of(page)).to_have_count(2)
        notebook.run(2)
        first = text_of(page).first
        first.press("Control+Home")
        page.keyboard.type("# typed while a cell runs\n")
        expect(text_of(page).nth(1)).to_contain_text("# typed while a cell runs")
        (lab.root / "go").touch()
        wait_for_file(file, "# typed while a cell runs\n" + CONFIG)
        expect(notebook.cells.first.locator(".fk-saved")).to_have_text("✓ saved")
