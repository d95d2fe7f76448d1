"""What goes wrong around a page, and must not hurt: the server ends and comes back, the browser is closed during a demo."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from editor_page import CONFIG
from lab import Lab, Notebook
from playwright.sync_api import BrowserContext, expect

TERMINAL = """from flatkit.widgets.card import page_type
state = {"machine": "web", "session": "flatkit_again", "argv": ["sh"], "consoleArgv": ["sh"], "gone": False}
page_type("terminal")(state, print)"""


@pytest.fixture
def own_lab(own_folders: Path, tmp_path: Path) -> Lab:
    """A server that may be ended."""
    del own_folders
    return Lab(tmp_path)


def test_a_server_that_was_restarted(own_lab: Lab, context: BrowserContext) -> None:
    """What was typed meanwhile is kept, the terminal says that its session is gone, and both go on when the server is back."""
    own_lab.start()
    try:
        (own_lab.root / "kept.bu").write_text(CONFIG)
        with own_lab.open(context, ['import flatkit as fk\nfk.editor("kept.bu")', TERMINAL]) as notebook:
            page = notebook.page
            notebook.run(0)
            notebook.run(1)
            terminal = page.get_by_role("region", name="terminal on web", exact=True)
            expect(terminal.get_by_role("status").first).to_contain_text("connected")
            notebook.wait_until_idle()
            own_lab.stop()
            expect(terminal).to_contain_text("connection to the session is closed")
            # JupyterLab says it too, sooner or later: a dialog that would take the keys from the editor.
            dialog = page.get_by_role("dialog")
            expect(dialog).to_contain_text(
                "A connection to the Jupyter server could not be established", timeout=60_000
            )
            dialog.get_by_role("checkbox").check()
            dialog.get_by_role("button", name="Close").click()
            expect(dialog).to_have_count(0)
            page.get_by_role("textbox", name="Butane config kept.bu").press("Control+Home")
            page.keyboard.type("# typed without a server\n")
            own_lab.start()
            terminal.get_by_role("button", name="Connect again").click()
            expect(terminal.get_by_role("status").first).to_have_text("connected")
            page.reload()
            notebook.wait_until_ready()
            notebook.run(0)
            expect(page.get_by_role("textbox", name="Butane config kept.bu")).to_contain_text(
                "# typed without a server"
            )
            expect(page.locator(".fk-saved")).to_have_text("✓ saved")
        assert (own_lab.root / "kept.bu").read_text() == "# typed without a server\n" + CONFIG
    finally:
        own_lab.stop()


def test_a_browser_that_is_closed_while_a_demo_is_played(lab: Lab, context: BrowserContext) -> None:
    """The kernel plays on; the page that is opened afterwards shows the end, without the cell being run again."""
    cell = 'import flatkit as fk\nfk.play("provision", recorded=True, speed=5)'
    with lab.open(context, [cell]) as notebook:
        page = notebook.page
        notebook.run(0)
        player = page.get_by_role("region", name="demo provision")
        player.get_by_role("button", name="Play all").click()
        expect(player).to_contain_text(re.compile(r"[1-6] of 7 steps played"))
        notebook.wait_until_idle()
        notebook.save()
        address = page.url
        page.close()
        again = Notebook(lab, context.new_page())
        again.page.goto(address)
        again.wait_until_ready()
        expect(again.page.get_by_role("region", name="demo provision")).to_contain_text(
            "every check passed", timeout=60_000
        )
        again.page.close()
