"""Checks the form of the notebooks: order, titles, short cells, few new words, exercises, stored without outputs.

    python tools/check_notebooks.py [FOLDER]        one line a fault, status 1 when there is any

The folder named notebooks is the course, and must match its plan (flatkit/lessons/plan.json); another folder is another
author's lesson.

It needs the standard library only, so that an author can run it anywhere. CONTRIBUTING.md explains each rule.
"""

from __future__ import annotations

import ast
import itertools
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_WORDS = 60
MAX_CODE_LINES = 5
MAX_CONFIG_LINES = 40  # a cell that starts with %%butane is a user's config, not code
MAX_CODE_RUN = 2  # code cells in a row with no text between them
RECAP_QUESTIONS = 3
MAX_NEW_TERMS = 5
MIN_EXERCISES = 2
LESSONS = Path(__file__).resolve().parents[1] / "flatkit" / "lessons"
TAGS = {
    "check", "clean-up", "def", "exercise", "hint", "predict", "raises-exception", "recap", "skip-execution",
    "solution", "taught-failure",
}  # fmt: skip
# Statements that depend on Flatcar's version; flatkit/lessons/versions.py says more.
FACT_TAGS = {f"fact-{row['name']}" for row in json.loads((LESSONS / "versions.json").read_text(encoding="utf-8"))}
NAME = re.compile(r"(\d\d)-[a-z0-9]+(-[a-z0-9]+)*\.ipynb")
CELL_ID = re.compile(r"[a-zA-Z0-9-_]{1,64}")
PLACES_OF_ONE_HOST = re.compile(r"(?<![\w.])(/home/(?!(core|ada)\b)|/Users/|/root/|[A-Z]:\\)")
FETCHED_WHEN_SHOWN = re.compile(r"!\[[^]]*\]\(\s*https?:|<(?:img|script|link|iframe)\b[^>]*https?:", re.IGNORECASE)
BOLD = re.compile(r"\*\*(.+?)\*\*(:?)")
LABEL = re.compile(r"\d+\.( |$)|(Predict|Step \d+)$")  # also bold, but not new terms
CHECK_CALL = re.compile(r"""fk\.check\(\s*["']([^"']+)["']""")
TITLE_NEEDS = {"goal": "its goal", "minutes": "how many minutes it takes", "needs": "what it needs"}

Cell = dict[str, Any]


def source_of(cell: Cell) -> str:
    """Return a cell's text; the format allows a list of lines as well."""
    source = cell.get("source", "")
    return "".join(source) if isinstance(source, list) else str(source)


def count_words(markdown: str) -> int:
    """Return the number of words that a learner reads: without comments, fenced blocks, link targets and markup."""
    text = re.sub(r"<!--.*?-->|```.*?```|<[^>]+>", " ", markdown, flags=re.DOTALL)
    text = re.sub(r"\]\([^)]*\)", "]", text)
    return sum(1 for word in text.split() if re.search(r"\w", word))


def headings(markdown: str) -> list[tuple[int, str]]:
    """Return level and text of each heading outside fenced blocks."""
    text = re.sub(r"```.*?```", "", markdown, flags=re.DOTALL)
    return [(len(found[1]), found[2].strip()) for found in re.finditer(r"^(#{1,6}) (.*)$", text, flags=re.MULTILINE)]


def tags_of(cell: Cell) -> set[str]:
    """The cell's tags."""
    return set(cell.get("metadata", {}).get("tags", []))


def order_faults(names: list[str]) -> Iterator[str]:
    """Check that names are `NN-topic.ipynb`, numbered without a gap, from 00 or 01."""
    numbers = []
    for name in names:
        found = NAME.fullmatch(name)
        if found:
            numbers.append(int(found[1]))
        else:
            yield f'{name}: expected a name such as "03-immutable.ipynb": two digits, a hyphen, lower-case words'
    if numbers and numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        yield f"the numbers are {numbers}; expected each once, without a gap"
    if numbers and numbers[0] > 1:
        yield f"the first number is {numbers[0]}; expected 00 or 01"


