"""Write the course as web pages that need no installation: `make site`.

    python tools/make_site.py [FOLDER]      default: site; what an earlier run wrote there is replaced

Each notebook becomes a page: its text, its cells, its pictures, and the recorded run of its demo, in
the player of the notebooks. Everything that a page shows is beside it, so the folder can be opened from a disk as well
as served. The results of cells are left out.
"""

from __future__ import annotations

import gzip
import html
import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flatkit.demos.recording import find_recording, read_recording
from flatkit.lessons.glossary import Planned, plan
from flatkit.widgets.card import STATIC

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
PARTS = Path(__file__).resolve().parent / "site"
PLAYED = re.compile(r"""fk\.play\(\s*["']([a-z]+)["']""")
# Demos for lessons whose own cells play none.
SHOWN = {"00-start": ("provision",), "01-provision": ("provision",), "03-immutable": ("immutable",), "06-sysext": ("sysext",),
         "07-containers": ("containers",), "09-your-own": ("update",)}  # fmt: skip
MARK = "flatkit course"  # marks a folder as written by this program


def source_of(cell: dict[str, Any]) -> str:
    """A cell's text."""
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def demos_of(name: str, cells: list[dict[str, Any]]) -> list[str]:
    """Return the recorded demos of a notebook."""
    code = "\n".join(source_of(cell) for cell in cells if cell["cell_type"] == "code")
    wanted = PLAYED.findall(code) or SHOWN.get(name, ())
    return [demo for demo in dict.fromkeys(wanted) if find_recording(demo)]


def text_cell(source: str) -> str:
    """Return Markdown as HTML."""
    from nbconvert.filters import markdown2html

    made = re.sub(r'<a class="anchor-link".*?</a>', "", str(markdown2html(source)))
    return f'<div class="text">{made}</div>'


def code_cell(cell: dict[str, Any]) -> str:
    """Return a cell as it is typed; `taught-failure` and an exercise are described in words."""
    source, tags = source_of(cell), set(cell["metadata"].get("tags", ()))
    if not source.strip():
        return '<p class="blank">An empty cell: here you work.</p>'
    note = '<p class="note">This cell fails on purpose.</p>' if "taught-failure" in tags else ""
    return f'<pre class="code" tabindex="0" role="region" aria-label="a cell"><code>{html.escape(source)}</code></pre>{note}'


def recorded_run(demo: str) -> str:
    """Return the element of a player, with its recording inside: nothing is fetched."""
    path = find_recording(demo)
    assert path is not None
    recording = read_recording(path)
    data = path.read_bytes()
    cast = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()
    # "<" would end the element; JSON allows this escape.
    inside = cast.replace("<", "\\u003c")
    banner = html.escape(recording.banner)
    return (
        f'<section class="run" aria-label="recorded run of {demo}"><h2>See it happen</h2>'
        f"<p>The demo <code>{demo}</code>, {banner}. Play it step by step, or all of it.</p>"
        f'<div class="player" data-banner="{banner}"><script type="text/plain">{inside}</script></div>'
        f"<noscript><p>The player needs JavaScript. In a terminal: <code>flatkit demo run {demo} --replay</code></p></noscript>"
        "</section>"
    )


def page(title: str, body: str) -> str:
    """Return a whole page."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="generator" content="{MARK}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{html.escape(title)}</title>'
        '<link rel="stylesheet" href="player.css"><link rel="stylesheet" href="site.css"></head>'
        f'<body><a class="skip" href="#content">To the content</a>{body}'
        '<script src="player.js"></script><script src="gallery.js"></script></body></html>\n'
    )


def notebook_page(one: Planned, before: Planned | None, after: Planned | None) -> str:
    """Return a notebook's page, with links to its neighbours. The run follows the opening, where it is seen."""
    cells = json.loads((NOTEBOOKS / f"{one.name}.ipynb").read_text(encoding="utf-8"))["cells"]
    shown = [text_cell(source_of(cell)) if cell["cell_type"] == "markdown" else code_cell(cell) for cell in cells]
    runs = "".join(recorded_run(demo) for demo in demos_of(one.name, cells))
    ways = "".join(
        f'<a rel="{rel}" href="{other.name}.html">{words}: {html.escape(other.title)}</a>'
        for rel, words, other in (("prev", "Before", before), ("next", "Next", after))
        if other
    )
    nav = f'<nav aria-label="Course"><a href="index.html">All lessons</a>{ways}</nav>'
    return page(
        one.title,
        f'<header>{nav}</header><main id="content">{shown[0]}{runs}{"".join(shown[1:])}</main><footer>{nav}</footer>',
    )


def index_page(written: list[Planned]) -> str:
    """Return the list of lessons."""
    rows = "".join(
        f'<li><a href="{one.name}.html">{html.escape(one.title)}</a> '
        f"<span>{one.minutes} minutes, {'core' if one.core else 'to take home'}</span><p>{html.escape(goal_of(one))}</p></li>"
        for one in written
    )
    minutes = sum(one.minutes for one in written if one.core)
    return page("Learn Flatcar by doing it", (
        '<main id="content"><h1>Learn Flatcar by doing it</h1>'
        "<p>You write a config in a notebook, see what it becomes, boot a real machine with it, and watch the ideas of Flatcar "
        "Container Linux happen on that machine. These pages show the notebooks as they are, with recorded runs: to do it "
        f"yourself, clone the repository and type <code>make workshop</code>. The core path takes {minutes} minutes.</p>"
        f'<ol class="lessons">{rows}</ol></main>'))  # fmt: skip


def goal_of(one: Planned) -> str:
    """Return the goal from the notebook's opening."""
    cells = json.loads((NOTEBOOKS / f"{one.name}.ipynb").read_text(encoding="utf-8"))["cells"]
    found = re.search(r"\*\*Goal\*\*: (.+)", source_of(cells[0]))
    return found[1][:1].upper() + found[1][1:] if found else ""


def scripts() -> Iterator[tuple[str, str]]:
    """Yield the notebooks' player as a script that needs no server: browsers load no modules from a disk."""
    code, found = re.subn(r"export\{(\w+) as default\};?\s*$", r"window.flatkitPlayer=\1;", _read(STATIC / "player.js"))
    if found != 1:
        raise SystemExit("player.js does not end with its one export; expected a bundle of make bundles")
    yield "player.js", f"(()=>{{{code}}})();\n"
    yield "player.css", _read(STATIC / "player.css")
    for file in sorted(PARTS.iterdir()):
        yield file.name, _read(file)


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def make(folder: Path) -> list[Path]:
    """Write all of it; return the pages. A folder with other contents is left alone."""
    index = folder / "index.html"
    if (
        folder.exists()
        and any(folder.iterdir())
        and not (index.is_file() and MARK in index.read_text(encoding="utf-8"))
    ):
        raise SystemExit(f'"{folder}" has something else in it; expected an empty folder, or an older site')
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    written = [one for one in plan() if (NOTEBOOKS / f"{one.name}.ipynb").is_file()]
    beside = [None, *written, None]
    pages = {"index.html": index_page(written)}
    for at, one in enumerate(written):
        pages[f"{one.name}.html"] = notebook_page(one, beside[at], beside[at + 2])
    for name, text in (*pages.items(), *scripts()):
        (folder / name).write_text(text, encoding="utf-8")
    shutil.copytree(NOTEBOOKS / "pictures", folder / "pictures")
    return [folder / name for name in pages]


def main(argv: list[str]) -> int:
    """Write the site, and print its place."""
    folder = Path(argv[0] if argv else "site")
    pages = make(folder)
    print(f"{len(pages)} pages; open {folder / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
