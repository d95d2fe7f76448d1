"""Progress on disk: whole after a crash, kept aside when broken, shared by processes."""

from __future__ import annotations

import json
import multiprocessing
from dataclasses import replace
from pathlib import Path

import pytest

from flatkit.errors import HostError
from flatkit.lessons import progress
from flatkit.lessons.exercise import State
from flatkit.lessons.progress import Progress, TaskRecord


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "progress.json"


def test_it_is_there_again_later(file: Path) -> None:
    record = TaskRecord(state=State.WRONG, is_set_up=True, start="none", hints=1, answers=(1, None))
    Progress(file).change("01-user", lambda _: record)
    assert Progress(file).get("01-user") == record
    assert Progress(file).get("02-script") == TaskRecord()
    assert set(Progress(file).all()) == {"01-user"}


BROKEN = [
    "", "{", "[]", '{"format": 2, "tasks": {}}', '{"format": 1}', '{"format": 1, "tasks": {"a": {"state": "flying"}}}',
    '{"format": 1, "tasks": {"a": {"answers": ["x"]}}}', '{"format": 1, "tasks": {"a": 3}}', '{"format": 1, "tasks": 3}',
    '{"format": 1, "tasks": {"a": {"hints": "many"}}}', "\ud800".encode("utf-8", "surrogatepass"), "[" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("text", BROKEN, ids=range(len(BROKEN)))
def test_a_broken_file_is_kept_aside(file: Path, text: str | bytes) -> None:
    data = text if isinstance(text, bytes) else text.encode()
    file.parent.mkdir()
    file.write_bytes(data)
    assert Progress(file).all() == {}
    assert file.with_name("progress.json.broken-1").read_bytes() == data
    Progress(file).change("a", lambda record: replace(record, hints=1))
    file.write_bytes(data)
    assert Progress(file).get("a") == TaskRecord()
    assert file.with_name("progress.json.broken-2").read_bytes() == data


def test_what_a_later_version_adds_to_a_record_is_left_out(file: Path) -> None:
    file.parent.mkdir()
    file.write_text('{"format": 1, "tasks": {"a": {"state": "passed", "medal": "gold"}}}')
    assert Progress(file).get("a").state is State.PASSED


def test_a_crash_while_writing_leaves_the_old_text(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Progress(file).change("a", lambda record: replace(record, hints=1))
    before = file.read_text()

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", crash)
    with pytest.raises(KeyboardInterrupt):
        Progress(file).change("a", lambda record: replace(record, hints=2))
    assert file.read_text() == before
    assert {path.name for path in file.parent.iterdir()} <= {"progress.json", "progress.json.lock"}


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file, no folder")
    with pytest.raises(HostError, match="cannot be written") as caught:
        Progress(tmp_path / "state" / "progress.json").change("a", lambda record: record)
    assert "FLATKIT_STATE" in caught.value.hint


def count(file: Path, times: int) -> None:
    for _ in range(times):
        Progress(file).change("shared", lambda record: replace(record, hints=record.hints + 1))


def test_two_processes_lose_nothing(file: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=count, args=(file, 20)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
        worker.close()
    assert Progress(file).get("shared").hints == 40
    assert json.loads(file.read_text())["format"] == 1


def test_a_whole_file_that_another_kernel_writes_meanwhile_is_not_kept_aside(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.parent.mkdir()
    file.write_text("{")
    usable = progress._usable

    def usable_late(data: bytes) -> object:
        monkeypatch.setattr(progress, "_usable", usable)
        Progress(file).change("01-user", lambda _: TaskRecord(hints=1))  # the other kernel mends the file, and saves
        return usable(data)

    monkeypatch.setattr(progress, "_usable", usable_late)
    assert Progress(file).get("01-user").hints == 1
    assert Progress(file).get("01-user").hints == 1
    assert not file.with_name("progress.json.broken-2").exists()