def notebook_faults(notebook: dict[str, Any]) -> Iterator[str]:
    """Find the faults of one notebook, in the order of its cells."""
    version = (notebook.get("nbformat"), notebook.get("nbformat_minor"))
    if version != (4, 5):
        yield f"format {version[0]}.{version[1]}; expected 4.5, which keeps cell ids"
    kernel = notebook.get("metadata", {}).get("kernelspec", {}).get("name")
    if kernel != "python3":
        yield f'kernel "{kernel}"; expected "python3"'
    cells: list[Cell] = notebook.get("cells", [])
    yield from shape_faults(cells)
    yield from rhythm_faults(cells)
    seen: set[str] = set()
    for number, cell in enumerate(cells, 1):
        for fault in (*id_faults(cell, seen), *cell_faults(cell)):
            yield f"cell {number} ({cell.get('id', 'no id')}): {fault}"


def shape_faults(cells: list[Cell]) -> Iterator[str]:
    """Check the notebook as a whole: opening, headings in order, rhythm, recap and clean-up."""
    if not cells or cells[0].get("cell_type") != "markdown" or not source_of(cells[0]).startswith("# "):
        yield 'expected a first cell of text that starts with the title: "# ..."'
    opening = " ".join(source_of(cell) for cell in cells[:3] if cell.get("cell_type") == "markdown").lower()
    for word, what in TITLE_NEEDS.items():
        if word not in opening:
            yield f'the opening does not say {what}; expected the word "{word}" in the first three cells'
    levels = [heading for cell in cells if cell["cell_type"] == "markdown" for heading in headings(source_of(cell))]
    if sum(level == 1 for level, _ in levels) > 1:
        yield "more than one title (# ...); expected sections to be ## or deeper"
    for (above, _), (below, text) in itertools.pairwise(levels):
        if below > above + 1:
            yield f'the heading "{text}" skips a level; a screen reader reads levels as structure'
    run = 0
    for number, cell in enumerate(cells, 1):
        # A prediction is a question to the reader: it counts as text.
        run = run + 1 if is_code(cell) and "predict" not in tags_of(cell) else 0
        if run == MAX_CODE_RUN + 1:
            yield f"cell {number}: more than {MAX_CODE_RUN} code cells in a row; say what to notice between them"
    yield from ending_faults(cells)


def ending_faults(cells: list[Cell]) -> Iterator[str]:
    """Check that a lesson closes with three recap questions and a clean-up cell."""
    texts = [source_of(cell) for cell in cells if cell["cell_type"] == "markdown"]
    recap = [index for index, text in enumerate(texts) if any("recap" in name.lower() for _, name in headings(text))]
    asked = "".join(texts[recap[-1] :]).count("?") if recap else 0
    if recap and any(name.endswith("-recap") for name in checked(cells)):
        asked = RECAP_QUESTIONS  # a quiz; the tests check its number of questions
    if asked < RECAP_QUESTIONS:
        yield (
            f'{asked} recap questions; expected a heading "Recap", and below it {RECAP_QUESTIONS} questions '
            'or fk.check("NN-recap")'
        )
    if not any("clean(" in source_of(cell) or "clean-up" in tags_of(cell) for cell in cells[-6:] if is_code(cell)):
        yield "no clean-up near the end; expected a code cell with fk.clean()"


def checked(cells: list[Cell]) -> list[str]:
    """Return the names that `fk.check` is called with, in order."""
    return [name for cell in cells if is_code(cell) for name in CHECK_CALL.findall(source_of(cell))]


def is_exercise(name: str) -> bool:
    """True unless `fk.check` asks a quiz, a prediction or the questions of earlier days by this name."""
    return name != "review" and not name.endswith("-recap") and re.search(r"-predict(-|$)", name) is None


