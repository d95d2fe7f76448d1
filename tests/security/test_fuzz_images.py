"""Fuzzing of everything that servers, packs and caches say about images: an answer or a documented error, never a traceback."""

from __future__ import annotations

import json
import re
from contextlib import suppress

import pytest
from forging import EPOCH, Key, armor, packet
from hypothesis import given, settings
from hypothesis import strategies as st

from flatkit.errors import FetchError, ImageError, UsageError
from flatkit.images.catalogue import parse_feed
from flatkit.images.openpgp import Certificate, read_packets
from flatkit.images.releases import Channel, Version, find_version, find_wanted, parse_version_file
from flatkit.images.signed import get_sha512
from flatkit.images.signing import Keyring
from flatkit.images.store import parse_lts_info, parse_record
from flatkit.untrusted import printable

SEPARATORS = "\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e\r\n\t \u00a0\u3000\ufeff\0"
DIGITS = "0123456789\u0661\u0967\uff11\u00b2\U0001d7d9"
NAME, HASH, OTHER = "x.img", "ab" * 64, "cd" * 64
PIECES = [
    "FLATCAR_VERSION=", "4593.2.5", '"', "# SHA512 HASH", "# MD5 HASH", "# B2 HASH", HASH, OTHER, HASH[:64], NAME, f"  {NAME}",
    f" *{NAME}", f"  ./{NAME}", f"  a/{NAME}", "[GNUPG:] VALIDSIG ", ":2024:", "supported",  "LONG",
]  # fmt: skip
# Text of an attacker's: what the parsers look for, between everything that some program takes for a line's end or a digit.
hostile = st.lists(
    st.one_of(st.sampled_from(PIECES), st.sampled_from(SEPARATORS), st.text(DIGITS, max_size=6), st.text(max_size=8)),
    max_size=12,
).map(lambda parts: "".join(parts).replace("LONG", "x" * 20_000))
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), hostile),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=8,
)


@given(hostile)
def test_version_txt(text: str) -> None:
    found = parse_version_file(text)
    if found:
        lines = [line.removesuffix("\r") for line in text.split("\n")]
        assert f"FLATCAR_VERSION={found}" in lines or f'FLATCAR_VERSION="{found}"' in lines
        assert len({line for line in lines if line.startswith("FLATCAR_VERSION=")}) == 1


@given(hostile)
def test_versions_and_names(text: str) -> None:
    version = find_version(text)
    assert version is None or (text.isascii() and text == text.strip())
    with suppress(UsageError):
        find_wanted(text)


@given(hostile.map(str.encode) | st.binary(max_size=300))
def test_digests(data: bytes) -> None:
    try:
        found = get_sha512(data, NAME)
    except ImageError:
        return
    lines = [line.removesuffix(b"\r") for line in data.split(b"\n")]
    at = next(at for at, line in enumerate(lines) if line.lower().startswith(found.encode()))
    assert lines[at].endswith(NAME.encode())
    assert b"# SHA512 HASH" in lines[:at]


def digests(*lines: str, end: str = "\n") -> bytes:
    return "".join(f"{line}{end}" for line in ("# SHA512 HASH", *lines)).encode()


