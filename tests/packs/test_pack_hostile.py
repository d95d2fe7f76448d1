"""A pack from somebody who means harm: links, devices, bombs and code in it; nothing leaves it and nothing runs."""

from __future__ import annotations

import io
import os
import resource
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from room_parts import PAYLOAD, MakeWheel, describe, write

from flatkit import web
from flatkit.cli import main
from flatkit.errors import FetchError, HostError, ImageError, InputError, UsageError
from flatkit.events import Observer
from flatkit.images.pack_manifest import (
    MANIFEST,
    SUMS,
    PackedFile,
    PackManifest,
    manifest_as_text,
    parse_manifest,
    sums_as_text,
)
from flatkit.packs import wheelfile, wheels
from flatkit.packs.builder import PackBuilder, measure
from flatkit.packs.check import check
from flatkit.packs.pack import Wishes, pack
from flatkit.packs.serve import Address, serving
from flatkit.packs.wheelfile import parse_wheel, read_wheel
from flatkit.packs.wheels import as_index, close_over, read_wheels

FREE = Address(port=0)
SECRET = "the secret of this host"
NOTHING = Wishes(lab=(), extensions=(), containers=False, pythons=())
DISK = "lab/110.2.0-abc/disk.qcow2"


@pytest.fixture(name="outside")
def _outside(tmp_path: Path) -> Path:
    """A folder of the user's that no pack may touch."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_text(SECRET)
    return folder


def untouched(outside: Path) -> bool:
    return [(path.name, path.read_text()) for path in outside.iterdir()] == [("secret", SECRET)]


# What is served


def test_sums_and_manifest_that_are_links_lead_nowhere(pack: Path, outside: Path) -> None:
    """SHA256SUMS is made of the manifest, so that its file is not even opened."""
    expected = (pack / SUMS).read_text()
    for target in (outside / "secret", Path("/proc/self/environ"), Path("/dev/zero")):
        (pack / SUMS).unlink()
        (pack / SUMS).symlink_to(target)
        with serving(pack, FREE) as (server, _):
            assert web.get(f"{server.url}/{SUMS}").text == expected
            assert web.get(f"{server.url}/{MANIFEST}", limit=10**6).text == (pack / MANIFEST).read_text()
    (pack / MANIFEST).rename(outside / "manifest")
    (pack / MANIFEST).symlink_to(outside / "manifest")
    for refuse in (lambda: check(pack), lambda: serving(pack, FREE).__enter__()):
        with pytest.raises(UsageError, match="is a symbolic link, which is not followed"):
            refuse()


def as_link(pack: Path, outside: Path) -> None:
    (pack / DISK).unlink()
    (pack / DISK).symlink_to(outside / "secret")


def as_folder_link(pack: Path, outside: Path) -> None:
    (pack / DISK).rename(outside / "disk.qcow2")
    (pack / "lab/110.2.0-abc/image.json").rename(outside / "image.json")
    (pack / "lab/110.2.0-abc").rmdir()
    (pack / "lab/110.2.0-abc").symlink_to(outside)


def as_fifo(pack: Path, outside: Path) -> None:
    (pack / DISK).unlink()
    os.mkfifo(pack / DISK)


def as_device(pack: Path, outside: Path) -> None:
    (pack / DISK).unlink()
    (pack / DISK).symlink_to("/dev/zero")


def as_socket_folder(pack: Path, outside: Path) -> None:
    (pack / DISK).unlink()
    (pack / DISK).mkdir()


def as_hard_link(pack: Path, outside: Path) -> None:
    """Of the promised size, so that only its bytes tell it apart."""
    (outside / "secret").write_bytes(SECRET.encode().ljust(len(PAYLOAD)))
    (pack / DISK).unlink()
    os.link(outside / "secret", pack / DISK)


@pytest.mark.parametrize("spoil", [as_link, as_folder_link, as_fifo, as_device, as_socket_folder, as_hard_link])
def test_what_is_not_the_packed_file_is_neither_served_nor_checked_as_right(
    pack: Path, outside: Path, spoil: Callable[[Path, Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.python_version_tuple", lambda: ("3", "9", "0"))
    spoil(pack, outside)
    with pytest.raises(InputError, match=r"cannot be published|is not the file that was promised"), serving(pack, FREE):
        pass
    with pytest.raises(InputError) as caught, serving(pack, FREE):
        pass
    assert caught.value.hint == f"flatkit room check {pack}"
    found = check(pack)
    assert [finding.name for finding in found.findings if not finding.ok] == ["files"]
    assert DISK in str(found)


@pytest.mark.parametrize("spoil", [as_link, as_folder_link, as_fifo, as_hard_link])
def test_a_file_that_is_replaced_while_it_is_served_is_not_sent(
    pack: Path, outside: Path, spoil: Callable[[Path, Path], None]
) -> None:
    with serving(pack, FREE) as (server, _):
        url = f"{server.url}/{DISK}"
        assert web.get(url, limit=10**6).data == PAYLOAD
        before = (pack / DISK).stat()
        spoil(pack, outside)
        if spoil is as_hard_link:  # the time of change is the attacker's to choose
            os.utime(pack / DISK, ns=(before.st_atime_ns, before.st_mtime_ns))
        answer = web.get(url, limit=10**6)
        assert answer.status == 404
        assert SECRET not in answer.text


def test_a_copy_of_the_same_bytes_in_its_place_is_served(pack: Path) -> None:
    """A backup or a file system without inode numbers changes everything but the bytes."""
    with serving(pack, FREE) as (server, _):
        (pack / DISK).unlink()
        (pack / DISK).write_bytes(PAYLOAD)
        for _ in range(2):
            assert web.get(f"{server.url}/{DISK}", limit=10**6).data == PAYLOAD


def test_the_page_of_wheels_has_no_markup_of_others() -> None:
    page = as_index({'x"><script>alert(1)</script>-1.whl': '"><script>'}, base='"')
    assert "<script" not in page
    assert '""' not in page.partition("<title>")[2]


def test_only_wheels_are_on_their_page(pack: Path) -> None:
    (pack / "wheels/evil-1.0.tar.gz").write_text("setup.py in it would run")
    (pack / "wheels/sub").mkdir()
    (pack / "wheels/sub/other-1.0-py3-none-any.whl").write_text("")
    describe(pack)
    with serving(pack, FREE) as (server, _):
        page = web.get(f"{server.url}/wheels/").text
    assert "helper-1.5-py3-none-any.whl#sha256" in page
    assert "evil" not in page
    assert "other-1.0" not in page


# What is packed into an earlier pack


@pytest.mark.parametrize("name", ["course", "course/pictures", "wheels", "extensions", "lab"])
def test_packing_into_a_pack_with_a_link_touches_nothing_outside(pack: Path, outside: Path, name: str) -> None:
    """The earlier manifest names files behind the link, which would have been removed or written."""
    import shutil

    manifest = parse_manifest((pack / MANIFEST).read_bytes())
    shutil.rmtree(pack / name, ignore_errors=True)
    (pack / name).parent.mkdir(exist_ok=True)
    (pack / name).symlink_to(outside)
    secret = PackedFile(path=f"{name}/secret", size=1, sha256="0" * 64, sha1="0" * 40)
    write(pack, replace(manifest, files=(secret,)))
    with pytest.raises(HostError, match="is a symbolic link, which is not followed"):
        pack_nothing(pack)
    assert untouched(outside)


def pack_nothing(folder: Path) -> PackManifest:
    builder = PackBuilder(folder, observer=Observer())
    for inside in ("course/pictures/a", "course/b", "wheels/c", "extensions/d", "lab/e"):
        builder.text(inside, "x")
    return builder.close(pythons=())


@pytest.mark.parametrize("name", [MANIFEST, SUMS, f".{MANIFEST}.part", f".{SUMS}.part", "course/a", "course/.a.part"])
def test_packing_over_a_file_that_is_a_link_replaces_the_link(tmp_path: Path, outside: Path, name: str) -> None:
    folder = tmp_path / "pack"
    PackBuilder(folder, observer=Observer()).close(pythons=())
    builder = PackBuilder(folder, observer=Observer())
    (folder / "course").mkdir()
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(outside / "secret")
    builder.text("course/a", "text")
    builder.copy(outside / "secret", "course/b")
    builder.close(pythons=())
    assert untouched(outside)
    assert (folder / "course/b").read_text() == SECRET
    assert parse_manifest((folder / MANIFEST).read_bytes()).get_file("course/a").size == 4
    assert not any(path.is_symlink() for path in folder.rglob("*"))


def test_an_earlier_manifest_is_read_with_care(tmp_path: Path, outside: Path) -> None:
    folder = tmp_path / "pack"
    folder.mkdir()
    os.mkfifo(folder / MANIFEST)
    with pytest.raises(HostError, match="not a regular file"):
        PackBuilder(folder, observer=Observer())
    (folder / MANIFEST).unlink()
    (folder / MANIFEST).symlink_to(outside / "secret")
    with pytest.raises(HostError, match="symbolic link"):
        PackBuilder(folder, observer=Observer())
    (folder / MANIFEST).unlink()
    huge(folder / MANIFEST, 2**40)
    PackBuilder(folder, observer=Observer()).close(pythons=())  # one that is not understood removes nothing
    assert untouched(outside)


def test_files_that_others_have_changed_are_packed_again(tmp_path: Path) -> None:
    """Also where size and time of change are as they were."""
    source, folder = tmp_path / "source", tmp_path / "pack"
    source.write_text("right")
    builder = PackBuilder(folder, observer=Observer())
    builder.copy(source, "a")
    builder.close(pythons=())
    (folder / "a").write_text("wrong")
    times = source.stat()
    os.utime(folder / "a", ns=(times.st_atime_ns, times.st_mtime_ns))
    again = PackBuilder(folder, observer=Observer())
    again.copy(source, "a")
    again.close(pythons=())
    assert (folder / "a").read_text() == "right"


def test_wheels_of_an_earlier_pack_are_taken_as_its_manifest_describes_them(pack: Path, tmp_path: Path) -> None:
    builder = PackBuilder(pack, observer=Observer())
    names = [path for path in builder.before("wheels") if path.endswith(".whl")]
    assert len(names) == 2
    assert builder.take_back(names[1], tmp_path / "helper.whl")
    assert (tmp_path / "helper.whl").read_bytes() == (pack / names[1]).read_bytes()
    with (pack / names[1]).open("ab") as file:
        file.write(b"more")
    (pack / names[0]).unlink()
    os.mkfifo(pack / names[0])
    for name in (*names, "wheels/unknown.whl"):
        assert not builder.take_back(name, tmp_path / "none.whl")
        assert not (tmp_path / "none.whl").exists()


@pytest.mark.parametrize(
    "inside", ["a b", "-x", ".hidden", "a/.b", "../x", "ü", "a\nb", "/".join("abcdefghi"), "x" * 201]
)
def test_a_name_that_no_pack_may_have_is_refused_before_anything_is_packed(tmp_path: Path, inside: str) -> None:
    (tmp_path / "source").write_text("x")
    builder = PackBuilder(tmp_path / "pack", observer=Observer())
    with pytest.raises(UsageError, match="cannot be in a pack; expected"):
        builder.copy(tmp_path / "source", inside)


def test_a_notebook_of_another_name_is_left_out_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    course = tmp_path / "notebooks"
    course.mkdir()
    for name in ("00-start.ipynb", "Übung 1.ipynb", ".hidden"):
        (course / name).write_text("{}")
    monkeypatch.setattr("flatkit.paths.source_notebooks", lambda: course)
    manifest = pack(tmp_path / "pack", NOTHING)
    assert [file.path for file in manifest.files] == ["course/00-start.ipynb"]
    assert [text.partition(":")[0] for text in manifest.left_out] == ["course/Übung 1.ipynb"]


# What is checked


def huge(path: Path, size: int) -> None:
    """A file of holes."""
    with path.open("wb") as file:
        file.truncate(size)


def test_a_manifest_without_end_is_refused_at_once(pack: Path) -> None:
    huge(pack / MANIFEST, 2**40)
    with pytest.raises(ImageError, match="expected at most"):
        check(pack)
    (pack / MANIFEST).unlink()
    os.mkfifo(pack / MANIFEST)
    with pytest.raises(UsageError, match="not a regular file"):
        check(pack)


def test_sums_without_end_are_another_text(pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.python_version_tuple", lambda: ("3", "9", "0"))
    for spoil in (lambda: huge(pack / SUMS, 2**40), lambda: ((pack / SUMS).unlink(), os.mkfifo(pack / SUMS))):
        spoil()
        assert [finding.name for finding in check(pack).findings if not finding.ok] == ["sums"]


def test_a_file_that_is_larger_than_promised_is_not_read(pack: Path) -> None:
    huge(pack / DISK, 2**40)
    found = measure(pack, DISK, most=len(PAYLOAD))
    assert (found.size, found.sha256) == (2**40, "")


def test_entries_that_no_manifest_names_cost_nothing(pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.python_version_tuple", lambda: ("3", "9", "0"))
    for number in range(3000):
        (pack / "wheels" / f"{number}").touch()
    os.mkfifo(pack / "wheels/trap-1.0-py3-none-any.whl")
    assert check(pack).ok


def zip_with(path: Path, entries: dict[str, bytes], **kind: int) -> Path:
    with zipfile.ZipFile(path, "w", **kind) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


METADATA = b"Metadata-Version: 2.1\nName: helper\nVersion: 1.5\n"
INFO = "helper-1.5.dist-info/METADATA"


def bomb(path: Path) -> None:
    """A METADATA of 400 MB in 400 kB."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(INFO, "w", force_zip64=True) as entry,
    ):
        for _ in range(40):
            entry.write(bytes(10**7))


