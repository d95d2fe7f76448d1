"""The whole story on one page, with a real machine: a mistake mended, a boot, a terminal, an update whose slots flip."""

from __future__ import annotations

import re
import time

import learner_days
import pytest
from browser import ROOT, keep_screenshot
from lab import Lab, Notebook
from playwright.sync_api import BrowserContext, Locator, Page, expect

from flatkit.lessons.layout import lay_out
from flatkit.lessons.progress import Progress

pytestmark = [pytest.mark.vm, pytest.mark.timeout(1500), pytest.mark.usefixtures("lab_image", "no_machines_left")]

CONFIG = """\
variant: flatcar
version: 1.0.0
storage:
  files:
    - path: /etc/hostname
      contents:
        inline: story
    - path: /etc/flatcar/update.conf
      overwrite: true
      contents:
        inline: |
          GROUP=beta
          SERVER={url}/v1/update/
          REBOOT_STRATEGY=off
"""
SERVE = 'import flatkit as fk\nfk.channels().serve(port=0, **dict.fromkeys(("stable", "beta", "alpha"), "lab-beta"))'
CELLS = [SERVE, 'fk.editor("story.bu")', 'm = fk.up("story.bu", image="lab")', "m.down()", *learner_days.CELLS]
FIRST_TASK = 4
# A boot without KVM, with other work on the host, in milliseconds.
BOOT = 500_000


@pytest.fixture
def large(context: BrowserContext) -> BrowserContext:
    """A page on which editor, panel and terminal are seen together."""
    context.on("page", lambda page: page.set_viewport_size({"width": 1400, "height": 1500}))
    return context


def edit(notebook: Notebook) -> None:
    """A typing error is seen at its line, mended, and the file is saved."""
    page = notebook.page
    output = notebook.run(1)
    page.get_by_role("textbox", name="Butane config story.bu").press("Control+End")
    page.keyboard.type("systemd: [")
    verdict = output.locator(".fk-verdict")
    expect(verdict).to_contain_text("no machine can be made from this yet")
    expect(output.get_by_role("list", name="Problems").get_by_role("listitem").first).to_contain_text("Fault, line 15")
    for _ in range(10):
        page.keyboard.press("Backspace")
    expect(verdict).to_contain_text("✓ Becomes Ignition 3.3.0")
    expect(output.locator(".fk-saved")).to_have_text("✓ saved")


def boot(notebook: Notebook) -> Locator:
    """The timeline grows while the machine boots, and ends; the panel."""
    notebook.run(2)
    panel = notebook.page.get_by_role("region", name="machine story")
    expect(panel.get_by_role("button", name="Cancel")).to_be_visible()
    rows = panel.get_by_role("listitem")
    expect(rows.filter(has_text="Ignition")).not_to_have_count(0, timeout=BOOT)
    expect(panel.get_by_role("status").first).to_contain_text("running; ready after", timeout=BOOT)
    expect(rows.filter(has_text="…")).to_have_count(0)
    panel.get_by_role("tab", name="Facts").click()
    expect(panel.get_by_role("tabpanel", name="Facts")).to_contain_text("memory in use", timeout=BOOT)
    return panel


def open_terminal(page: Page, panel: Locator) -> Locator:
    """Logged in already; the serial console beside it."""
    panel.get_by_role("button", name="Terminal").click()
    terminal = page.get_by_role("region", name="terminal on story", exact=True)
    wait_for_text(terminal, "core@story")
    terminal.get_by_role("button", name="Serial console").click()
    wait_for_text(page.get_by_role("region", name="serial console of story"), "SSH host key")
    type_into(terminal, "echo $((6 * 7)) from $(hostname)")
    wait_for_text(terminal, "42 from story")
    return terminal


def wait_for_text(terminal: Locator, text: str) -> None:
    expect(terminal.first).to_be_visible()
    terminal.page.wait_for_function(
        "([root, text]) => root.flatkitText?.().includes(text)",
        arg=[terminal.first.element_handle(), text],
        timeout=BOOT,
    )


def type_into(terminal: Locator, line: str) -> None:
    terminal.locator(".fk-screens > .fk-screen .xterm").click()
    terminal.page.keyboard.type(f"{line}\n")


def update(page: Page, panel: Locator, terminal: Locator, theme: str) -> None:
    """The other slot is written, takes over at the next boot, runs on trial, and is marked good; each is seen."""
    panel.get_by_role("tab", name="Slots").click()
    old, new = (page.get_by_role("group", name=name) for name in ("USR-A", "USR-B"))
    expect(old).to_contain_text("running, marked good", timeout=BOOT)
    expect(new).to_contain_text("empty")
    type_into(terminal, "update_engine_client -update")
    expect(new).to_contain_text("takes over at the next boot", timeout=BOOT)
    expect(new).to_contain_text("120.1.0")
    keep_screenshot(page, f"story-staged-{theme}")
    type_into(terminal, "sudo systemctl reboot")
    expect(new).to_contain_text("running", timeout=BOOT)
    expect(old).to_contain_text("the way back")
    expect(new).to_contain_text("running, marked good", timeout=BOOT)
    expect(panel).to_contain_text("USR-B runs, and the next boot takes it again.")
    keep_screenshot(page, f"story-updated-{theme}")


@pytest.mark.parametrize(
    ("app", "theme", "is_updated"),
    [("lab", "light", True), ("notebooks", "dark", False)],
    ids=["JupyterLab-to-the-update", "Notebook-7-to-the-terminal"],
)
def test_from_the_first_key_to_a_machine_and_beyond(
    lab: Lab, large: BrowserContext, app: str, theme: str, is_updated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_updated:
        monkeypatch.setenv("JUPYTER_DATA_DIR", str(lab.data))
        lay_out(ROOT / "notebooks", lab.root)  # the review leads back to a cell of the course
        Progress().file.unlink(missing_ok=True)
    with lab.open(large, CELLS, name="story.ipynb", app=app, theme=theme) as notebook:  # type: ignore[arg-type]
        page = notebook.page
        served = notebook.run(0)
        expect(served).to_contain_text("Update server for machines on this host", timeout=BOOT)
        url = re.search(r"http://[\d.:]+", served.inner_text())
        assert url
        (lab.root / "story.bu").write_text(CONFIG.format(url=url[0]))
        edit(notebook)
        if is_updated:
            learner_days.learn(notebook, FIRST_TASK)
        panel = boot(notebook)
        terminal = open_terminal(page, panel)
        keep_screenshot(page, f"story-terminal-{theme}")
        if is_updated:
            update(page, panel, terminal, theme)
        notebook.run(3)
        expect(panel.get_by_role("status").first).to_contain_text("removed: there is no such machine now", timeout=BOOT)
        expect(terminal).to_have_count(0)
        if is_updated:
            learner_days.come_back(notebook, "story.ipynb", FIRST_TASK)
            Progress().file.unlink()
    deadline = time.monotonic() + 60  # the console's session ends within a second or two after its machine
    while left := lab.ask("GET", "api/terminals"):
        assert time.monotonic() < deadline, left
        time.sleep(0.2)
