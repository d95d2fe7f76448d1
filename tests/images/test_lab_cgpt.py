"""The lab image's cgpt on a file with the lab's partitions, beside what Flatcar's own cgpt answered (tests/golden/real)."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from flatkit.images.lab import recipe
from tests.real_tools import Answer, Call, blocks, cgpt_calls

pytestmark = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in ("bash", "sfdisk", "gzip")) and not os.environ.get("CI"),
    reason="the script needs bash, sfdisk and gzip",
)
CGPT = recipe.files() / "usr/bin/cgpt"
SECTORS = 13119488
EDGE = 40 * 512  # the protective MBR, the header and its table; at the end, the same but for the MBR


def layout() -> str:
    """The lab's partitions, for sfdisk."""
    lines, start = ["label: gpt", f"label-id: {recipe.DISK_GUID}", "unit: sectors"], 4096
    for part in recipe.PARTITIONS:
        size = part.mib * 2048
        words = [f"{part.number}: start={start}", f"size={size}", f"type={part.type_guid}", f"name={part.label}"]
        words += [f"uuid={part.guid}"] if part.guid else []
        words += [f'attrs="{part.attributes}"'] if part.attributes else []
        lines.append(", ".join(words))
        start += size
    return "\n".join(lines) + "\n"


class Disk:
    """A sparse file that is a lab disk; both its ends can be kept and put back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "disk"
        with self.path.open("wb") as file:
            file.truncate(SECTORS * 512)
        subprocess.run(["sfdisk", "--quiet", self.path], input=layout(), text=True, check=True, capture_output=True)
        self.states = {"fresh": self.ends()}
        assert self.cgpt("add -i 4 -P 2 -S 0 -T 1 disk").status == 0
        self.states["staged"] = self.ends()

    def ends(self) -> tuple[bytes, bytes]:
        with self.path.open("rb") as file:
            first = file.read(EDGE)
            file.seek(-EDGE, os.SEEK_END)
            return first, file.read()

    def put(self, ends: tuple[bytes, bytes]) -> None:
        with self.path.open("r+b") as file:
            file.write(ends[0])
            file.seek(-EDGE, os.SEEK_END)
            file.write(ends[1])

    def cgpt(self, words: str) -> Answer:
        done = subprocess.run(
            ["bash", CGPT, *shlex.split(words)], cwd=self.folder, capture_output=True, text=True, timeout=120
        )
        return Answer(status=done.returncode, out=done.stdout, err=done.stderr)

    def bits(self) -> str:
        """Priority, tries and successful of USR-A and of USR-B, from the primary table's bytes."""
        table = self.ends()[0][1024:]
        lines = []
        for number in (3, 4):
            low, high = table[(number - 1) * 128 + 54], table[(number - 1) * 128 + 55]
            lines.append(f"{low & 15} {low >> 4} {high & 1}")
        return "\n".join(lines)


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Disk:
    return Disk(tmp_path_factory.mktemp("cgpt"))


def on_a_file(call: Call) -> tuple[str, str]:
    """The call's words and its answer, for a file in place of /dev/vda: a file has no partitions of its own."""
    words = call.command.removeprefix("cgpt ").replace("/dev/disk/by-partlabel/USR-A", "-i 3 disk")
    words = re.sub(r"/dev/vda(\d)", "disk" if "repair" in words else r"-i \1 disk", words).replace("/dev/vda", "disk")
    if words.split()[0] in ("find", "next") and "disk" not in words:
        words += " disk"
    return words, call.answer.out.replace("/dev/vda", "disk")


# Only a block device can be resized.
PLAYED = [call for call in cgpt_calls() if not call.command.startswith("cgpt resize")]


@pytest.mark.parametrize("state", ["fresh", "staged"])
def test_it_answers_as_flatcars_own(disk: Disk, state: str) -> None:
    calls = [call for call in PLAYED if call.disk == state]
    assert len(calls) > 25
    differ = []
    for call in calls:
        disk.put(disk.states[state])
        words, out = on_a_file(call)
        answer = disk.cgpt(words)
        real = Answer(status=call.answer.status, out=out, err=call.answer.err)
        if answer.masked() != real.masked() or disk.bits() != call.answer.bits:
            differ.append((words, answer, disk.bits()))
    assert differ == []