def bomb_that_lies(path: Path) -> None:
    """Its table of contents says that METADATA is small."""
    zip_with(path, {INFO: METADATA + bytes(5 * 10**7)}, compression=zipfile.ZIP_DEFLATED)
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", 2**31 - 1)
    path.write_bytes(data)


def many_entries(path: Path) -> None:
    entry = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"x"
    table = entry * 1_000_000
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 65535, 65535, len(table), 0, 0)
    path.write_bytes(table + end)


def overlapping(path: Path) -> None:
    """Many entries that are the same bytes."""
    zip_with(path, {INFO: METADATA, "a": bytes(1000), "b": bytes(1000)})
    data = bytearray(path.read_bytes())
    first = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 4)
    second = data.index(b"PK\x01\x02", first + 4)
    data[second + 42 : second + 46] = data[first + 42 : first + 46]
    path.write_bytes(data)


def large_dictionary(path: Path) -> None:
    """LZMA takes the size of its memory from the file."""
    zip_with(path, {INFO: METADATA}, compression=zipfile.ZIP_LZMA)


def many_requirements(path: Path) -> None:
    zip_with(path, {INFO: METADATA + b"".join(b"Requires-Dist: a%d\n" % number for number in range(100_000))})


def long_requirement(path: Path) -> None:
    zip_with(path, {INFO: METADATA + b"Requires-Dist: a" + b"a" * 10_000 + b"\n"})


