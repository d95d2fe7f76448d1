"""The statements that depend on Flatcar's version: the table, who refers to it, and that nobody states a version without it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from flatkit.demos.facts import find_refusal
from flatkit.errors import UsageError
from flatkit.ignition_specs import BUTANE_MAJOR, CLEVIS_MAJOR, READERS, find_major, find_reader
from flatkit.images.lab.recipe import RELEASES
from flatkit.lessons.glossary import glossary
from flatkit.lessons.versions import REFERENCE, TAG, get_version_fact, version_facts

ROOT = Path(__file__).resolve().parents[2]
FACTS = version_facts()
# A major version of Flatcar in a sentence: alone, or with its minor and patch.
MAJOR = re.compile(r"(?<![\w.#/-])(3[1-9]\d\d|4[0-9]\d\d)(?:\.\d\.\d+)?(?![\w/])")


def references() -> Iterator[tuple[str, str, str]]:
    """Where, the statement's name ("" for none), and the text."""
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for cell in json.loads(path.read_text())["cells"]:
            tags = [tag for tag in cell["metadata"].get("tags", ()) if tag.startswith(TAG)]
            for tag in tags or [TAG]:
                yield f"{path.stem} {cell['id']}", tag.removeprefix(TAG), "".join(cell["source"])
    for lesson, quizzes in json.loads((ROOT / "flatkit/lessons/quizzes.json").read_text()).items():
        for question in (question for quiz in quizzes for question in quiz["questions"]):
            yield f"quiz {lesson}", question.get("fact", ""), json.dumps(question)
    for term in glossary():
        yield f"glossary {term.term}", term.fact, term.text
    for line in (ROOT / "docs/fidelity.md").read_text().splitlines():
        for name in REFERENCE.findall(line) or [""]:
            yield "docs/fidelity.md", name, line


def test_every_reference_leads_to_a_statement_and_every_statement_is_referred_to() -> None:
    names = {name for _, name, _ in references() if name}
    assert names == {fact.name for fact in FACTS}


def test_no_notebook_quiz_or_term_states_a_version_without_a_reference() -> None:
    bare = [
        (where, found[0])
        for where, name, text in references()
        if not name and not where.startswith("docs/") and (found := MAJOR.search(text))
    ]
    assert bare == []
    assert MAJOR.search("From Flatcar 4820 on")
    assert MAJOR.search("stable 4757.2.1 has")
    assert not MAJOR.search("port 8080, Flatcar#2425, kernel 6.12.111")


def test_a_version_in_a_sentence_is_one_of_its_statements() -> None:
    """A reference is no fig leaf: where a sentence has a number, one of its statements has it as its range or in its sources."""
    wanted: dict[tuple[str, str], set[str]] = {}
    for where, name, text in references():
        if name and not where.startswith("docs/"):
            wanted.setdefault((where, text), set()).add(name)
    for (where, text), names in wanted.items():
        known = "".join(f"{fact} {fact.since} {fact.until}" for fact in map(get_version_fact, names))
        # 4757 is today's stable: what begins later is told against it.
        assert [number for number in MAJOR.findall(text) if number not in f"{known} 4757"] == [], where


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.name)
def test_a_statement_is_complete(fact) -> None:
    assert fact.fact.endswith(".")
    assert fact.source
    assert fact.seen in {"read", "thread", "measured", "open"}
    assert bool(fact.open) == (fact.seen == "open")
    assert bool(fact.ask) == bool(fact.expect) == bool(fact.reads)
    assert fact.since is not None or fact.open
    assert fact.until is None or fact.since < fact.until
    if fact.ask:
        re.compile(fact.expect)
        re.compile(fact.reads)


def test_the_range_includes_its_first_major_and_not_its_last() -> None:
    fact = get_version_fact("etc-overlay")
    assert [fact.holds_on(major) for major in (3534, 3535, 4627, 4628)] == [False, True, True, False]
    with pytest.raises(UsageError, match="expected one of butane-on-machine"):
        get_version_fact("nonsense")


def test_the_table_and_the_code_agree() -> None:
    assert get_version_fact("butane-on-machine").since == BUTANE_MAJOR
    assert find_reader(BUTANE_MAJOR).ignition == "2.27.0"
    assert get_version_fact("clevis").since == CLEVIS_MAJOR
    assert get_version_fact("ignition-3-4").since == find_major((3, 4, 0))
    assert [reader.major for reader in READERS] == sorted((reader.major for reader in READERS), reverse=True)


def test_the_labs_numbers_keep_their_distance_from_flatcars() -> None:
    majors = [int(release.version.partition(".")[0]) for release in RELEASES.values()]
    assert max(majors) * 10 < min(reader.major for reader in READERS)


@pytest.mark.parametrize("quote", ["", '"', "'"])
def test_values_of_os_release_may_be_quoted(quote: str) -> None:
    system = f"NAME={quote}Flatcar{quote}\nID={quote}flatcar{quote}\nVERSION_ID={quote}4757.2.1{quote}\n"
    assert find_refusal("ID=flatcar\nVERSION_ID=4757.2.1\n", system) == ""
    assert "VERSION_ID" in find_refusal("ID=flatcar\nVERSION_ID=4593.2.5\n", system)
    assert find_refusal(f"ID={quote}debian{quote}\n", system) == 'it is for ID "debian", this system is "flatcar"'
