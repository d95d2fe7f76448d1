"""Agreement with the real tool: recorded cases, through the whole command and by both YAML parsers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from flatkit.butane import translate
from flatkit.butane.messages import code_of
from flatkit.butane.source import compose
from flatkit.cli import main

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "butane"
FILES = sorted(GOLDEN.glob("*.jsonl.gz"))


def _run(vectors: ModuleType, path: Path) -> tuple[Counter[str], list[str]]:
    counts: Counter[str] = Counter()
    bad = []
    for case, verdict, shown in vectors.run(vectors.load(path), lambda args: main(["butane", *args])):
        counts[verdict] += 1
        if verdict not in (vectors.SAME_BYTES, vectors.SAME_MEANING):
            bad.append(f"{vectors.name_of(case)}: {verdict}\n{shown}")
    return counts, bad


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_agrees_with_butane(vectors: ModuleType, path: Path) -> None:
    counts, bad = _run(vectors, path)
    assert not bad, "\n".join(bad)
    assert counts[vectors.SAME_BYTES] > 5 * counts[vectors.SAME_MEANING]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_agrees_without_libyaml(vectors: ModuleType, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose, "CParser", None)
    _, bad = _run(vectors, path)
    assert not bad, "\n".join(bad)


def test_there_are_recorded_cases() -> None:
    assert [path.name for path in FILES] == ["generated.jsonl.gz", "hand-written.jsonl.gz"]


def test_every_message_has_an_identifier(vectors: ModuleType) -> None:
    messages = {
        entry.message
        for path in FILES
        for case in vectors.load(path)
        for entry in translate(vectors.input_of(case)).report
    }
    assert len(messages) > 200
    assert [message for message in messages if not code_of(message)[0]] == []
