"""Identical: two machines from one image and one config, compared; only what must differ differs."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from flatkit.steps import Boot, Demo, Step, Verdict, Where, says

_NAMES = ("demo-one", "demo-two")
_FILES = " ".join(f"{name}.txt" for name in _NAMES)

# All that may differ between two machines of one image and one config, and why; on Flatcar there are more host keys.
MUST_DIFFER = {
    r"/etc/machine-id": "who this machine is",
    r"/etc/ssh/ssh_host_\w+_key(\.pub)?": "its SSH host keys, made on the first boot",
}
MAY_DIFFER = {
    r"/etc/\.ignition-result\.json": "when Ignition worked, and in which boot",
    r"/etc/\.updated": "when /etc was filled",
    r"/etc/iscsi/initiatorname\.iscsi": "Flatcar: its name as an iSCSI initiator",
    r"/etc/nvme/host(id|nqn)": "Flatcar: its name as an NVMe host",
}
_KINDS = ("file", "link", "unit", "user", "usr")


def parse_hashes(text: str) -> dict[str, str]:
    """Root hash by file, from `grep ^usr` in both."""
    return dict(re.findall(r"^(\S+)\.txt:usr ([0-9a-f]{64})$", text, flags=re.MULTILINE))


def parse_counts(text: str) -> dict[str, int]:
    """Lines by file, from `wc -l`."""
    return {name: int(lines) for lines, name in re.findall(r"^ *(\d+) (\S+)\.txt$", text, flags=re.MULTILINE)}


def parse_kinds(text: str) -> Counter[str]:
    """Parse the output of `uniq -c`: the number of facts of each kind."""
    rows = re.findall(r"^ *(\d+) (\w+)$", text, flags=re.MULTILINE)
    return Counter({kind: int(number) for number, kind in rows})


def _as_many(text: Any) -> Verdict:
    counts = parse_counts(str(text))
    ok = set(counts) == set(_NAMES) and len(set(counts.values())) == 1 and 0 not in counts.values()
    found = ", ".join(f"{number} facts of {name}" for name, number in counts.items()) or "no counts"
    return Verdict(ok=ok, found=f"found {found}" + ("" if ok else "; expected as many of both, and more than none"))


def _one_hash(text: Any) -> Verdict:
    hashes = parse_hashes(str(text))
    ok = set(hashes) == set(_NAMES) and len(set(hashes.values())) == 1
    found = ", ".join(f"{name} {value[:12]}" for name, value in hashes.items()) or "none"
    return Verdict(ok=ok, found=f"found {found}" + ("" if ok else "; expected one root hash on both machines"))


def _much_in_common(text: Any) -> Verdict:
    kinds = parse_kinds(str(text))
    missing = [kind for kind in _KINDS if not kinds[kind]]
    found = "found in common: " + ", ".join(f"{kinds[kind]} {kind}" for kind in _KINDS)
    return Verdict(ok=not missing, found=found + (f"; expected some {' and '.join(missing)}" if missing else ""))


def _only_what_must(text: Any) -> Verdict:
    """Every fact that differs is declared, and what makes a machine itself is among them."""
    names = str(text).split("\n")
    paths = [name.removeprefix("file ") for name in names if name.startswith("file ")]
    others = [name for name in names if name and not name.startswith("file ")]
    declared = "|".join([*MUST_DIFFER, *MAY_DIFFER])
    strange = [*others, *(path for path in paths if not re.fullmatch(declared, path))]
    if strange:
        return Verdict(ok=False, found=f"found that these differ as well: {', '.join(strange)[:200]}")
    alike = [what for pattern, what in MUST_DIFFER.items() if not any(re.fullmatch(pattern, path) for path in paths)]
    if alike:
        return Verdict(ok=False, found=f"found alike what must differ: {'; '.join(alike)}")
    return Verdict(ok=True, found=f"found {len(paths)} files that differ, all of which must or may")


def _boot(number: int, title: str, why: str) -> Step:
    return Step(
        title=title, why=why, boot=Boot(config="twins.bu", machine=_NAMES[number]), where=Where.HOST, check=says("ready"),
        hint=f"flatkit console {_NAMES[number]}   shows how far the boot came",
    )  # fmt: skip


IDENTICAL = Demo(
    name="identical",
    title="Identical: two machines from one config",
    steps=(
        _boot(
            0,
            "Boot a machine",
            "Its config has a user, a service and a script. It has no name of its own, so that a second one can be the same.",
        ),
        _boot(
            1,
            "Boot another one",
            "The same image and the same config, and nothing else. Nobody logs in to set it up.",
        ),
        Step(
            title="Take stock of both",
            notes="Ask what could differ between two machines that nobody has touched.",
            why="The script writes one fact a line: the root hash of /usr, users, units, and every file of /etc with its digest. "
            "That is all that could have become different.",
            command=f"for m in {' '.join(_NAMES)}; do flatkit ssh $m -- sudo /opt/bin/take-stock | sort > $m.txt; done; "
            f"wc -l {_FILES}",
            where=Where.HOST,
            check=_as_many,
            hint=f"flatkit ssh {_NAMES[0]} -- sudo /opt/bin/take-stock   shows what it writes",
        ),
        Step(
            title="The same system",
            why="The root hash identifies every byte of /usr. Two machines with the same one run the same system, without a "
            "doubt and without a comparison of files.",
            command=f"grep ^usr {_FILES}",
            where=Where.HOST,
            check=_one_hash,
            hint="cat /proc/cmdline   on both machines",
        ),
        Step(
            title="What they have in common",
            why="The config makes the rest: users, units, files. Counted here are the facts that are the same on both.",
            command=f"comm -12 {_FILES} | cut -d ' ' -f 1 | sort | uniq -c",
            where=Where.HOST,
            check=_much_in_common,
            hint=f"comm -12 {_FILES}   shows them",
        ),
        Step(
            title="What differs",
            notes="Let them guess before: how many lines?",
            why="Only what must: a machine's ID, its host keys, and the note of when it was made. Everything else would be "
            "drift, and there is none.",
            command=f"diff {_FILES} | sed -n 's/^[<>] //p' | cut -d ' ' -f 1,2 | sort -u",
            where=Where.HOST,
            check=_only_what_must,
            hint=f"diff {_FILES}   shows both sides",
        ),
    ),
)
