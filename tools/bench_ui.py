"""Measure the notebook's widgets in a real JupyterLab and browser: `tools/bench_ui.py [--check]`.

With --check a missed target is exit status 1. The page itself measures the time from a key to the painted answer: from
the keydown event to the end of the frame that shows the faults of the newest text.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
# The tests' own JupyterLab and browser.
sys.path[:0] = [str(ROOT / "tests" / "ui"), str(ROOT / "tools")]

import every_widget  # noqa: E402
from bench_butane import SMALL, large  # noqa: E402
from browser import find_chromium, launch, open_context  # noqa: E402
from lab import Lab, Notebook  # noqa: E402
from playwright.sync_api import expect, sync_playwright  # noqa: E402

KEYS = 40
_WATCH = """root => {
  window.took = [];
  let pressed = null;
  root.addEventListener("keydown", () => { pressed = performance.now(); }, true);
  const painted = new MessageChannel();
  painted.port1.onmessage = () => {
    if (pressed === null || root.dataset.checked !== root.dataset.seq) return;
    window.took.push(performance.now() - pressed);
    pressed = null;
  };
  new MutationObserver(() => painted.port2.postMessage(0)).observe(root, { attributeFilter: ["data-checked"] });
}"""
_ECHO = """root => {
  window.took = [];
  let pressed = null;
  root.addEventListener("keydown", () => { pressed = performance.now(); }, true);
  new MutationObserver(() => {
    if (pressed !== null) window.took.push(performance.now() - pressed);
    pressed = null;
  }).observe(root.querySelector(".xterm-rows"), { childList: true, subtree: true, characterData: true });
}"""
_READY = """async ([number, selector]) => {
  const { content } = jupyterapp.shell.currentWidget;
  content.activeCellIndex = number;
  content.deselectAll();
  const began = performance.now();
  void jupyterapp.commands.execute("notebook:run-cell");
  while (!document.querySelector(selector)) await new Promise(requestAnimationFrame);
  return performance.now() - began;
}"""


def percentile(values: list[float], share: float) -> float:
    """Return the value that this share of the values does not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def keys(notebook: Notebook, name: str, *, pause: float) -> list[float]:
    """Return milliseconds from a key to the painted answer; `pause` 0 waits for each answer, else keys come at that interval."""
    page = notebook.page
    text = page.get_by_role("textbox", name=f"Butane config {name}")
    text.press("Control+Home")
    root = page.locator(".fk-editor").filter(has=text)
    root.evaluate(_WATCH)
    for number in range(KEYS):
        page.keyboard.press("#" if number == 0 else "abcdefghij"[number % 10])
        if pause:
            page.wait_for_timeout(pause)
        else:
            page.wait_for_function("count => took.length >= count", arg=number + 1)
    page.wait_for_function(
        "root => root.dataset.checked === root.dataset.seq", arg=root.element_handle(), timeout=20_000
    )
    return [float(value) for value in page.evaluate("took")]


def echoes(notebook: Notebook) -> list[float]:
    """Return milliseconds from a key in the server's terminal until its echo is on the screen."""
    page = notebook.page
    terminal = page.get_by_role("region", name="terminal on every", exact=True)
    expect(terminal.get_by_role("status").first).to_contain_text("connected")
    terminal.locator(".xterm").first.click()
    terminal.evaluate(_ECHO)
    for number in range(KEYS):
        page.keyboard.press("abcdefghij"[number % 10])
        page.wait_for_function("count => took.length >= count", arg=number + 1)
    return [float(value) for value in page.evaluate("took")]


@contextmanager
def notebooks() -> Iterator[Any]:
    """Yield a function that opens a notebook, in a JupyterLab and a browser."""
    path = find_chromium()
    if path is None:
        raise SystemExit("there is no Chromium on this host; next: tools/setup.sh test")
    with tempfile.TemporaryDirectory(prefix="flatkit-bench-") as folder:
        os.environ["FLATKIT_STATE"] = f"{folder}/state"
        lab = Lab(Path(folder))
        try:
            lab.start()
            (lab.root / "small.bu").write_text(SMALL + "# more\n" * (60 - SMALL.count("\n")))
            (lab.root / "large.bu").write_text(large())
            with sync_playwright() as playwright:
                browser = launch(playwright, path)
                with open_context(browser) as context:
                    yield lab, lambda cells: lab.open(context, cells)
                browser.close()
        finally:
            lab.stop()


def _echo_row(what: str, took: list[float], target: float) -> tuple[str, float, float, str, float]:
    return (what, statistics.median(took), percentile(took, 0.95), "ms", target)


def measure() -> list[tuple[str, float, float, str, float]]:
    """Return (name, median, p95 or the one value, unit, target) for each measure."""
    rows = []
    with notebooks() as (lab, opened):
        for name, words, target in (("small.bu", "60 lines", 100.0), ("large.bu", "2,000 lines", 250.0)):
            with opened(["import flatkit as fk", f'fk.editor("{name}")']) as notebook:
                notebook.run(0)
                notebook.wait_until_run(0)
                ready = notebook.page.evaluate(_READY, [1, ".fk-editor[data-became]"])
                rows.append((f"editor ready, {words}", ready, ready, "ms", 2000.0))
                expect(notebook.page.locator(".fk-verdict")).to_contain_text("✓")
                for rhythm, pause in (("single keys", 0.0), ("typing, a key each 60 ms", 60.0)):
                    took = keys(notebook, name, pause=pause)
                    p95 = percentile(took, 0.95)
                    rows.append((f"key to answer, {words}, {rhythm}", statistics.median(took), p95, "ms", target))
        cells = every_widget.prepare(lab)
        (shell,) = (cell for cell in cells if "TerminalWidget" in cell)
        with opened([shell]) as notebook:
            notebook.run(0)
            rows.append(_echo_row("echo in the server's terminal", echoes(notebook), 30.0))
        with opened(cells) as notebook:
            first = every_widget.run_all(notebook)
            rows.append(_echo_row("echo on a page with every widget", echoes(notebook), 50.0))
            notebook.wait_until_idle()
            notebook.save()
            stored = (lab.root / "test.ipynb").stat().st_size / 1000
            rows.append(("a notebook with every widget, as stored", stored, stored, "KB", 200.0))
        # A kernel's first page includes the imports; in a lesson the kernel has imported flatkit already.
        with opened(
            ["import flatkit as fk; fk.doctor(); fk.editor('every.bu')", *every_widget.prepare(lab)]
        ) as notebook:
            notebook.run(0)
            notebook.wait_until_run(0)
            warm = every_widget.run_all(notebook, skip=1)
        rows.append(("all widgets on a page, first cells of a kernel", first, first, "ms", 4000.0))
        rows.append(("all widgets on a page", warm, warm, "ms", 2000.0))
    static = sum(file.stat().st_size for file in (ROOT / "flatkit" / "widgets" / "static").iterdir())
    rows.append(("all bundles", static / 1000, static / 1000, "KB", 900.0))
    return rows


def main(argv: list[str]) -> int:
    rows = measure()
    for what, median, worst, unit, target in rows:
        missed = "   MISSED" if worst > target else ""
        print(f"{what:<52} {median:8.1f}   p95 {worst:8.1f} {unit}   (target {target:g} {unit}){missed}")
    return 1 if "--check" in argv and any(worst > target for _, _, worst, _, target in rows) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