def required_address(path: Path) -> None:
    """pip would fetch it and run its setup.py, whatever --no-index and --only-binary say."""
    zip_with(path, {INFO: METADATA + b"Requires-Dist: evil @ https://example.com/evil-1.0.tar.gz\n"})


def two_metadata(path: Path) -> None:
    zip_with(path, {INFO: METADATA, "other-1.0.dist-info/METADATA": METADATA})


def broken_requirement(path: Path) -> None:
    zip_with(path, {INFO: METADATA + b"Requires-Dist: -r /etc/passwd\n"})


def broken_text(path: Path) -> None:
    zip_with(path, {INFO: METADATA + b"Requires-Dist: \xff\n"})


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


BOMBS = [
    bomb, bomb_that_lies, many_entries, overlapping, large_dictionary, many_requirements, long_requirement, required_address,
    two_metadata, broken_requirement, broken_text,
]  # fmt: skip


@pytest.fixture(name="little_memory")
def _little_memory() -> object:
    """A bound on this process's memory, so that a bomb fails the test instead of the host."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + 400 * 1024**2, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.parametrize("spoil", BOMBS)
def test_a_wheel_that_is_a_trap_is_named(
    pack: Path, spoil: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch, little_memory: object
) -> None:
    """pip is never shown such a wheel: this Python is one of the pack's, and there is no finding of pip's."""
    monkeypatch.setattr("platform.python_version_tuple", lambda: ("3", "12", "0"))
    spoil(pack / "wheels/helper-1.5-py3-none-any.whl")
    describe(pack)
    bad = [finding for finding in check(pack).findings if not finding.ok]
    assert [finding.name for finding in bad] == ["wheels"]
    assert bad[0].found.startswith('"helper-1.5-py3-none-any.whl" is not a readable wheel: ')
    assert len(bad[0].found) < 400


def test_a_condition_nested_too_deeply_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound on a requirement's length keeps such conditions out; the parser's own limit is an error of ours as well."""
    path = tmp_path / "helper-1.5-py3-none-any.whl"
    zip_with(path, {INFO: METADATA + b"Requires-Dist: a; " + b"(" * 5000 + b"os_name == 'x'" + b")" * 5000 + b"\n"})
    with pytest.raises(FetchError, match="requirements of 500 characters"):
        read_wheel(path)
    monkeypatch.setattr("flatkit.packs.wheelfile.REQUIREMENT_MAX", 10**6)
    with pytest.raises(FetchError, match="is not a readable wheel"):
        read_wheel(path)


