"""What holds for every suggested edit, whatever the text: it brings no fault, its own is gone, and fixing comes to an end."""

from __future__ import annotations

import random
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flatkit.butane import Translation, quickfix, translate
from flatkit.butane.further import all_faults
from flatkit.butane.lint import lint
from flatkit.butane.quickfix import apply_edit
from flatkit.report import Kind

ROOT = Path(__file__).resolve().parents[2]
FIELD = Path(__file__).with_name("field")
# What people get wrong: a piece of a good config, and what is there instead.
SLIPS = (
    ("contents:", "content:"), ("mode: 0", "mode: "), ("mode: 0", 'mode: "0'), ("inline:", "text:"), ("  users:", "  user:"),
    ("storage:", "storages:"), ("enabled: true", "enable: true"), ("enabled: true", "enabled: 'yes'"),
    ("enabled: true", "command: start"), ("size_mib: ", "size: "), ("- ", "  "), ("passwd:\n", ""), ("systemd:\n", ""),
    ("storage:\n", ""), ("contents:\n", ""), ("inline: ", ""), ("path: /", "path: "), ("source:", "url:"), ("[Unit]", "\n[Unit]"),
    ("  ", "\t"), ("name:", "Name:"), ("ssh_authorized_keys:", "sshAuthorizedKeys:"), ("device: /dev/", "device: "),
    ("user:", "owner:"), ("- path", "path"), ("- name", "name"), (": ", ":"), ("variant: flatcar\n", ""),
    ("version: 1.1.0\n", ""), ("1.1.0", "1.4.0"), ("0644", "rw-r--r--"), ("          ", "    "), ("{", "{{"), ("- ", "- {{ x }}"),
)  # fmt: skip


def read_corpus() -> list[str]:
    """Ordinary configs, and those that people had trouble with."""
    files = [*sorted(ROOT.glob("examples/**/*.bu")), *sorted(FIELD.glob("*.bu"))]
    texts = [file.read_bytes().decode("utf-8", "replace") for file in files]
    return [text for text in texts if "\ufffd" not in text]


CORPUS = read_corpus()


@pytest.fixture(scope="module")
def fuzz() -> object:
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        import fuzz_butane
    finally:
        sys.path.remove(str(ROOT / "tools"))
    return fuzz_butane


def slip(text: str, rng: random.Random) -> str:
    """The text with one of the SLIPS at one of its places."""
    old, new = rng.choice([pair for pair in SLIPS if pair[0] in text] or [("", "")])
    places = [at for at in range(len(text)) if text.startswith(old, at)]
    at = rng.choice(places)
    return text[:at] + new + text[at + len(old) :]


def count(done: Translation) -> tuple[int, int]:
    """The errors, and all faults."""
    faults = all_faults(done)
    return sum(fault.kind is Kind.ERROR for fault in faults), len(faults)


def check_all_fixes(text: str) -> None:
    """Try each edit that is offered; follow the first until there is none."""
    for _ in range(80):
        done = translate(text)
        offered = [(entry, edit) for entry in lint(done) for edit in entry.edits]
        if not offered:
            return
        errors, faults = count(done)
        for entry, edit in offered[:5]:
            after = translate(apply_edit(done.text, edit))
            assert count(after)[0] <= errors, (text, entry, edit)
            assert count(after)[1] <= faults, (text, entry, edit)
            same = Counter((one.code, one.message) for one in lint(after))[entry.code, entry.message]
            assert same < Counter((one.code, one.message) for one in lint(done))[entry.code, entry.message], (
                text,
                edit,
            )
        text = apply_edit(done.text, offered[0][1])
    raise AssertionError(f"fixing does not come to an end: {text}")


def test_the_corpus(good_texts: list[str]) -> None:
    for text in (*CORPUS, *good_texts[::9]):
        check_all_fixes(text)


@settings(max_examples=250)
@given(st.integers(min_value=0, max_value=2**32))
def test_slips(seed: int) -> None:
    rng = random.Random(seed)
    text = rng.choice(CORPUS)
    for _ in range(rng.randint(1, 3)):
        text = slip(text, rng)
    check_all_fixes(text)


@settings(max_examples=100)
@given(st.integers(min_value=0, max_value=2**32))
def test_broken_texts(fuzz: object, seed: int) -> None:
    rng = random.Random(seed)
    text = fuzz.mutate(rng.choice(CORPUS).encode(), rng).decode("utf-8", "replace")  # type: ignore[attr-defined]
    check_all_fixes(text)


@pytest.mark.parametrize(
    "text",
    [
        "storage: {files: [&f {path: a, mode: x}" + ", *f" * 3000 + "]}\n",
        "storage: {links: [" + ", ".join(f"{{path: l{number}}}" for number in range(2000)) + "]}\n",
        "".join(f"k{number}: v\n" for number in range(3000)),
        "x: " + "{{ x " * 10_000 + "\n",
        "inline: |\nb c\n" * 3000,
    ],
    ids=["aliases", "paths", "keys", "braces", "blocks"],
)
def test_only_so_much_is_tried_for_one_report(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    tried = []
    monkeypatch.setattr(quickfix, "translate", lambda edited, **_: tried.append(edited) or translate(edited))
    lint(translate("variant: flatcar\nversion: 1.1.0\n" + text))
    assert sum(map(len, tried)) <= 60_000 + 70_000


def test_no_edit_where_lines_are_counted_otherwise() -> None:
    text = "variant: flatcar\nversion: 1.1.0\n# a\x85# b\nstorage: {files: [{path: /a, mode: 644}]}\n"
    assert [edit for entry in lint(translate(text)) for edit in entry.edits] == []
