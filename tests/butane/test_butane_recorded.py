"""Agreement with the real tool: recorded cases, through the whole command."""

from __future__ import annotations

import base64
import json
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from flatkit.butane import messages, translate
from flatkit.butane.dataurl import gzip
from flatkit.butane.messages import ADVICE, CATALOGUE, UNUSED_KEY, advice_for
from flatkit.cli import main

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "butane"
FILES = sorted(GOLDEN.glob("*.jsonl.gz"))


_TIE = "gzip saves a few bytes with one compressor and none with the other: zlib and Go differ by that much"
# The same exit status and the same contents, but not the same bytes; with the reason.
SAME_VERDICT_ONLY = {
    "1437-hand-yaml-deep-nesting-over": "libyaml stops at 1,000 levels (0.2.6 on), yaml.v3 at 10,000: the number differs",
    "1465-hand-url-gzip-boundary-a": _TIE,
    "seed 165": _TIE,
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_agrees_with_butane(vectors: ModuleType, path: Path) -> None:
    counts: Counter[str] = Counter()
    bad = []
    for case, verdict, shown in vectors.run(vectors.load(path), lambda args: main(["butane", *args])):
        counts[verdict] += 1
        allowed = [vectors.SAME_BYTES, vectors.SAME_MEANING]
        if vectors.name_of(case) in SAME_VERDICT_ONLY:
            allowed.append(vectors.SAME_VERDICT)
        if verdict not in allowed:
            bad.append(f"{vectors.name_of(case)}: {verdict}\n{shown}")
    assert not bad, "\n".join(bad)
    assert counts[vectors.SAME_BYTES] > 5 * counts[vectors.SAME_MEANING]


def test_the_comparison_of_contents_sees_other_contents(vectors: ModuleType) -> None:
    packed_url = "data:;base64," + base64.b64encode(gzip(b"aaaaaaaaaa")).decode()
    plain, packed, other = (
        json.dumps([{"source": source, "compression": how}]).encode()
        for source, how in (("data:,aaaaaaaaaa", ""), (packed_url, "gzip"), ("data:,aaaaaaaaab", ""))
    )
    assert vectors.contents(plain) == vectors.contents(packed) != vectors.contents(other)


@pytest.mark.parametrize(("said", "status"), [("Error: other words\n", 0), ("", 1)])
def test_other_words_are_listed_and_another_verdict_fails(
    vectors: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], said: str, status: int
) -> None:
    case = {
        "name": "one",
        "args": [],
        "input": "variant: flatcar\nversion: 9",
        "stderr": said,
        "exit": 1 if said else 0,
    }
    (tmp_path / "some.jsonl.gz").write_bytes(gzip(json.dumps(case).encode()))
    assert vectors.main([str(tmp_path)]) == status
    assert ("same verdict: one" if said else "differs: one") in capsys.readouterr().out


def test_there_are_recorded_cases() -> None:
    assert [path.name for path in FILES] == ["experimental.jsonl.gz", "generated.jsonl.gz", "hand-written.jsonl.gz"]


def test_every_message_has_an_identifier(vectors: ModuleType) -> None:
    entries = [
        entry for path in FILES for case in vectors.load(path) for entry in translate(vectors.input_of(case)).report
    ]
    assert len({entry.message for entry in entries}) > 200
    assert {entry.code for entry in entries} <= set(ADVICE)


def test_a_message_and_its_advice_are_written_once() -> None:
    ours = [message for message in CATALOGUE if not message.code.startswith("yaml-")]
    texts = Counter(message.text for message in ours if not message.text.startswith("{"))
    assert [text for text, count in texts.items() if count > 1] == []
    room = Path(messages.__file__).parent
    sources = {
        path: path.read_text() for path in room.rglob("*.py") if path.name not in {"messages.py", "advice_messages.py"}
    }
    fixed = [text for text in texts if "{" not in text and len(text) > 20]
    assert len(fixed) > 60
    assert [(path.name, text) for path, source in sources.items() for text in fixed if text in source] == []


def test_each_message_has_advice() -> None:
    """But for those that pass another program's words on, and what other advice takes the place of."""
    without = {message.code for message in CATALOGUE if not advice_for(message.code, message.text)}
    assert without == {"yaml-syntax", "too-large", "anchor-loop", "alias-bomb", "ignition-json", "not-ignition"}
    assert advice_for("raid", "raid devices required") != advice_for("raid", "raid level is required")


def test_values_are_not_read_as_places_for_values() -> None:
    wording = UNUSED_KEY(key="{code} {0}")
    assert (wording, wording.values) == ("unused key {code} {0}", {"key": "{code} {0}"})