def test_a_wheel_that_cannot_be_read_is_named_once(tmp_path: Path) -> None:
    (tmp_path / "helper-1.5-py3-none-any.whl").write_bytes(b"x")
    with pytest.raises(FetchError) as caught:
        read_wheel(tmp_path / "helper-1.5-py3-none-any.whl")
    assert caught.value.message == '"helper-1.5-py3-none-any.whl" is not a readable wheel: File is not a zip file'
    assert caught.value.hint == "remove it, and pack again"


def test_a_wheel_is_read_without_waiting(tmp_path: Path) -> None:
    path = tmp_path / "helper-1.5-py3-none-any.whl"
    path.touch()
    fifo(path)
    with pytest.raises(FetchError, match="not a regular file"):
        read_wheel(path)


@pytest.mark.parametrize(
    "name",
    [
        "-rrequirements-1-py3-none-any.whl", "x-1-py3-none-any.whl\n", "x.whl", "x-1.whl", "../x-1-py3-none-any.whl",
        "x-" + "9" * 150 + "-py3-none-any.whl", "x-1-" + ".".join("ab" * 20) + "-" + ".".join("cd" * 20) + "-any.whl",
        "\x1b[2Jx-1-py3-none-any.whl", "x-1-py3-none-any.WHL", "x-bad_version-py3-none-any.whl", "ẍ-1-py3-none-any.whl",
    ],
)  # fmt: skip
def test_a_name_that_no_wheel_has_is_refused(name: str) -> None:
    if name == "x-" + "9" * 150 + "-py3-none-any.whl":
        wheelfile_name_is_bounded(name)
        return
    with pytest.raises(FetchError, match="has no name of a wheel") as caught:
        parse_wheel(name, io.BytesIO())
    assert caught.value.message.isprintable()


