"""The editor on a stage, as a person meets it: by names and roles."""

from __future__ import annotations

import time
from pathlib import Path

from playwright.sync_api import Locator, Page, expect
from stage import Mounted, Stage

from flatkit.widgets.editor import Editor

CONFIG = """\
variant: flatcar
version: 1.1.0
passwd:
  users:
    - name: core
      ssh_authorized_keys:
        - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIwq2Be0bPqb9Ko6nLZ6k4bOWlGkrtHzHnb0bqkKsl3P ada@example
storage:
  files:
    - path: /etc/hostname
      contents:
        inline: web
"""


class EditorPage:
    """An editor for `web.bu` in a folder."""

    def __init__(self, stage: Stage, folder: Path, text: str = CONFIG) -> None:
        self.file = folder / "web.bu"
        if not self.file.exists():
            self.file.write_text(text, encoding="utf-8", newline="")
        self.editor = Editor(self.file)
        self.stage = stage
        self.mounted: Mounted = stage.mount(self.editor.page)
        self.page: Page = stage.page
        self.wait()

    @property
    def root(self) -> Locator:
        return self.mounted.root.locator(".fk-editor")

    @property
    def text(self) -> Locator:
        return self.root.get_by_role("textbox", name="Butane config web.bu")

    @property
    def ignition(self) -> Locator:
        return self.root.get_by_role("textbox", name="Ignition config")

    @property
    def problems(self) -> Locator:
        return self.root.get_by_role("list", name="Problems").get_by_role("listitem")

    @property
    def verdict(self) -> Locator:
        return self.root.locator(".fk-verdict")

    def wait(self) -> None:
        """Until the newest text is checked and its Ignition is shown."""
        self.page.wait_for_function(
            "root => root.dataset.checked === root.dataset.seq && root.dataset.became === root.dataset.seq",
            arg=self.root.element_handle(),
        )

    def go_to(self, line: int, column: int = 0) -> None:
        self.text.press("Control+Home")
        for _ in range(line - 1):
            self.page.keyboard.press("ArrowDown")
        for _ in range(column):
            self.page.keyboard.press("ArrowRight")

    def type(self, text: str) -> None:
        """Type at the cursor, and wait for the answer."""
        self.page.keyboard.type(text)
        self.wait()

    def lit(self, pane: Locator) -> Locator:
        """The lines that are lit up in a pane."""
        return pane.locator(".cm-line.fk-lit")

    def wait_for_text(self, text: str) -> None:
        """Until the file holds this."""
        until = time.monotonic() + 60
        while self.file.read_bytes().decode() != text:
            assert time.monotonic() < until, self.file.read_text()
            self.page.wait_for_timeout(20)

    def expect_file(self, text: str) -> None:
        self.wait_for_text(text)
        self.wait()
        expect(self.root.locator(".fk-saved")).to_have_text("✓ saved")
        assert self.file.read_bytes().decode() == text