def damaged(ends: tuple[bytes, bytes], kind: str) -> tuple[bytes, bytes]:
    """As the record has them: a header without its first bytes, or a table without its first sector."""
    first, last = bytearray(ends[0]), bytearray(ends[1])
    if kind in ("prihdr", "both"):
        first[512:520] = bytes(8)
    if kind in ("sechdr", "both"):
        last[-512:-504] = bytes(8)
    if kind == "pritab":
        first[1024:1536] = bytes(512)
    return bytes(first), bytes(last)


# Flatcar's own writes the damaged primary over the good backup, and no valid header is left; here it is refused.
REFUSED = ("prihdr: cgpt next /dev/vda", "prihdr: cgpt prioritize -i 3 /dev/vda")


@pytest.mark.parametrize(("head", "lines"), blocks("cgpt-damaged-table.txt"))
def test_a_damaged_table_is_shown_refused_and_repaired(disk: Disk, head: str, lines: list[str]) -> None:
    kind, _, command = head.partition(": ")
    disk.put(damaged(disk.states["staged"], kind))
    before = disk.ends()
    real = re.match(r" real rc=(\d) out: (.*?) lines=(\d+) err: (.*)", lines[0])
    assert real
    answer = disk.cgpt(
        command.removeprefix("cgpt ").replace("/dev/vda", "disk") + (" disk" if "find" in command else "")
    )
    if head in REFUSED:
        verb = command.split()[1]
        assert (answer.status, answer.out) == (1, "")
        assert answer.err.startswith(
            f"ERROR: cgpt {verb}: one of the GPT header/entries is invalid.\nplease run 'cgpt repair'"
        )
        assert disk.ends() == before
        return
    assert answer.status == int(real[1])
    assert answer.out.replace("\n", "~").replace("disk", "/dev/vda").startswith(real[2])
    assert len(answer.out.splitlines()) == int(real[3])
    assert answer.err.replace("\n", "~").replace("disk", "/dev/vda") == real[4]
    afterwards = re.search(r"rc=(\d) warn=(\d) err=(.*) bits (\S*) (\S*)", lines[1])
    assert afterwards
    shown = disk.cgpt("show -n disk")
    assert shown.status == int(afterwards[1])
    assert ("WARNING" in shown.err) is (afterwards[2] == "1")
    attributes = [int(found, 16) for found in re.findall(r"Attr: (0x\w+)", shown.out)]
    if afterwards[4]:
        assert attributes[2:4] == [int(afterwards[4], 16), int(afterwards[5], 16)]


@pytest.mark.parametrize("words", ["next disk", "prioritize disk"])
def test_no_command_leaves_a_disk_without_a_valid_table(disk: Disk, words: str) -> None:
    for kind in ("prihdr", "sechdr", "pritab"):
        disk.put(damaged(disk.states["staged"], kind))
        disk.cgpt(words)
        assert disk.cgpt("repair disk").status == 0
        assert disk.cgpt("show disk").err == ""


@pytest.mark.parametrize("word", ["a[$(touch x)]", "16", "-1", "1 ", "1\n2", "", "08", "0x", "٣", "9" * 40])
@pytest.mark.parametrize("option", ["-P", "-S"])
def test_it_computes_with_numbers_alone(disk: Disk, option: str, word: str) -> None:
    disk.put(disk.states["fresh"])
    before = disk.ends()
    answer = disk.cgpt(f"add -i 3 {option} {shlex.quote(word)} disk")
    assert answer.status == 1
    assert "invalid argument to" in answer.err or f"value for {option} must be between 0 and" in answer.err
    assert disk.ends() == before
    assert not (disk.folder / "x").exists()


def test_a_partitions_name_is_neither_its_type_nor_its_bits_nor_a_command(disk: Disk) -> None:
    disk.put(disk.states["fresh"])
    name = '$(touch x)";-P15 %s'
    assert disk.cgpt(f"add -i 4 -l {shlex.quote(name)} disk").status == 0
    assert disk.cgpt("show -i 4 -l disk").out == f"{name}\n"
    assert disk.cgpt(f"find -l {shlex.quote(name)} disk").out == "disk4\n"
    assert disk.cgpt("show -i 4 -P disk").out == "0\n"
    assert not (disk.folder / "x").exists()


def test_a_new_mbr_is_a_protective_one_until_something_is_added(disk: Disk) -> None:
    disk.put(disk.states["fresh"])
    kinds = []
    for words in ("add -i 1 -B 1 disk", "boot -p disk", "add -i 1 -B 1 disk"):
        assert disk.cgpt(words).status == 0
        first = disk.ends()[0]
        kinds.append([first[446 + 16 * number + 4] for number in (0, 1)])
    assert kinds == [[0x0C, 0xEE], [0xEE, 0], [0x0C, 0xEE]]


