"""Test flatkit's butane with broken configs: `tools/fuzz_butane.py [COUNT] [SEED]` (default 20000 and 1).

It changes the recorded cases at random, and requires: no exception, at most a second, the same answer twice.
"""

from __future__ import annotations

import random
import sys
import time
import traceback
from pathlib import Path

import vectors

from flatkit.butane import translate
from flatkit.butane.lint import lint

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "golden" / "butane"
PIECES = [
    piece.encode("latin-1")
    for piece in (
        "\n", "\n  ", "- ", ": ", '"', "'", "{", "}", "[", "]", ", ", "? ", "!!int ", "!!binary ", "&a ", "*a ", "|\n", ">-\n",
        "# c\n", "\t", "\\", "\xff", "\xc3", "\x00", "null", "~", "<<: ", "%", "@", "0", "7", "\r\n", "---\n", "...\n",
        "../", "data:", "=", "\xe2\x80\xa8", "\xef\xbb\xbf", "9" * 20, "-.inf", "http://[", "[Install\n",
    )
]  # fmt: skip


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Make one to five changes at random places."""
    for _ in range(rng.randint(1, 5)):
        at = rng.randrange(len(data) + 1)
        chance = rng.random()
        if chance < 0.45:
            data = data[:at] + rng.choice(PIECES) + data[at:]
        elif chance < 0.6:
            data = data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
        elif chance < 0.85:
            data = data[:at] + data[at + rng.randint(1, 40) :]
        else:
            start = rng.randrange(len(data) + 1)
            data = data[:at] + data[start : start + rng.randint(1, 200)] + data[at:]
    return data


def fault(data: bytes) -> str:
    """Return the fault that this input shows, or ""."""
    began = time.perf_counter()
    try:
        done = translate(data)
        took = time.perf_counter() - began
        again = translate(data)
        lint(done)
        for leaf in done.provenance.leaves():
            done.provenance.span(leaf)
    except Exception:  # noqa: BLE001  (that is what is looked for)
        return traceback.format_exc()
    if took > 1:
        return f"took {took:.2f} s"
    if (done.json, done.failure, done.report) != (again.json, again.failure, again.report):
        return "two runs differ"
    if bool(done.failure) == bool(done.json):
        return "neither failed nor done"
    return ""


def main(argv: list[str]) -> int:
    count, seed = int(argv[0]) if argv else 20_000, int(argv[1]) if len(argv) > 1 else 1
    rng = random.Random(seed)
    inputs = [vectors.input_of(case) for path in sorted(GOLDEN.glob("*.jsonl.gz")) for case in vectors.load(path)]
    inputs = [data for data in inputs if len(data) < 20_000]
    bad, slowest = 0, 0.0
    for number in range(count):
        data = mutate(rng.choice(inputs), rng) if rng.random() < 0.95 else rng.randbytes(rng.randrange(400))
        began = time.perf_counter()
        said = fault(data)
        slowest = max(slowest, time.perf_counter() - began)
        if said:
            bad += 1
            if bad <= 5:
                print(f"input {number} of seed {seed}: {said}\n{data!r}\n")
    print(f"{count} inputs, seed {seed}: {bad} faults; the slowest took {1000 * slowest:.0f} ms for all its checks")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
