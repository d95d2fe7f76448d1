"""The terminal on a page: Jupyter's own server holds the session, so it works while the kernel is busy."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from browser import keep_screenshot, serious_faults
from lab import Lab
from playwright.sync_api import BrowserContext, Locator, expect
from stage import Stage

pytest.importorskip("anywidget")

from flatkit.widgets.terminal import TerminalWidget

SHELL = """from flatkit.widgets.terminal import TerminalWidget
TerminalWidget(machine="web", session="flatkit_probe", argv=["sh"])"""


def text_of(terminal: Locator) -> str:
    return str(terminal.evaluate("root => root.flatkitText()"))


def wait_for_text(terminal: Locator, text: str) -> None:
    handle = terminal.element_handle()
    terminal.page.wait_for_function("([root, text]) => root.flatkitText().includes(text)", arg=[handle, text])


def wait_until(stage: Stage, is_true: Callable[[], bool]) -> None:
    """While the page goes on: its messages arrive when Playwright is asked for something."""
    until = time.monotonic() + 20
    while not is_true():
        assert time.monotonic() < until
        stage.page.evaluate("() => new Promise(requestAnimationFrame)")


def test_a_session_of_the_server_outlives_cells_and_kernels(lab: Lab, context: BrowserContext) -> None:
    with lab.open(context, [SHELL, "import time; time.sleep(600)"]) as notebook:
        notebook.run(0)
        terminal = notebook.page.get_by_role("region", name="terminal on web")
        expect(terminal).to_contain_text("connected")
        notebook.wait_until_run(0)
        notebook.run(1)  # the kernel is busy from here on
        terminal.locator(".xterm").click()
        notebook.page.keyboard.type("echo $((6 * 7))x\n")
        wait_for_text(terminal, "42x")
        assert [session["name"] for session in lab.ask("GET", "api/terminals")] == ["flatkit_probe"]

        notebook.restart_kernel()
        notebook.page.keyboard.type("echo still $((40 + 2))y\n")
        wait_for_text(terminal, "still 42y")
        notebook.wait_until_idle()
        terminal.evaluate("root => { root.id = 'before'; }")
        notebook.run(0)
        expect(notebook.page.locator("#before")).to_have_count(0)
        expect(terminal).to_contain_text("connected")
        wait_for_text(terminal, "42y")
        assert [session["name"] for session in lab.ask("GET", "api/terminals")] == ["flatkit_probe"]

        notebook.page.keyboard.press("Shift+Escape")
        terminal.get_by_role("button", name="Open as a tab").click()
        expect(
            notebook.page.get_by_role("tab", name="flatkit_probe").or_(notebook.page.locator(".jp-Terminal"))
        ).not_to_have_count(0)
    lab.ask("DELETE", "api/terminals/flatkit_probe")


def test_where_there_is_no_jupyter_page_keys_go_to_the_kernel(stage: Stage) -> None:
    said: list[dict[str, object]] = []
    widget = TerminalWidget(machine="web", session="flatkit_web", argv=[])
    widget.on_msg(lambda _, content, __: said.append(content))
    mounted = stage.mount(widget)
    terminal = mounted.root.get_by_role("region", name="terminal on web")
    expect(terminal).to_contain_text("connected")
    widget.send({"kind": "output"}, buffers=[b"core@web ~ $ "])
    wait_for_text(terminal, "core@web")
    terminal.locator(".xterm").click()
    stage.page.keyboard.type("ls")
    widget.send({"kind": "output"}, buffers=[b"x" * 200_000])
    wait_for_text(terminal, "xxxx")
    widget.send({"kind": "ended", "why": "The session has ended."})
    expect(terminal).to_contain_text("The session has ended.")
    terminal.get_by_role("button", name="Connect again").click()
    expect(terminal).to_contain_text("connected")
    wait_until(stage, lambda: [one["kind"] for one in said].count("open") == 2)
    assert "".join(str(one["text"]) for one in said if one["kind"] == "input") == "ls"
    # What was drawn is said for each 64 KiB.
    assert sum(int(str(one["bytes"])) for one in said if one["kind"] == "drawn") > 100_000
    widget.gone = True
    expect(terminal).to_contain_text("The machine is gone.")


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_it_follows_the_theme(staged: Callable[[str], Stage], axe: str, colours: str) -> None:
    stage = staged(colours)
    widget = TerminalWidget(machine="web", session="flatkit_web", argv=[])
    mounted = stage.mount(widget)
    widget.send({"kind": "output"}, buffers=[b"\x1b[32mcore@web\x1b[0m ~ $ cat /etc/os-release\r\nNAME=Flatcar\r\n"])
    terminal = mounted.root.get_by_role("region", name="terminal on web")
    wait_for_text(terminal, "NAME=Flatcar")
    keep_screenshot(mounted.root, f"terminal-{colours}")
    assert serious_faults(stage.page, axe, "main") == []