@pytest.mark.parametrize("words", ["find -u ' 7130C94A-213A-4E5A-8E26-6CCE9662F132' disk", "find -l USR-A disk"])
def test_a_guid_is_read_as_scanf_reads_it(disk: Disk, words: str) -> None:
    disk.put(disk.states["fresh"])
    assert disk.cgpt(words).out == "disk3\n"


def test_a_refused_add_repeats_its_own_words_alone(disk: Disk) -> None:
    disk.put(disk.states["fresh"])
    answer = disk.cgpt("add -b 2629632 -s 100 -t coreos-usr disk")
    assert answer.status == 1
    assert answer.err.splitlines()[1] == (
        "ERROR: cgpt add: -i 5 -b 2629632 -s 100 -t 5DFBF5F4-2848-4BAC-AA5E-0D9A20B745A6 "
    )


@pytest.mark.parametrize("size", [0, 1024, 34304])
def test_a_file_without_a_table_is_refused(disk: Disk, size: int) -> None:
    (disk.folder / "small").write_bytes(bytes(size))
    for words in ("show small", "add -i 3 -P 1 small", "repair small", "prioritize small", "next small"):
        answer = disk.cgpt(words)
        assert (answer.status, answer.out) == (1, "")
        assert answer.err.startswith("ERROR: cgpt ")
    assert (disk.folder / "small").read_bytes() == bytes(size)


def test_a_disk_that_has_grown_is_repaired(disk: Disk, tmp_path: Path) -> None:
    disk.put(disk.states["staged"])
    path = tmp_path / "grown"
    subprocess.run(["cp", "--sparse=always", disk.path, path], check=True)
    with path.open("r+b") as file:
        file.truncate((SECTORS + 2048) * 512)
    answer = disk.cgpt(f"repair {path}")
    assert answer.out == "Primary Header is updated.\nSecondary Entries is updated.\nSecondary Header is updated.\n"
    shown = disk.cgpt(f"show -v {path}")
    assert shown.err == ""
    assert f"Last LBA: {SECTORS + 2048 - 34}\n" in shown.out
    assert "GPT fdisk" not in subprocess.run(["sfdisk", "--verify", path], capture_output=True, text=True).stderr


@pytest.mark.parametrize(
    ("words", "err"),
    [
        ("add -i 4 -P 2 disk/", "ERROR: cgpt add: unable to access device disk/: Not a directory\n"),
        ("create disk/", "ERROR: cgpt create: Can't open disk/: Not a directory\n"),
        ("boot -b /dev/null disk", "ERROR: cgpt boot: problem reading /dev/null: Success\n"),
        ("boot -b . disk", "ERROR: cgpt boot: problem reading .: Is a directory\n"),
        ("boot -b '' disk", "ERROR: cgpt boot: Can't read : No such file or directory\n"),
        ("boot -p -b /dev/null -b '' disk", "ERROR: cgpt boot: Can't read : No such file or directory\n"),
        ("prioritize -P -18446744073709551615 disk", "ERROR: cgpt prioritize: value for -P must be between 1 and 15\n"),
        ("prioritize -P 9223372036854775809 disk", "ERROR: cgpt prioritize: value for -P must be between 1 and 15\n"),
        ("find -l ROOT -M . disk", "ERROR: cgpt find: Unable to read from .\n"),
    ],
)
def test_what_cannot_be_used_is_named_as_c_does(disk: Disk, words: str, err: str) -> None:
    disk.put(disk.states["fresh"])
    answer = disk.cgpt(words)
    assert (answer.status, answer.err) == (1, err)
    assert disk.ends() == disk.states["fresh"]


@pytest.mark.parametrize(
    ("text", "guid"),
    [
        ("0x1-2-3-0405-060708090a0b", "00000001-0002-0003-0405-060708090A0B"),
        ("-1-+2-0X3-04-5-0x708090a0bc", "FFFFFFFF-0002-0003-04FB-00708090A0BC"),
        (" Ab-1-2-3 4-5 6 7 8 9 axyz", "000000AB-0001-0002-0304-05060708090A"),
        ("1-2-3-4-5", ""),
    ],
)
def test_a_guid_is_read_as_scanf_does(disk: Disk, text: str, guid: str) -> None:
    disk.put(disk.states["fresh"])
    assert disk.cgpt(f"add -i 4 -u {shlex.quote(text)} disk").status == (0 if guid else 1)
    if guid:
        assert disk.cgpt("show -i 4 -u disk").out == f"{guid}\n"
