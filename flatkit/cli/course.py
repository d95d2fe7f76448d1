"""`flatkit course`: opens the course in JupyterLab, in the learner's own folder; its words, its people."""

from __future__ import annotations

import argparse
import os
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from flatkit import jupyter_start
from flatkit.cli.options import whole_number
from flatkit.errors import UsageError
from flatkit.lessons import jupyter_server
from flatkit.lessons.layout import FOLDER, find_folder
from flatkit.run import become
from flatkit.seats import container_end
from flatkit.untrusted import printable

_LINE_MAX = 4096


def run(argv: list[str]) -> int:
    """Run the command that the first word names."""
    return {"community": _community, "course": _course, "glossary": _glossary}[argv[0]](argv[1:])


def _course(argv: list[str]) -> int:
    """Lay out the notebooks, and replace this process by JupyterLab."""
    parser = argparse.ArgumentParser(
        prog="flatkit course",
        description="Open the course in JupyterLab, from a folder of your own. A newer flatkit brings its notebooks there; "
        "one that you have changed stays, and the new one is laid beside it.",
    )
    parser.add_argument("--folder", type=Path, help=f"your folder (default: {FOLDER})")
    parser.add_argument("--copy-only", action="store_true", help="lay out the notebooks, and open nothing")
    parser.add_argument("--no-browser", action="store_true")
    parser.add_argument("--port", type=whole_number)
    parser.add_argument("--ip", default="127.0.0.1", help="address to listen on; in a container: 0.0.0.0")
    options = parser.parse_args(argv)
    folder = find_folder(options.folder, say=lambda line: print(printable(line, limit=_LINE_MAX)))
    first = min(folder.glob("*.ipynb"), default=None)
    if first is None:
        raise UsageError(f'"{folder}" holds no notebooks', hint="flatkit course --folder SOME-NEW-FOLDER")
    if options.copy_only:
        print(printable(folder, limit=4096))
        return 0
    command = [*jupyter_start.command("jupyterlab"), f"--ip={options.ip}", *jupyter_server.options()]
    # The address that the server prints leads to the notebook, too, where no browser opens by itself.
    command += [f"--ServerApp.root_dir={folder}", f"--LabApp.default_url=/lab/tree/{quote(first.name)}"]
    command += ["--no-browser"] if options.no_browser else []
    command += [f"--port={options.port}"] if options.port else []
    command += container_end.options()
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    os.environ.update(jupyter_server.environment())
    print(f"opening {printable(first)}", flush=True)
    return become(command)


def _glossary(argv: list[str]) -> int:
    """Print one term, or all of them."""
    from flatkit.lessons.glossary import get_term, glossary

    parser = argparse.ArgumentParser(
        prog="flatkit glossary", description="The course's words, one plain sentence each."
    )
    parser.add_argument("word", nargs="*")
    options = parser.parse_args(argv)
    terms = (get_term(" ".join(options.word)),) if options.word else glossary()
    for term in terms:
        print(term)
    return 0


def _community(argv: list[str]) -> int:
    """Print links and dates."""
    from flatkit.lessons.community import as_text

    argparse.ArgumentParser(
        prog="flatkit community", description="Where Flatcar's people are, and when they meet."
    ).parse_args(argv)
    print(as_text(datetime.now(UTC)))
    return 0
