"""What Flatcar's own programs answered (tests/golden/real), and what a stand-in's answer is compared with."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "golden/real"
# Partition GUIDs and sums differ from build to build of the image.
_OF_A_BUILD = re.compile(
    r"\b(?!7130c94a|e03dd35c|5dfbf5f4|c12a7328|21686148|0fc63daf|c95dc21a|3884dd41)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"
    r"|\b0x[0-9a-f]{8}\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Status, output and error of a call, and the slots' bits afterwards ("" where nobody looked)."""

    status: int
    out: str
    err: str
    bits: str = ""

    def masked(self) -> Answer:
        """The same, without what belongs to one build of the image."""
        mask = lambda text: _OF_A_BUILD.sub("?", text)  # noqa: E731
        return Answer(status=self.status, out=mask(self.out), err=mask(self.err), bits=self.bits)


@dataclass(frozen=True, kw_only=True)
class Call:
    """A command line of `cgpt`, the state of the disk before it ("fresh" or "staged"), and the real tool's answer."""

    disk: str
    command: str
    answer: Answer


def cgpt_calls() -> list[Call]:
    """The calls of cgpt.jsonl."""
    rows = [json.loads(line) for line in (FOLDER / "cgpt.jsonl").read_text().splitlines()]
    return [
        Call(
            disk=row["disk"],
            command=row["command"],
            answer=Answer(status=row["status"], out=row["out"], err=row["err"], bits=row["bits"]),
        )
        for row in rows
    ]


def blocks(name: str) -> list[tuple[str, list[str]]]:
    """The records of a text file: the line after "## ", and the lines below it."""
    parts = (FOLDER / name).read_text().split("\n## ")
    parts[0] = parts[0].removeprefix("## ")
    return [(head, rest.splitlines()) for head, _, rest in (part.partition("\n") for part in parts)]
