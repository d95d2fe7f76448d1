from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatkit.errors import ImageError, InputError
from flatkit.updates import content
from flatkit.updates.content import Selection, file_content, select, text_content

TEN = text_content("0123456789")
SHA256 = hashlib.sha256


@pytest.mark.parametrize(
    ("wanted", "status", "start", "count"),
    [
        ("", 200, 0, 10),
        ("bytes=0-", 206, 0, 10),
        ("bytes=0-0", 206, 0, 1),
        ("bytes=3-5", 206, 3, 3),
        ("Bytes = 3-5", 206, 3, 3),
        ("bytes=9-", 206, 9, 1),
        ("bytes=9-99999999", 206, 9, 1),
        ("bytes=-3", 206, 7, 3),
        ("bytes=-99", 206, 0, 10),
        ("bytes=10-", 416, 0, 0),
        ("bytes=10-12", 416, 0, 0),
        ("bytes=-0", 416, 0, 0),
        ("bytes=5-3", 200, 0, 10),
        ("bytes=-", 200, 0, 10),
        ("bytes=0-1,4-5", 200, 0, 10),
        ("bytes=a-b", 200, 0, 10),
        ("lines=1-2", 200, 0, 10),
        ("bytes=" + "9" * 40 + "-", 200, 0, 10),
    ],
)
def test_ranges(wanted: str, status: int, start: int, count: int) -> None:
    assert select(TEN, wanted=wanted) == Selection(status=status, start=start, count=count)


def test_if_range_decides_whether_a_rest_still_fits() -> None:
    assert select(TEN, wanted="bytes=5-", if_range=TEN.etag).status == 206
    assert select(TEN, wanted="bytes=5-", if_range='"other"') == Selection(status=200, count=10)
    assert select(TEN, wanted="bytes=5-", if_range=f"W/{TEN.etag}").status == 200
    assert select(TEN, wanted="bytes=5-", if_range="Mon, 23 Nov 2026 08:00:00 GMT").status == 200


def test_if_none_match() -> None:
    for listed in (TEN.etag, f"W/{TEN.etag}", f'"x", {TEN.etag}', "*"):
        assert select(TEN, if_none_match=listed).status == 304
    assert select(TEN, if_none_match='"x"').status == 200


@given(st.text(alphabet="bytes=-,0123456789 ", max_size=20), st.integers(min_value=0, max_value=30))
def test_any_range_stays_inside(wanted: str, size: int) -> None:
    found = select(text_content("x" * size), wanted=wanted)
    assert found.status in {200, 206, 416}
    assert 0 <= found.start <= found.start + found.count <= size
    assert found.status != 206 or found.count > 0


def test_a_file_is_measured(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc" * 1000)
    found = file_content(path)
    assert found.size == 3000
    assert found.sha256 == hashlib.sha256(b"abc" * 1000).hexdigest()
    assert found.sha1 == hashlib.sha1(b"abc" * 1000).hexdigest()
    with found.open() as file:
        assert file.read() == b"abc" * 1000


def test_a_file_whose_state_changed_is_read_once_for_each_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same bytes in another file, and then others of the same size: both are known without reading them again."""
    path, read = tmp_path / "file", []
    path.write_bytes(b"abc")
    found = file_content(path)
    measured = content._measure
    monkeypatch.setattr(content, "_measure", lambda *given: read.append(1) or measured(*given))
    path.unlink()
    path.write_bytes(b"abc")
    for _ in range(3):
        found.open().close()
    assert len(read) == 1
    path.unlink()
    path.write_bytes(b"abd")
    for _ in range(3):
        with pytest.raises(ImageError, match="has changed since it was published"):
            found.open()
    assert len(read) == 2


def test_a_file_that_changed_or_is_gone_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    found, changed_ns = file_content(path), path.stat().st_mtime_ns
    path.write_bytes(b"abcd")
    with pytest.raises(ImageError, match="has changed since it was published"):
        found.open()
    path.write_bytes(b"abd")
    os.utime(path, ns=(1, changed_ns + 1))
    with pytest.raises(ImageError, match="has changed since it was published"):
        found.open()
    path.unlink()
    with pytest.raises(ImageError, match="cannot be read any more: No such file"):
        found.open()
    with pytest.raises(InputError, match="cannot be published: No such file"):
        file_content(path)


class _Disturbed:
    """SHA-256, with something that happens while a file is read; `acts` has one for each reading."""

    def __init__(self, acts: list[Callable[[], object]]) -> None:
        self._hash, self._acts = SHA256(), acts

    def update(self, piece: bytes) -> None:
        self._hash.update(piece)
        if self._acts:
            self._acts.pop(0)()

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


def test_links_that_another_process_makes_and_removes_disturb_no_publishing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two demos of one account have links to the same payload in the cache."""
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_bytes(b"abc")
    acts: list[Callable[[], object]] = [lambda: link.hardlink_to(path), link.unlink]
    digest = hashlib.sha256(b"abc").hexdigest()
    monkeypatch.setattr(content.hashlib, "sha256", lambda: _Disturbed(acts))
    found = file_content(path)
    assert (found.sha256, acts) == (digest, [])
    acts[:] = [lambda: link.hardlink_to(path)]
    path.chmod(0o600)  # another state: it is read again
    found.open().close()
    assert not acts


def test_a_file_that_is_written_all_the_time_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    acts: list[Callable[[], object]] = [lambda: path.write_bytes(path.read_bytes() + b"d")] * 50
    monkeypatch.setattr(content.hashlib, "sha256", lambda: _Disturbed(acts))
    with pytest.raises(InputError, match="it changes while it is read"):
        file_content(path)