def rhythm_faults(cells: list[Cell]) -> Iterator[str]:
    """Check that learners predict, fail on purpose, and practise: each at least once, exercises at least twice."""
    predicted = [at for at, cell in enumerate(cells) if "predict" in tags_of(cell)]
    if not predicted:
        yield 'nothing to predict; expected a cell tagged "predict" that asks what will happen, and code after it'
    if any(
        not any(is_code(cell) and "predict" not in tags_of(cell) for cell in cells[at + 1 : at + 3]) for at in predicted
    ):
        yield 'a "predict" cell is not followed by the code that shows what happens'
    if not any("taught-failure" in tags_of(cell) for cell in cells if is_code(cell)):
        yield 'nothing fails on purpose; expected a code cell tagged "taught-failure", with its real message'
    exercises = [name for name in checked(cells) if is_exercise(name)]
    if len(set(exercises)) < MIN_EXERCISES:
        yield f"{len(set(exercises))} exercises with a check; expected {MIN_EXERCISES} or more calls of fk.check"
    for at, cell in enumerate(cells):
        names = [name for name in CHECK_CALL.findall(source_of(cell)) if is_exercise(name)]
        blank = any("exercise" in tags_of(before) for before in cells[max(0, at - 2) : at])
        if is_code(cell) and names and not blank:
            yield f'the exercise "{names[0]}" has no cell to work in; expected one tagged "exercise" before its check'
    text = " ".join(source_of(cell) for cell in cells if not is_code(cell))
    if "lab image" not in text.lower() or "flatcar" not in text.lower():
        yield "does not say what is lab image and what is Flatcar; expected both words"


def new_terms(cells: list[Cell]) -> list[str]:
    """Return the new terms, which are in bold. A word that ends with a colon, a question's number and "Predict" are labels."""
    found = []
    for cell in cells:
        if not is_code(cell):
            text = re.sub(r"```.*?```", "", source_of(cell), flags=re.DOTALL)
            bold = [(word, tail) for word, tail in BOLD.findall(text) if not LABEL.match(word)]
            found += [word for word, tail in bold if not tail and not word.endswith(":")]
    return found


def term_faults(cells: list[Cell], known: set[str], before: set[str]) -> Iterator[str]:
    """Check that new terms are in the glossary (`known`, in lower case) and are few; those of lessons before are not new."""
    terms = list(dict.fromkeys(word.lower() for word in new_terms(cells)))
    for word in terms:
        if word not in known:
            yield f'"{word}" is in bold, which is for new terms, and not in the glossary (flatkit/lessons/glossary.json)'
    fresh = [word for word in terms if word in known and word not in before]
    if len(fresh) > MAX_NEW_TERMS:
        yield f"{len(fresh)} new terms ({', '.join(fresh)}); expected at most {MAX_NEW_TERMS}"


