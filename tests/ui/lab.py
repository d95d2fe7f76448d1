"""A JupyterLab of the tests' own: folders, settings, token and port that nobody else has; and a notebook opened in it."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal
from urllib.error import HTTPError

import nbformat
from browser import HERE, ROOT
from playwright.sync_api import BrowserContext, Locator, Page, expect

from flatkit.lessons import jupyter_server

# A host that boots machines at the same time may take its time.
_PATIENCE = 180.0
_NUMBERED = re.compile(r"\[\d+\]")

# By the application's own commands: a key would be lost while the page still settles its focus.
_READY = """async () => {
  const panel = jupyterapp.shell.currentWidget;
  await panel.context.ready;
  await panel.sessionContext.ready;
  await panel.sessionContext.session.kernel.info;
}"""
_IDLE = """() => {
  const { kernel } = jupyterapp.shell.currentWidget.sessionContext.session;
  return kernel.connectionStatus === "connected" && kernel.status === "idle";
}"""
_RUN = """number => {
  const { content } = jupyterapp.shell.currentWidget;
  content.activeCellIndex = number;
  content.deselectAll();
  void jupyterapp.commands.execute("notebook:run-cell");
}"""

# A cell of the notebook that is shown, by its id.
IS_IN_SIGHT = """id => {
  const cell = jupyterapp.shell.currentWidget?.content?.widgets?.find(cell => cell.model.id === id);
  const place = cell?.isVisible && cell.node.getBoundingClientRect();
  return place && place.top > 0 && place.bottom < innerHeight;
}"""


class Lab:
    """A running server."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "course"
        self._home = folder
        self._token = secrets.token_hex(16)
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.root.mkdir(parents=True, exist_ok=True)
        settings = self._home / "app-settings"
        (settings / "overrides.d").mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "flatkit" / "jupyterlab-overrides.json", settings / "overrides.d" / "flatkit.json")
        self._port = self._port or _free_port()  # started again it is found where it was
        with (self._home / "server.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--ip={HERE}",
                    f"--port={self._port}", "--ServerApp.port_retries=0", "--LabApp.expose_app_in_browser=True",
                    "--JupyterNotebookApp.expose_app_in_browser=True",
                    f"--IdentityProvider.token={self._token}",
                    f"--ServerApp.root_dir={self.root}", f"--LabApp.app_settings_dir={settings}",
                    *jupyter_server.options(),
                ],
                cwd=self.root, env=self._environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                self.ask("GET", "api/status")
                return
            except OSError:
                assert self._process.poll() is None, f"the server ended: {self.log()}"
                assert time.monotonic() < until, f"the server did not answer: {self.log()}"
                time.sleep(0.1)

    def _environment(self) -> dict[str, str]:
        own = {
            "HOME": self._home, "IPYTHONDIR": self._home / "ipython", "JUPYTER_CONFIG_DIR": self._home / "config",
            "JUPYTER_DATA_DIR": self._home / "data", "JUPYTER_RUNTIME_DIR": self._home / "runtime",
            "JUPYTERLAB_SETTINGS_DIR": self._home / "settings", "JUPYTERLAB_WORKSPACES_DIR": self._home / "workspaces",
            "PYTHONPATH": ROOT,
        }  # fmt: skip
        return {**os.environ, **jupyter_server.environment(), **{name: str(value) for name, value in own.items()}}

    def stop(self) -> None:
        """End it and its kernels."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_PATIENCE)

    def log(self) -> str:
        """The end of what the server said."""
        return (self._home / "server.log").read_text(errors="replace")[-2000:]

    def url(self, path: str) -> str:
        """A page of this server, with its token."""
        return f"http://{HERE}:{self._port}/{path}{'&' if '?' in path else '?'}token={self._token}"

    def ask(self, method: str, path: str) -> Any:
        """Its REST interface."""
        request = urllib.request.Request(
            f"http://{HERE}:{self._port}/{path}", method=method, headers={"Authorization": f"token {self._token}"}
        )
        with urllib.request.urlopen(request, timeout=_PATIENCE) as response:
            body = response.read()
        return json.loads(body) if body else None

    def end_kernels(self) -> None:
        """A notebook that is opened again would find its old kernel."""
        for session in self.ask("GET", "api/sessions"):
            self.ask("DELETE", f"api/sessions/{session['id']}")

    def end_terminals(self) -> None:
        """End those that are left."""
        for terminal in self.ask("GET", "api/terminals"):
            with suppress(HTTPError):  # it has just ended by itself
                self.ask("DELETE", f"api/terminals/{terminal['name']}")

    @contextmanager
    def open(
        self,
        context: BrowserContext,
        cells: Sequence[str],
        *,
        name: str = "test.ipynb",
        app: str = "lab",
        theme: Literal["light", "dark"] = "light",
        is_trusted: bool = False,
    ) -> Iterator[Notebook]:
        """A notebook with these code cells, opened in JupyterLab (`lab`) or Notebook 7 (`notebooks`).

        `is_trusted`: signed before, as flatkit signs the notebooks of a workspace.
        """
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, self.root / name)
        if is_trusted:
            sign = (
                "import sys, pathlib; from flatkit.lessons.layout import trust; assert trust(pathlib.Path(sys.argv[1]))"
            )
            subprocess.run([sys.executable, "-c", sign, name], cwd=self.root, env=self._environment(), check=True)
        with self.show(context, name, app=app, theme=theme) as opened:
            yield opened

    @property
    def data(self) -> Path:
        """The folder of Jupyter's data, with the notebooks that it trusts."""
        return self._home / "data"

    @contextmanager
    def show(
        self, context: BrowserContext, name: str, *, app: str = "lab", theme: Literal["light", "dark"] = "light"
    ) -> Iterator[Notebook]:
        """Open a notebook that is there."""
        page = context.new_page()
        page.emulate_media(color_scheme=theme)  # the course's settings follow it
        page.goto(self.url(f"{app}/tree/{name}?reset" if app == "lab" else f"{app}/{name}"))
        try:
            opened = Notebook(self, page)
            opened.wait_until_ready()
            expect(page.locator("body")).to_have_attribute("data-jp-theme-light", str(theme == "light").lower())
            yield opened
        finally:
            page.close()
            self.end_kernels()


