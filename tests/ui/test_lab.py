"""JupyterLab opens calm with the course's settings, runs cells, and asks nobody but this host."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

from browser import ROOT
from lab import Lab
from playwright.sync_api import BrowserContext, expect
from tornado.websocket import websocket_connect

OVERRIDES = json.loads((ROOT / "flatkit" / "jupyterlab-overrides.json").read_text())
CELL = "import ipywidgets\nipywidgets.Button(description='press me')"


def test_each_setting_is_one_that_jupyterlab_has(lab: Lab) -> None:
    for plugin, settings in OVERRIDES.items():
        known = lab.ask("GET", f"lab/api/settings/{quote(plugin, safe='')}")["schema"]["properties"]
        for name, value in settings.items():
            assert known[name]["default"] == value, f"{plugin} {name}"


def test_a_notebook_opens_calm_and_runs(lab: Lab, context: BrowserContext) -> None:
    with lab.open(context, ["6 * 7", CELL]) as notebook:
        page = notebook.page
        expect(notebook.run(0)).to_contain_text("42")
        notebook.wait_until_run(0)
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(page.locator(".Toastify__toast")).to_have_count(0)
        notebook.run(1)
        expect(page.get_by_role("button", name="press me")).to_be_visible()
        notebook.save()
        stored = json.loads((lab.root / "test.ipynb").read_text())
        assert stored["cells"][0]["outputs"]
        assert "widgets" not in stored["metadata"]  # a bundle for each widget would be stored with it


HOSTILE = """
<style>h1 {color: rgb(1, 2, 3)}</style><h1>Hello</h1>
<script>parent.document.title = document.querySelector("h1").textContent = "taken over"</script>
<img src="/logo.png"><form action="/lab"><button>go</button></form><meta http-equiv="refresh" content="0; url=/lab">
"""


def test_a_page_of_a_machine_is_shown_and_can_do_nothing(lab: Lab, context: BrowserContext) -> None:
    cell = (
        f"from flatkit.widgets.results import WebPage\nWebPage(url='http://127.0.0.1:1/', status=200, text={HOSTILE!r})"
    )
    with lab.open(context, [cell]) as notebook:
        page, asked = notebook.page, []
        page.on("request", lambda request: asked.append(request))
        frame = notebook.run(0).frame_locator("iframe")
        expect(frame.get_by_role("heading", name="Hello")).to_have_css("color", "rgb(1, 2, 3)")
        frame.get_by_role("button", name="go").click()
        notebook.wait_until_run(0)
        expect(frame.get_by_role("heading", name="Hello")).to_be_visible()
        assert "taken over" not in page.title()
        # Chromium sometimes reports a request, and after it that the frame's policy stopped it: it never left the browser.
        suspects = [one for one in asked if one.url.endswith(("/logo.png", "/lab", "/lab?"))]
        answers = [one.response() for one in suspects]  # waits for the end of each
        assert [(one.url, one.failure) for one in suspects if one.failure != "csp"] == []
        assert not any(answers)


def test_a_terminal_finds_flatkit(lab: Lab) -> None:
    terminal = lab.ask("POST", "api/terminals")["name"]

    async def ask_where() -> str:
        socket = await websocket_connect(lab.url(f"terminals/websocket/{terminal}").replace("http", "ws", 1))
        await socket.write_message(json.dumps(["stdin", "echo it is: $(command -v flatkit)\n"]))
        said = ""
        while not (found := re.search(r"it is: (/\S*)\r\n", said)):
            said += str(json.loads(await socket.read_message() or "")[1])
        socket.close()
        return found[1]

    with ThreadPoolExecutor(1) as pool:  # the browser's own loop runs in this thread
        where = pool.submit(asyncio.run, asyncio.wait_for(ask_where(), 60)).result()
    assert where == str(Path(sys.executable).with_name("flatkit"))