@pytest.mark.parametrize("line", [f"{HASH}  {NAME}", f"{HASH} *{NAME}", f"{HASH.upper()}  {NAME}", f"{HASH}  ./{NAME}"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_digests_that_are_read(line: str, end: str) -> None:
    assert get_sha512(digests(line, end=end), NAME) == HASH
    assert get_sha512(digests(line, line, f"{OTHER}  y.img", "# B2 HASH", f"{OTHER}  {NAME}", end=end), NAME) == HASH


@pytest.mark.parametrize("mark", ["\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\r", "\0"])
def test_digests_with_other_line_ends(mark: str) -> None:
    with pytest.raises(ImageError, match="do not mention"):
        get_sha512(digests(f"{OTHER}  y.img{mark}{HASH}  {NAME}"), NAME)
    with pytest.raises(ImageError, match="do not mention"):
        get_sha512(digests(f"{HASH}  {NAME}{mark}{OTHER}  y.img"), NAME)


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\x85", "\u00a0", "\u0661"])
def test_digests_that_are_not_ascii(mark: str) -> None:
    with pytest.raises(ImageError, match="plain ASCII"):
        get_sha512(digests(f"{OTHER}  y.img{mark}", f"{HASH}  {NAME}"), NAME)


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ((f"{HASH}  {NAME}", f"{OTHER}  {NAME}"), "2 different"),
        ((f"{HASH}  {NAME}", "# SHA512 HASH", f"{OTHER} *{NAME}"), "2 different"),
        (("# MD5 HASH", f"{HASH}  {NAME}"), "do not mention"),
        (("# SHA512 HASHES", f"{HASH}  {NAME}"), "do not mention"),
        ((f"{HASH[:64]}  {NAME}",), "do not mention"),
        ((f"{HASH}00  {NAME}",), "do not mention"),
        ((f"{HASH}  folder/{NAME}",), "do not mention"),
        ((f"{HASH}  ../{NAME}",), "do not mention"),
        ((f"{HASH}  {NAME}.bz2",), "do not mention"),
        ((f"{HASH}  xximg",), "do not mention"),
        ((f" {HASH}  {NAME}",), "do not mention"),
        ((f"{HASH}  {NAME} ",), "do not mention"),
        ((f"{HASH}{NAME}",), "do not mention"),
        (("x" * 1_000_000,), "do not mention"),
    ],
    ids=range(14),
)
def test_digests_that_prove_nothing(lines: tuple[str, ...], why: str) -> None:
    with pytest.raises(ImageError, match=why):
        get_sha512(digests(*lines), NAME)


@given(hostile)
def test_lts_info(text: str) -> None:
    rows = {(year, int(major)) for major, year in re.findall(r"(?m)^([0-9]{3,6}):(20[0-9]{2})", text)}
    assert parse_lts_info(text).items() <= rows


RELEASE = st.fixed_dictionaries(
    {},
    optional={
        "channel": values,
        "architectures": values,
        "release_date": values,
        "major_software": values,
        "release_notes": values,
    },
)


@given(
    st.dictionaries(
        st.sampled_from(["4593.2.5", "4593.2.4", "current", "\u0661.2.3"]) | hostile, RELEASE | values, max_size=4
    )
)
def test_feeds(feed: dict[str, object]) -> None:
    text = json.dumps(feed)
    with suppress(FetchError):
        releases, current = parse_feed(text, Channel.STABLE)
        assert current is None or isinstance(current, Version)
        for release in releases:
            assert release.days is None or isinstance(release.days, int)
            assert release.released.isascii()
            shown = [part for pair in release.software for part in pair]
            assert all(printable(part, limit=100) == part for part in shown)
            assert all(len(part) <= 63 for part in shown)


@given(st.binary(max_size=100) | hostile.map(str.encode))
def test_feeds_that_are_none(data: bytes) -> None:
    with suppress(FetchError):
        parse_feed(data, Channel.STABLE)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"4593.2.5": ' * 5000,
        '{"4593.2.5": {"major_software": {"kernel": ["\\ud800"]}}}',
        "[]",
        "null",
        "1" * 10_000,
        '"4593.2.5"',
        b"\xff\xfe",
    ],
    ids=range(8),
)
def test_feeds_that_are_hard(text: str | bytes) -> None:
    with pytest.raises(FetchError, match="not understood"):
        parse_feed(text, Channel.STABLE)


def test_nesting_that_json_still_reads_is_no_software() -> None:
    for depth in range(1, 900, 31):
        nested = "[" * depth + "]" * depth
        text = f'{{"current": {nested}, "4593.2.5": {{"major_software": {{"kernel": {nested}}}, "x": {nested}}}}}'
        with suppress(FetchError):
            (release,), current = parse_feed(text, Channel.STABLE)
            assert (release.software, current) == ((), release.version)