class Notebook:
    """A notebook on a page."""

    def __init__(self, lab: Lab, page: Page) -> None:
        self.lab = lab
        self.page = page

    @property
    def cells(self) -> Locator:
        """Its code cells."""
        return self.page.locator(".jp-Notebook:visible .jp-CodeCell")

    def wait_until_ready(self) -> None:
        """The notebook is shown and its kernel is idle."""
        expect(self.cells.first).to_be_visible(timeout=_PATIENCE * 1000)
        self.page.evaluate(_READY)

    def wait_until_idle(self) -> None:
        """The kernel answers and has nothing to do, after a restart too."""
        self.page.wait_for_function(_IDLE, timeout=_PATIENCE * 1000)

    def run(self, number: int) -> Locator:
        """Run a cell; its output area. Does not wait for its end."""
        self.page.evaluate(_RUN, number)
        return self.cells.nth(number).locator(".jp-OutputArea")

    def wait_until_run(self, number: int) -> None:
        """The cell has a number: it has ended."""
        prompt = self.cells.nth(number).locator(".jp-InputArea-prompt").first
        expect(prompt).to_have_text(_NUMBERED, timeout=_PATIENCE * 1000)

    def save(self) -> None:
        """Save it, with its outputs."""
        self.page.evaluate("() => jupyterapp.shell.currentWidget.context.save()")

    def open_again(self, name: str) -> None:
        """End the kernel, and open the notebook as on another day. Does not wait for a new kernel."""
        self.lab.end_kernels()
        self.page.goto(self.lab.url(f"lab/tree/{name}?reset"))
        expect(self.cells.first).to_be_visible(timeout=_PATIENCE * 1000)

    def restart_kernel(self) -> None:
        """Restart it, as the menu does."""
        self.page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")


def _free_port() -> int:
    """Return a port below those that Linux gives to connections: one of them would take it while the server starts."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HERE, port))
            return port