def wheelfile_name_is_bounded(name: str) -> None:
    """A long version is a version; one beyond the bound of a name is not looked at."""
    with pytest.raises(FetchError, match="has no name of a wheel"):
        parse_wheel("x-" + "9" * 5000 + "-py3-none-any.whl", io.BytesIO())
    assert wheelfile.is_wheel_name(name)


def test_requirements_that_multiply_come_to_an_end(tmp_path: Path, make_wheel: MakeWheel) -> None:
    """Twenty wheels that each need all others in hundreds of ways."""
    monsters = [f"w{number}" for number in range(20)]
    for name in monsters:
        wants = [f"{other}>={number}" for other in monsters for number in range(1, 50)]
        make_wheel(tmp_path, name, "100", *(wants if name != "w0" else wants[:100]))
    root = make_wheel(tmp_path, "flatkit", "0.1.0", *monsters)
    with pytest.raises(FetchError, match=f"leads to more than {wheels.WORK_MAX} conditions"):
        close_over(read_wheels(tmp_path), root=read_wheel(root), python="3.12")


def test_a_condition_that_makes_no_sense_is_named(tmp_path: Path, make_wheel: MakeWheel) -> None:
    root = make_wheel(tmp_path, "flatkit", "0.1.0", "a; 'x' ~= os_name")
    with pytest.raises(FetchError, match="whose condition makes no sense"):
        close_over([], root=read_wheel(root), python="3.12")


