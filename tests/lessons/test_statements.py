"""What learners read about Flatcar, Ignition and updates: statements that were false once, and what is true in their place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from flatkit.demos import DEMOS
from flatkit.lessons.glossary import get_term
from flatkit.lessons.quiz import quizzes_of

ROOT = Path(__file__).resolve().parents[2]
# A pattern of the false statement (case ignored), and what is true with its source.
FALSE = (
    (r"names the others?( one)?,? (and what it says itself )?wins|its own values? wins?",
     "the merged config wins: Ignition's RenderConfig merges each fetched config over the one that names it"),
    (r"not Ignition is ignored|text is ignored",
     "only cloud-config, scripts and MIME are ignored (Flatcar's patch of parsingErrors.go); the rest is ErrInvalid"),
    (r"written, and never booted", "the next restart boots it, whoever restarts (flatcar-website, update-strategies.md)"),
    (r"kernel included", "the kernel that boots is /boot/flatcar/vmlinuz-a or -b (flatcar-postinst)"),
    (r"/usr alone\b", "an update also replaces the kernel in /boot"),
    (r"pull the network cable, and there is no system", "a machine that booted by PXE runs from memory"),
    (r"With Flatcar nothing of this differs", "Flatcar's releases get a number of their own in each channel"),
    (r"made for every release", "the sysext-bakery's are made once, with SYSEXT_LEVEL or ID=_any"),
    (r"an extension made for the old one is left out", "only one with VERSION_ID (flatcar-website, sys-ext/_index.md)"),
    (r"what is written goes into it", "the overlay of systemd-sysext is read-only"),
    (r"(stops|ends) in the emergency shell", "it restarts after five minutes (bootengine, 99emergency-timeout/timeout.sh)"),
    (r"Ignition never runs again on this machine", "flatcar-reset makes it run again (flatcar/init, bin/flatcar-reset)"),
    (r"(so|but) nobody can log in(?! over SSH)", "the console of the QEMU image asks for no login (OEM's grub.cfg: autologin)"),
    (r"first free place", "a partition begins in the largest free block (Ignition's configuration-v3_4.md: startMiB)"),
    (r"deleted has a number, and nothing else", "without wipePartitionEntry Ignition fails on it (partitionDisk)"),
    (r"copies five to /etc", "six groups: systemd-journal, too, since 2023-04 (baselayout, scripts/flatcar-tmpfiles)"),
    (r"already merged: systemd-sysext refresh|not merged: sudo systemd-sysext refresh",
     "a manual refresh is not recommended (flatcar-website, sys-ext/_index.md)"),
)  # fmt: skip


def learners_texts() -> Iterator[tuple[str, str]]:
    """Where, and the text: cells, JSON for learners, exercises, demos, `flatkit explain`, widgets, and pages."""
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for cell in json.loads(path.read_text())["cells"]:
            yield f"{path.stem} {cell['id']}", "".join(cell["source"])
    for name in ("quizzes", "predictions", "glossary"):
        yield name, (ROOT / f"flatkit/lessons/{name}.json").read_text()
    for path in sorted((ROOT / "flatkit/lessons/course").glob("*.py")):
        yield path.stem, path.read_text()
    for name, demo in DEMOS.items():
        for step in demo.steps:
            yield f"{name}: {step.title}", f"{step.title}\n{step.why}\n{step.notes}\n{step.hint}"
    pages = ("flatkit/butane/explain*.py", "flatkit/butane/*messages.py", "flatkit/butane/typewords.py", "flatkit/demos/facts.py",
             "flatkit/butane/*.json", "flatkit/butane/machine/image.json", "flatkit/board/page/*.html",
             "flatkit/widgets/js/src/**/*.js", "README.md", "docs/**/*.md")  # fmt: skip
    for path in sorted(path for pattern in pages for path in ROOT.glob(pattern)):
        yield str(path.relative_to(ROOT)), path.read_text()


@pytest.mark.parametrize(("pattern", "truth"), FALSE, ids=[pattern for pattern, _ in FALSE])
def test_no_text_for_learners_says_it(pattern: str, truth: str) -> None:
    said = [where for where, text in learners_texts() if re.search(pattern, " ".join(text.split()), re.IGNORECASE)]
    assert said == [], truth


def right_answer(quiz: str, ask: str) -> str:
    questions = [question for one in quizzes_of(quiz.partition("-recap")[0]) for question in one.questions]
    question = next(question for question in questions if ask in question.ask)
    return question.choices[question.right].text


def test_a_butane_file_on_stable_ends_the_first_boot() -> None:
    """As its Ignition says of it: `error at line 1 col 2: invalid character 'v'`, `config is not valid`."""
    assert right_answer("08-everywhere", "given the Butane file itself") == "The first boot fails"


def test_the_same_bytes_are_promised_of_a_server_of_your_own() -> None:
    """Flatcar builds a release again for each channel: 4757.1.0 was beta, 4757.2.0 is stable."""
    for where, text in learners_texts():
        if "the same bytes" in text and "promote" in text.lower() and not where.startswith(("quizzes", "docs/")):
            assert re.search(r"on (this|your own) server", text, re.IGNORECASE), where
    assert right_answer("05-channels", "On your update server you promote") == "Nothing: stable offers the same bytes"


def test_the_term_merge_says_who_wins() -> None:
    assert "the one that is named wins" in get_term("merge").text