def plan_faults(name: str, cells: list[Cell], plan: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Check that title, minutes and path match the plan."""
    planned = plan.get(name)
    if planned is None:
        yield f"is not in the plan (flatkit/lessons/plan.json); expected one of {', '.join(plan)}"
        return
    opening = source_of(cells[0]) if cells else ""
    wanted = f"# {planned['title']}"
    if opening.split("\n", 1)[0].strip() != wanted:
        yield f'the title is not the one of the plan; expected "{wanted}"'
    for label, value in (("Minutes", planned["minutes"]), ("Path", "core" if planned["core"] else "to take home")):
        if not re.search(rf"\*\*{label}\*\*: {value}\b", opening):
            yield f'the opening does not say "**{label}**: {value}", as the plan does'


def is_code(cell: Cell) -> bool:
    """True for a code cell."""
    return bool(cell["cell_type"] == "code")


def id_faults(cell: Cell, seen: set[str]) -> Iterator[str]:
    """Check that cells have stable ids: comments, translations and the tests refer to them."""
    own = cell.get("id", "")
    if not CELL_ID.fullmatch(own):
        yield f'id "{own}"; expected 1 to 64 letters, digits, hyphens or underscores'
    elif own in seen:
        yield "this id was used before; expected each once"
    seen.add(own)


def cell_faults(cell: Cell) -> Iterator[str]:
    """Check each cell alone."""
    source, tags = source_of(cell), tags_of(cell)
    for tag in sorted(tags - TAGS - FACT_TAGS):
        yield f'unknown tag "{tag}"; expected one of {", ".join(sorted(TAGS))}'
    if not source.strip() and "exercise" not in tags:
        yield 'empty; expected content, or the tag "exercise" on a cell that the learner fills'
    # Text typed on a machine, or written in its config, is a path of that machine.
    found = None if source.lstrip().startswith("%%") else PLACES_OF_ONE_HOST.search(source)
    if found:
        yield f'"{found[1]}" exists on one host only; expected a path relative to the course'
    if "<abbr" in source:
        yield "marks a term by hand; expected plain text: the terms are marked when the course is laid out"
    if found := FETCHED_WHEN_SHOWN.search(source):
        yield f'"{found[0]}" is fetched when shown; expected the picture in the package: a room may have no network'
    if is_code(cell):
        yield from code_faults(cell, source, tags)
    elif cell["cell_type"] == "markdown":
        words = count_words(source)
        if words > MAX_WORDS:
            yield f"{words} words; expected at most {MAX_WORDS}"
    else:
        yield f"a {cell['cell_type']} cell; expected text or code"


def code_faults(cell: Cell, source: str, tags: set[str]) -> Iterator[str]:
    """Check that code is short, shows no stored result, imports only flatkit and hides no logic."""
    if cell.get("outputs"):
        yield "holds outputs; expected none (in JupyterLab: Edit, Clear Outputs of All Cells)"
    if cell.get("execution_count") is not None:
        yield "holds an execution count; expected none"
    lines = [line for line in source.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    limit = MAX_CONFIG_LINES if source.startswith("%%butane") else MAX_CODE_LINES
    if len(lines) > limit:
        yield f"{len(lines)} lines; expected at most {limit}"
    if source.startswith("%%"):
        return
    try:
        tree = ast.parse(re.sub(r"^[ \t]*[%!?].*$", "pass", source, flags=re.MULTILINE), mode="exec")
    except SyntaxError as error:
        if "taught-failure" not in tags:
            yield f"is not Python: {error.msg}, line {error.lineno}"
        return
    yield from python_faults(tree, tags)


def python_faults(tree: ast.Module, tags: set[str]) -> Iterator[str]:
    """Check that notebooks import only flatkit, and define nothing unless the definition is the lesson."""
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "."]
        yield from (f'imports "{name}"; expected flatkit only' for name in names if name.partition(".")[0] != "flatkit")
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and "def" not in tags:
            yield f'defines "{node.name}"; expected it in flatkit, tested (or the tag "def" when it is the lesson)'


def check(folder: Path, plan: dict[str, dict[str, Any]] | None = None) -> list[str]:
    """Return every fault of every notebook of a folder; with a plan, numbers of unwritten notebooks may be missing."""
    files = sorted(folder.glob("*.ipynb"))
    faults = [] if plan else list(order_faults([file.name for file in files]))
    known = {row["term"].lower() for row in json.loads((LESSONS / "glossary.json").read_text(encoding="utf-8"))}
    before: set[str] = set()
    for file in files:
        try:
            notebook = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            faults.append(f"{file.name}: is not JSON: {error}")
            continue
        cells = notebook.get("cells", [])
        found = [*notebook_faults(notebook), *term_faults(cells, known, before)]
        found += plan_faults(file.stem, cells, plan) if plan else []
        before |= {word.lower() for word in new_terms(cells)}
        faults += [f"{file.name}: {fault}" for fault in found]
    return faults


def read_plan(folder: Path) -> dict[str, dict[str, Any]] | None:
    """Return the course's plan by name, when the folder is the course; else None."""
    if folder.resolve() != LESSONS.parents[1] / "notebooks":
        return None
    return {row["name"]: row for row in json.loads((LESSONS / "plan.json").read_text(encoding="utf-8"))}


def main(arguments: list[str]) -> int:
    """Print the faults; return the exit status."""
    folder = Path(arguments[0] if arguments else "notebooks")
    if not folder.is_dir():
        print(f'"{folder}" is not a folder; expected the one with the notebooks. Next: make check', file=sys.stderr)
        return 2
    plan = read_plan(folder)
    faults = check(folder, plan)
    for fault in faults:
        print(fault)
    written = {file.stem for file in folder.glob("*.ipynb")}
    missing = [name for name in plan or {} if name not in written]
    print(f"notebooks: {len(written)} looked at, {len(faults)} faults")
    if missing:
        print(f"not written yet: {', '.join(missing)}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