RECORD = {
    "file": "x.img", "size": 1, "changed_ns": 2, "sha512": HASH, "trust": "x", "subkey": "y", "signed": 3, "source": "z",
    "fetched": 4.5,
}  # fmt: skip


@given(st.dictionaries(st.sampled_from(sorted(RECORD)), values, max_size=3))
def test_records(changed: dict[str, object]) -> None:
    record = {**RECORD, **changed}
    with suppress(ValueError):
        found = parse_record(json.dumps(record))
        assert isinstance(found.size, int)
        assert isinstance(found.fetched, int | float)
        assert "/" not in found.file


@pytest.mark.parametrize(
    "changed",
    [
        {"size": "1"}, {"size": True}, {"size": 1.0}, {"size": None}, {"changed_ns": [2]}, {"signed": {}}, {"fetched": "4.5"},
        {"fetched": float("nan")}, {"fetched": float("inf")}, {"fetched": -1}, {"file": 1}, {"file": "../x"}, {"file": "/etc/x"},
        {"file": ""}, {"file": ".."}, {"file": "x\0"}, {"trust": None}, {"sha512": ["a"]}, {"more": 1},
    ],
    ids=str,
)  # fmt: skip
def test_records_of_wrong_types(changed: dict[str, object]) -> None:
    assert parse_record(json.dumps(RECORD)).size == 1
    with pytest.raises(ValueError, match=r"; expected |is not the name|is out of range|is not a known field"):
        parse_record(json.dumps({**RECORD, **changed}))


OWNER, SUBKEY = Key(seed=1), Key(seed=2)
KEY = OWNER.public(OWNER.bind(SUBKEY))
SEAL = packet(2, SUBKEY.sign(b"data"))


def changes(data: bytes) -> st.SearchStrategy[bytes]:
    """The data with some bytes changed, cut or repeated."""

    def change(edits: list[tuple[int, int, int]]) -> bytes:
        found = bytearray(data)
        for at, length, byte in edits:
            at %= len(found) + 1
            found[at : at + length] = bytes([byte]) * (length if byte % 2 else 1)
        return bytes(found)

    edit = st.tuples(st.integers(0, len(data)), st.integers(0, 40), st.integers(0, 255))
    return st.lists(edit, max_size=3).map(change)


@settings(max_examples=500)
@given(changes(KEY) | changes(armor(KEY)) | st.binary(max_size=200), st.sampled_from([OWNER, SUBKEY, Key(seed=3)]))
def test_keys(data: bytes, signer: Key) -> None:
    try:
        certificate = Certificate.read(data)
        found = Keyring(certificate).verify(packet(2, signer.sign(b"data")), b"data", name="file")
    except (ValueError, ImageError):
        return
    # Whatever was changed, a signer is one that the key itself has bound.
    assert certificate.fingerprint == found.primary == OWNER.fingerprint
    assert found.subkey == signer.fingerprint != Key(seed=3).fingerprint


@settings(max_examples=300)
@given(
    changes(SEAL) | changes(armor(SEAL, "SIGNATURE")) | st.binary(max_size=200), st.sampled_from([b"data", b"other"])
)
def test_signatures(seal: bytes, data: bytes) -> None:
    ring = Keyring(Certificate.read(KEY))
    try:
        found = ring.verify(seal, data, name="file")
    except ImageError:
        return
    assert data == b"data"
    assert found.subkey == SUBKEY.fingerprint
    assert found.made == EPOCH + 1000


@given(
    st.binary(max_size=300) | st.binary(max_size=300).map(lambda data: b"\xc2" + data),
    st.sampled_from(["SIGNATURE", "x"]),
)
def test_packets(data: bytes, kind: str) -> None:
    with suppress(ValueError):
        assert read_packets(data, kind)
        assert data[0] >= 0x80