def test_too_many_wheels_are_not_read(pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flatkit.packs.wheels.WHEELS_MAX", 1)
    assert "there are 2 wheels; expected at most 1" in str(check(pack))


def test_checking_runs_nothing_of_the_pack(pack: Path, make_wheel: MakeWheel, tmp_path: Path) -> None:
    """The pack is the current folder, has modules with the names of pip and venv, a source package, and hostile settings."""
    trap = f"open({str(tmp_path / 'ran')!r}, 'w').close()"
    for name in ("pip.py", "venv.py", "ensurepip.py", "sitecustomize.py", "usercustomize.py", "wheels/setup.py"):
        (pack / name).write_text(trap)
    (pack / "pip.conf").write_text(f"[global]\nfind-links = {pack}\n")
    source = tmp_path / "evil-9.0"
    source.mkdir()
    (source / "setup.py").write_text(trap)
    (source / "PKG-INFO").write_text("Metadata-Version: 1.0\nName: helper\nVersion: 9.0\n")
    subprocess.run(["tar", "-czf", pack / "wheels/helper-9.0.tar.gz", "-C", tmp_path, "evil-9.0"], check=True)
    describe(pack)
    code = (
        "import sys; from pathlib import Path; from flatkit.packs.check import check; found = check(Path('.')); print(found);"
        "sys.exit(not found.ok)"
    )
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(filter(None, sys.path)), "PIP_PRE": "1"}
    env |= {"PIP_CONFIG_FILE": str(pack / "pip.conf"), "PIP_FIND_LINKS": str(pack / "wheels")}
    done = subprocess.run([sys.executable, "-P", "-c", code], cwd=pack, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pip would install 2 packages" in done.stdout
    assert not (tmp_path / "ran").exists()


def test_packing_asks_no_module_of_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pip.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()")
    monkeypatch.chdir(tmp_path)
    assert wheels.pip("--version").startswith("pip ")
    assert not (tmp_path / "ran").exists()


# What the command says


@pytest.mark.parametrize("command", ["pack", "check", "serve"])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_text("[" * 100_000),
        lambda path: path.write_text('{"format": 1, "made": "\\ud800"}'),
        lambda path: path.write_bytes(b'\xff{"format": 1}'),
        lambda path: path.write_text("9" * 5000),
        lambda path: path.mkdir(),
        lambda path: os.mkfifo(path),
        lambda path: path.symlink_to("/proc/self/environ"),
        lambda path: path.symlink_to(path),
    ],
)
def test_a_broken_manifest_is_an_error_in_words(
    tmp_path: Path, command: str, spoil: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "pack"
    folder.mkdir()
    spoil(folder / MANIFEST)
    nothing = ["--lab", "none", "--extensions", "none", "--containers", "none", "--python", "none"]
    words = {"pack": nothing, "check": [], "serve": ["--listen", "127.0.0.1:0"]}[command]
    status = main(["room", command, str(folder), *words])
    said = capsys.readouterr().err
    assert "Traceback" not in said
    if command == "pack" and (folder / MANIFEST).is_file() and not (folder / MANIFEST).is_symlink():
        assert status == 0  # what is not understood is a pack that was begun
    else:
        assert status in {1, 2, 3}
        assert "flatkit:" in said


def test_a_home_that_nobody_has_is_an_error_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("pack", "check", "serve"):
        assert main(["room", command, "~no-such-user-of-this-host/pack"]) == 2
        assert "names the home of a user who does not exist" in capsys.readouterr().err


def test_serving_the_current_folder_takes_a_pack_and_nothing_else(
    pack: Path, outside: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(outside)
    assert main(["room", "serve"]) == 2
    assert "holds no pack: there is no manifest.json in it" in capsys.readouterr().err
    monkeypatch.chdir(pack)
    (pack / "private").write_text(SECRET)  # beside the pack's own files
    with serving(Path(), FREE) as (server, _):
        assert web.get(f"{server.url}/private").status == 404
        assert web.get(f"{server.url}/{DISK}", limit=10**6).data == PAYLOAD


def test_sums_are_those_of_the_manifest_alone(pack: Path) -> None:
    manifest = parse_manifest((pack / MANIFEST).read_bytes())
    assert manifest_as_text(manifest) == (pack / MANIFEST).read_text()
    assert sums_as_text(manifest) == (pack / SUMS).read_text()
