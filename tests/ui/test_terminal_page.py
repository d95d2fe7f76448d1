"""The terminal on a page: Jupyter's own server holds the session, so it works while the kernel is busy."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from browser import keep_screenshot, serious_faults
from lab import Lab
from playwright.sync_api import BrowserContext, Locator, expect
from stage import Stage, wait_until

pytest.importorskip("anywidget")

from flatkit.widgets.card import Page, page_type

SHELL = """from flatkit.widgets.card import page_type
console = ["tail", "-n", "400", "-F", "console.log"]
state = {"machine": "web", "session": "flatkit_probe", "argv": ["sh"], "consoleArgv": console, "gone": False}
page_type("terminal")(state, print)"""
SERIAL = "serial console of web, read-only"
STATE = {"machine": "web", "session": "flatkit_web", "argv": [], "consoleArgv": [], "gone": False}


def text_of(terminal: Locator) -> str:
    return str(terminal.evaluate("root => root.flatkitText()"))


def wait_for_text(terminal: Locator, text: str) -> None:
    handle = terminal.element_handle()
    terminal.page.wait_for_function("([root, text]) => root.flatkitText().includes(text)", arg=[handle, text])


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


def sessions(lab: Lab) -> list[str]:
    return sorted(session["name"] for session in lab.ask("GET", "api/terminals"))


def test_the_serial_console_is_beside_it_and_stays_readable_in_a_flood(lab: Lab, context: BrowserContext) -> None:
    """10,000 lines a second for some seconds: the page keeps the last of them, and the terminal answers all the while."""
    console = lab.root / "console.log"
    console.write_text("[    0.000000] Linux version 6.1\n")
    with lab.open(context, [SHELL]) as notebook:
        page = notebook.page
        notebook.run(0)
        terminal = page.get_by_role("region", name="terminal on web")
        expect(terminal.get_by_role("status").first).to_contain_text("connected")
        beside = terminal.get_by_role("button", name="Serial console")
        beside.click()
        serial = page.get_by_role("region", name=SERIAL)
        wait_for_text(serial, "Linux version 6.1")
        assert sessions(lab) == ["flatkit_probe", "flatkit_probe_console"]
        serial.locator(".xterm").click()
        page.keyboard.type("not typed")

        flood = threading.Thread(target=pour, args=(console, 30_000))
        flood.start()
        terminal.locator(".fk-screens > .fk-screen .xterm").click()
        page.keyboard.type("echo $((6 * 7))z\n")
        wait_for_text(terminal, "42z")
        flood.join()
        with console.open("a") as file:
            file.write("the last line\n")
        wait_for_text(serial, "the last line")
        assert text_of(serial).count("\n") < 5100
        assert "not typed" not in text_of(serial)
        assert "not typed" not in text_of(terminal)
        keep_screenshot(terminal, "terminal-serial")
        beside.click()
        expect(serial).to_be_hidden()


def pour(console: Path, lines: int) -> None:
    """So many lines, 10,000 of them a second."""
    pause = threading.Event()
    with console.open("a") as file:
        for number in range(lines // 500):
            file.writelines(
                f"[{number:6}.{row:06}] audit: one more line of a console that says far too much\n"
                for row in range(500)
            )
            file.flush()
            pause.wait(0.05)


def test_where_there_is_no_jupyter_page_the_console_comes_over_the_kernel(stage: Stage) -> None:
    lines = ["first line"]

    def hear(message: dict[str, object]) -> None:
        if message["verb"] == "console":
            widget.send({"kind": "console", "lines": lines})

    widget: Page = page_type("terminal")(STATE, hear)
    terminal = stage.mount(widget).root.get_by_role("region", name="terminal on web")
    terminal.get_by_role("button", name="Serial console").click()
    serial = stage.page.get_by_role("region", name=SERIAL)
    wait_for_text(serial, "first line")
    lines.append("second line")
    wait_for_text(serial, "first line\nsecond line")
    serial.locator(".xterm").click()
    stage.page.keyboard.press("Shift+Escape")
    expect(terminal.get_by_role("button", name="Serial console")).to_be_focused()
    aloud = terminal.get_by_role("button", name="Screen reader")
    aloud.click()
    expect(aloud).to_have_attribute("aria-pressed", "true")
    widget.send({"kind": "output"}, buffers=[b"said aloud\r\n"])
    expect(terminal.locator(".xterm-accessibility")).to_contain_text("said aloud")


def test_where_there_is_no_jupyter_page_keys_go_to_the_kernel(stage: Stage) -> None:
    said: list[dict[str, object]] = []
    widget = page_type("terminal")(STATE, said.append)
    mounted = stage.mount(widget)
    terminal = mounted.root.get_by_role("region", name="terminal on web")
    expect(terminal).to_contain_text("connected")
    widget.send({"kind": "output"}, buffers=[b"core@web ~ $ "])
    wait_for_text(terminal, "core@web")
    assert "screen" not in [one["verb"] for one in said], "only during a look that the learner allowed"
    widget.state = {**STATE, "look": True}
    expect(terminal).to_contain_text("the trainer sees this screen")
    wait_until(stage, lambda: any(one["verb"] == "screen" for one in said))
    assert next(str(one["text"]) for one in said if one["verb"] == "screen") == "core@web ~ $"
    widget.state = {**STATE, "look": False}
    expect(terminal).not_to_contain_text("the trainer sees this screen")
    terminal.locator(".xterm").click()
    stage.page.keyboard.type("ls")
    widget.send({"kind": "output"}, buffers=[b"x" * 200_000])
    wait_for_text(terminal, "xxxx")
    widget.send({"kind": "ended", "why": "The session has ended."})
    expect(terminal).to_contain_text("The session has ended.")
    terminal.get_by_role("button", name="Connect again").click()
    expect(terminal).to_contain_text("connected")
    wait_until(stage, lambda: [one["verb"] for one in said].count("open") == 2)
    assert "".join(str(one["text"]) for one in said if one["verb"] == "input") == "ls"
    # What was drawn is said for each 64 KiB.
    assert sum(int(str(one["count"])) for one in said if one["verb"] == "drawn") > 100_000
    widget.state = {**STATE, "gone": True}
    expect(terminal).to_contain_text("The machine is gone.")


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_it_follows_the_theme(staged: Callable[[str], Stage], axe: str, colours: str) -> None:
    stage = staged(colours)
    widget = page_type("terminal")(STATE, print)
    mounted = stage.mount(widget)
    widget.send({"kind": "output"}, buffers=[b"\x1b[32mcore@web\x1b[0m ~ $ cat /etc/os-release\r\nNAME=Flatcar\r\n"])
    terminal = mounted.root.get_by_role("region", name="terminal on web")
    wait_for_text(terminal, "NAME=Flatcar")
    terminal.get_by_role("button", name="Serial console").click()
    widget.send(
        {"kind": "console", "lines": ["[    0.000000] Linux version 6.1", "\x1b[32m  OK  \x1b[0m Started sshd"]}
    )
    wait_for_text(stage.page.get_by_role("region", name=SERIAL), "Started sshd")
    keep_screenshot(mounted.root, f"terminal-{colours}")
    assert serious_faults(stage.page, axe, "main") == []
