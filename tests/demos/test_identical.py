"""The demo's parsers and checks, on what two lab machines really said, and on drift that was put in."""

from __future__ import annotations

import re

import pytest

from flatkit.demos.identical import (
    MAY_DIFFER,
    MUST_DIFFER,
    _as_many,
    _much_in_common,
    _one_hash,
    _only_what_must,
    parse_counts,
    parse_hashes,
    parse_kinds,
)

HASH = "2367049e469bd3a0403cca631fc2602e5aacaf51c7619b11326b96669589dfc2"
COUNTS = "   692 demo-one.txt\n   692 demo-two.txt\n  1384 total\n"
HASHES = f"demo-one.txt:usr {HASH}\ndemo-two.txt:usr {HASH}\n"
KINDS = "     99 file\n    330 link\n    233 unit\n     25 user\n      1 usr\n"
DIFFER = """\
file /etc/.ignition-result.json
file /etc/machine-id
file /etc/ssh/ssh_host_ed25519_key
file /etc/ssh/ssh_host_ed25519_key.pub
"""


def test_they_are_read() -> None:
    assert parse_counts(COUNTS) == {"demo-one": 692, "demo-two": 692}
    assert parse_hashes(HASHES) == {"demo-one": HASH, "demo-two": HASH}
    assert parse_kinds(KINDS) == {"file": 99, "link": 330, "unit": 233, "user": 25, "usr": 1}


@pytest.mark.parametrize(
    ("text", "ok"),
    [
        (COUNTS, True),
        (COUNTS.replace("692 demo-two", "691 demo-two"), False),
        (COUNTS.replace("692", "0"), False),
        ("wc: demo-one.txt: No such file or directory\n0 total\n", False),
    ],
)
def test_stock_of_both(text: str, ok: bool) -> None:
    assert _as_many(text).ok is ok


@pytest.mark.parametrize(
    ("text", "ok"),
    [
        (HASHES, True),
        (HASHES.replace(f"two.txt:usr {HASH}", f"two.txt:usr {HASH[::-1]}"), False),
        (HASHES.splitlines()[0], False),
        ("", False),
    ],
)
def test_one_root_hash(text: str, ok: bool) -> None:
    assert _one_hash(text).ok is ok


@pytest.mark.parametrize(("text", "ok"), [(KINDS, True), (KINDS.replace("user", "other"), False), ("", False)])
def test_much_in_common(text: str, ok: bool) -> None:
    assert _much_in_common(text).ok is ok


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (DIFFER, ""),
        (DIFFER + "file /etc/ssh/ssh_host_rsa_key\nfile /etc/nvme/hostnqn\n", ""),
        (DIFFER + "file /etc/passwd\n", "differ as well: /etc/passwd"),
        (DIFFER + "file /etc/machine-id.old\n", "/etc/machine-id.old"),
        (DIFFER + "user ada:x:1000:1000::/home/ada:/bin/bash\n", "user ada"),
        (DIFFER + f"usr {HASH}\n", "usr 2367"),
        (DIFFER.replace("file /etc/machine-id\n", ""), "who this machine is"),
        ("file /etc/machine-id\n", "host keys"),
        ("", "who this machine is"),
        ("diff: demo-one.txt: No such file or directory\n", "No such file"),
    ],
)
def test_only_what_must_differs(text: str, said: str) -> None:
    verdict = _only_what_must(text)
    assert verdict.ok is (not said)
    assert said in verdict.found


def test_what_differs_is_declared_with_its_reason() -> None:
    for pattern, why in {**MUST_DIFFER, **MAY_DIFFER}.items():
        assert re.compile(pattern)
        assert pattern.startswith("/etc/")
        assert why
