"""Notebooks as plain Markdown, for review and translation, and back again with nothing lost.

    python tools/notebook_text.py write [FOLDER]      notebooks/*.ipynb -> FOLDER/*.md     (default: text; also `make text`)
    python tools/notebook_text.py read FILE.md...     FILE.md -> notebooks/FILE.ipynb      (also `make text-back`)
        --to FOLDER                                   write the notebooks there: a translation, say

Each cell begins with a comment that has its kind, its id and its tags; code is in a fence. So the file reads well as
Markdown, a diff shows sentences and not JSON, and a translator changes only the words.
It needs the standard library only: the rest of a notebook (kernel, format) is the same in all of them.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
HEAD = re.compile(r"<!-- cell (\S+) (markdown|code)((?: [a-z-]+)*) -->")
FENCE = re.compile(r"(`{3,})([a-z]*)\n(.*?)(?:\n)?\1\n?", re.DOTALL)
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


class TextFault(Exception):
    """A text that is not a notebook, with its line."""


def as_text(notebook: dict[str, Any]) -> str:
    """Return a notebook as Markdown."""
    if notebook["metadata"] != METADATA:
        raise TextFault("the notebook has metadata of its own; expected the kernel alone")
    return "\n".join(_cell_as_text(cell) for cell in notebook["cells"])


def _cell_as_text(cell: dict[str, Any]) -> str:
    others = set(cell["metadata"]) - {"tags"}
    if others:
        raise TextFault(f'the cell "{cell["id"]}" has metadata that a text cannot hold: {", ".join(sorted(others))}')
    head = " ".join(["<!-- cell", cell["id"], cell["cell_type"], *cell["metadata"].get("tags", ()), "-->"])
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        return f"{head}\n{source}\n"
    longest = max((len(run) for run in re.findall(r"`+", source)), default=0)
    fence = "`" * max(3, longest + 1)
    language = "yaml" if source.startswith("%%butane") else "bash" if source.startswith("%%on") else "python"
    return f"{head}\n{fence}{language}\n{source}{'' if not source else chr(10)}{fence}\n"


def as_notebook(text: str) -> dict[str, Any]:
    """Return the notebook of a text. Raises TextFault."""
    return {"cells": list(_cells(text)), "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}


def _cells(text: str) -> Iterator[dict[str, Any]]:
    heads = [(line.start(), line.end(), line[1], line[2], line[3].split())
             for line in re.finditer(rf"^{HEAD.pattern}$", text, re.MULTILINE)]  # fmt: skip
    if not heads or text[: heads[0][0]].strip():
        raise TextFault('line 1: expected a cell\'s comment: "<!-- cell ID markdown -->"')
    for at, (begin, end, name, kind, tags) in enumerate(heads):
        body = text[end + 1 : heads[at + 1][0] if at + 1 < len(heads) else len(text)]
        line = text.count("\n", 0, begin) + 1
        yield _cell(name, kind, tags, body.strip("\n"), line)


def _cell(name: str, kind: str, tags: list[str], body: str, line: int) -> dict[str, Any]:
    cell: dict[str, Any] = {"cell_type": kind, "id": name, "metadata": {"tags": tags} if tags else {}}
    if kind == "markdown":
        return {**cell, "source": body.splitlines(keepends=True)}
    found = FENCE.fullmatch(body + "\n")
    if found is None:
        raise TextFault(f'line {line}: the code cell "{name}" has no fence, or text beside it')
    cell = {"cell_type": kind, "execution_count": None, "id": name, "metadata": cell["metadata"], "outputs": []}
    return {**cell, "source": found[3].splitlines(keepends=True)}


def packed(notebook: dict[str, Any]) -> str:
    """Return a notebook's file, in the form that Jupyter writes."""
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def write(folder: Path) -> None:
    """Write every notebook's text."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        target = folder / f"{path.stem}.md"
        target.write_text(as_text(json.loads(path.read_text(encoding="utf-8"))), encoding="utf-8")
        print(f"{target}")


def read(files: list[Path], folder: Path) -> None:
    """Write the notebook of each text. Raises TextFault."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        try:
            notebook = as_notebook(file.read_text(encoding="utf-8"))
        except TextFault as fault:
            raise TextFault(f"{file}: {fault}") from None
        (folder / f"{file.stem}.ipynb").write_text(packed(notebook), encoding="utf-8")
        print(f"{folder / file.stem}.ipynb")


def main(argv: list[str]) -> int:
    """Run `write` or `read`."""
    to = NOTEBOOKS
    if "--to" in argv[:-1]:
        at = argv.index("--to")
        to, argv = Path(argv[at + 1]), [*argv[:at], *argv[at + 2 :]]
    try:
        if argv[:1] == ["write"] and len(argv) <= 2:
            write(Path(argv[1] if argv[1:] else "text"))
            return 0
        if argv[:1] == ["read"] and argv[1:]:
            read([Path(name) for name in argv[1:]], to)
            return 0
    except (TextFault, OSError) as fault:
        print(fault, file=sys.stderr)
        return 1
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
