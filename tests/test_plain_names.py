"""Folders with any name: what libvirt and ssh are given instead, and what is said where that cannot be."""

from __future__ import annotations

import os
import re
import subprocess
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from flatkit import api, paths, plain_names
from flatkit.cli import main
from flatkit.errors import HostError, UsageError
from flatkit.host import Health
from flatkit.host.space import check_folders
from flatkit.machines.backend import Backend
from flatkit.machines.domain import Tag, build_domain
from flatkit.machines.spec import Accelerator, MachineSpec
from flatkit.machines.ssh import Endpoint
from flatkit.machines.store import Folder

# A folder's name can have each of these; hidden characters are refused (see below).
CHARACTERS = [chr(code) for code in range(32, 127) if chr(code) != "/"] + [
    "é",
    "日",
    "\u00a0",
    "😀",
    "%%",
    "${HOME}",
    "%h",
]
# libvirt 9 hands a config's path with one of these to QEMU as another path.
BROKEN = re.compile("[\"&'<>,]")


@pytest.fixture(autouse=True)
def links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(plain_names, "_LINKS", tmp_path)
    return plain_names.links_folder()


@pytest.mark.parametrize("character", CHARACTERS)
def test_a_domain_names_its_files_so_that_libvirt_finds_them(character: str, tmp_path: Path, links: Path) -> None:
    folder = tmp_path / f"a{character}b" / "machines" / "web"
    folder.mkdir(parents=True)
    (folder / "config.ign").write_text("{}")
    spec = MachineSpec(name="web", disk=folder / "img", ignition='{"ignition": {}}')
    place = Backend(Folder(path=folder))
    tag = Tag(owner="0123abcd", name="web", folder=str(folder))
    place.check_names()
    files = place.files(spec)
    domain = ET.fromstring(build_domain(spec, tag=tag, accelerator=Accelerator.TCG, files=files, forwards=()))
    entry = domain.find("sysinfo/entry")
    assert entry is not None
    config = entry.get("file", "")
    assert not BROKEN.search(config)
    assert Path(config).samefile(folder / "config.ign")
    sources = [source.get("file") for source in domain.iter("source")] + [log.get("file") for log in domain.iter("log")]
    assert sources == [str(folder / "overlay.qcow2"), str(folder / "console.log")]
    place.remove()
    assert not links.exists()
    assert not folder.exists()


@pytest.mark.parametrize("character", CHARACTERS)
def test_ssh_reads_its_files_from_any_folder(character: str, tmp_path: Path) -> None:
    """The real ssh says which files it would read."""
    folder = tmp_path / f"a{character}b"
    folder.mkdir()
    (folder / "known_hosts").write_text("")
    (folder / "id").write_text("")
    endpoint = Endpoint(
        name="web", port=22, user="core", key_file=folder / "id", host_keys=(), known_hosts=folder / "known_hosts"
    )
    argv = endpoint.argv()
    said = subprocess.run([argv[0], "-G", *argv[1:]], capture_output=True, text=True, check=True).stdout
    values = dict(line.split(" ", 1) for line in said.split("\n") if " " in line)
    assert Path(values["userknownhostsfile"].strip('"')).samefile(folder / "known_hosts")
    assert Path(values["identityfile"].strip('"')).samefile(folder / "id")


@pytest.mark.parametrize("path", ["/state/machines/web", "/home/a.b/x_y-z", "/a b/c", "/a=b/c:d@e+f", "/zürich/日本"])
def test_usual_paths_stay_as_they_are(path: str, links: Path) -> None:
    assert plain_names.plain(Path(path)) == Path(path)
    assert not links.exists()


def test_a_long_folder_gets_a_short_name_for_a_socket(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 200)
    folder.mkdir()
    short = plain_names.plain(folder, limit=plain_names.TUNNEL_MAX)
    assert short.samefile(folder)
    assert plain_names.plain(folder) == folder
    assert plain_names.plain(folder, limit=plain_names.TUNNEL_MAX) == short, "the same name the next time"


LONG = "x" * 80
# situation, environment, the variables that libvirt's daemon is started with
HOMES = [
    ("short home", {"HOME": "/h"}, set()),
    ("short home, session", {"HOME": "/h", "XDG_RUNTIME_DIR": "/r"}, set()),
    ("long home", {"HOME": f"/{LONG}"}, {"XDG_CONFIG_HOME", "XDG_CACHE_HOME"}),
    ("long home, session", {"HOME": f"/{LONG}", "XDG_RUNTIME_DIR": "/r"}, {"XDG_CONFIG_HOME"}),
    ("long home, short folders", {"HOME": f"/{LONG}", "XDG_CONFIG_HOME": "/c", "XDG_CACHE_HOME": "/d"}, set()),
    ("long runtime folder", {"HOME": "/h", "XDG_RUNTIME_DIR": f"/{LONG}"}, {"XDG_RUNTIME_DIR"}),
    ("comma", {"HOME": "/a,b", "XDG_RUNTIME_DIR": "/r"}, {"XDG_CONFIG_HOME"}),
    ("36 bytes", {"HOME": "/" + "x" * 35, "XDG_RUNTIME_DIR": "/r"}, {"XDG_CONFIG_HOME"}),
    ("35 bytes", {"HOME": "/" + "x" * 34, "XDG_RUNTIME_DIR": "/r"}, set()),
]


@pytest.mark.parametrize(("environment", "expected"), [row[1:] for row in HOMES], ids=[row[0] for row in HOMES])
def test_libvirts_sockets_fit(
    environment: dict[str, str], expected: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain_names, "_is_root", lambda: False)
    monkeypatch.setattr(
        Path,
        "mkdir",
        lambda self, **_: os.mkdir(self) if self == plain_names.links_folder() else None,  # noqa: PTH102
    )
    found = plain_names.libvirt_folders("qemu:///session", environment)
    assert set(found) == expected
    for name, folder in found.items():
        usual = environment.get(name) or environment["HOME"] + {"XDG_CONFIG_HOME": "/.config"}.get(name, "/.cache")
        assert str(Path(folder).readlink()) == usual
    assert plain_names.libvirt_folders("qemu:///system", environment) == {}


def test_the_environment_is_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_names, "_is_root", lambda: False)
    monkeypatch.setenv("HOME", str(tmp_path / LONG))
    for name in ("XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    before = dict(os.environ)
    with plain_names.short_folders("qemu:///session"):
        assert Path(os.environ["XDG_CONFIG_HOME"]).samefile(tmp_path / LONG / ".config")
    assert dict(os.environ) == before


def as_file(links: Path) -> None:
    links.write_text("")


def as_link(links: Path) -> None:
    links.symlink_to("/tmp")


def as_anothers(links: Path) -> None:
    links.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root gives files to others")
    os.chown(links, 65534, 65534)


@pytest.mark.parametrize("squat", [as_file, as_link, as_anothers])
def test_a_folder_of_links_that_is_not_ours(
    squat, links: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Named before anything is built, by `up` and by doctor."""
    squat(links)
    with pytest.raises(HostError, match="cannot be used") as caught:
        plain_names.plain(tmp_path / "a,b")
    assert "FLATKIT_STATE" in caught.value.hint
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / "a,b"))
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("flatkit.host.space.find_closed", lambda _: None)
    with pytest.raises(HostError, match="cannot be used"):
        check_folders()
    monkeypatch.setattr("flatkit.api.up.find_image", lambda *_, **__: pytest.fail("an image was looked for"))
    with pytest.raises(HostError, match="cannot be used"):
        api.boot(None, api.Wish(name="web"))


def test_a_machine_that_is_not_made_leaves_no_link(tmp_path: Path, links: Path) -> None:
    Backend(Folder(path=tmp_path / "a,b" / "web")).check_names()
    assert not links.exists()


@pytest.mark.parametrize("name", ["a,b&c", "plain"])
def test_doctor_leaves_nothing_behind(name: str, tmp_path: Path, links: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / name))
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("flatkit.host.space.find_closed", lambda _: None)
    assert replace(check_folders(), why="").state is Health.OK
    assert not links.exists()


# name of the folder in bytes, what is said
REFUSED = [
    (b"a\nb", "hidden characters"),
    (b"a\x1b[2J", "hidden characters"),
    (b"\xff", "not valid UTF-8"),
    (b"x" * 200, ""),
]


@pytest.mark.parametrize(("name", "said"), REFUSED)
@pytest.mark.parametrize(
    ("variable", "function"),
    [
        ("FLATKIT_STATE", paths.state_dir),
        ("FLATKIT_CACHE", paths.cache_dir),
        ("FLATKIT_MACHINES", paths.machines_dir),
    ],
)
def test_names_that_cannot_be(name: bytes, said: str, variable, function, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, f"/tmp/{os.fsdecode(name)}")
    if not said:
        assert function().name == os.fsdecode(name)
        return
    with pytest.raises(HostError, match=said) as caught:
        function()
    assert f"unset {variable}" in caught.value.hint


def test_a_folder_too_long_for_a_disks_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLATKIT_CACHE", "/tmp" + "/x" * 450)
    with pytest.raises(HostError, match="its name has 904 bytes") as caught:
        paths.cache_dir()
    assert "unset FLATKIT_CACHE" in caught.value.hint
    monkeypatch.delenv("FLATKIT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/tmp" + "/x" * 450)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(HostError) as caught:
        paths.cache_dir()
    assert caught.value.hint.startswith("unset XDG_CACHE_HOME")
    assert "export FLATKIT_CACHE=/some/folder" in caught.value.hint


@pytest.mark.parametrize("name", [b"a\nb", b"a\tb", b"\xff", b"a\x1bb", "a\u202eb".encode()])
@pytest.mark.parametrize("field", ["disk", "key_file", "extra_images"])
def test_files_whose_names_no_xml_can_have(name: bytes, field: str) -> None:
    path = Path("/images") / os.fsdecode(name)
    values = {"disk": Path("/d"), field: (path,) if field == "extra_images" else path}
    with pytest.raises(UsageError, match="cannot be used: it has hidden characters, or is not valid UTF-8") as caught:
        MachineSpec(name="web", **values)  # type: ignore[arg-type]
    assert caught.value.message.isprintable()
    assert "rename the file" in caught.value.hint


@pytest.mark.parametrize("character", CHARACTERS)
def test_the_course_can_be_in_any_folder(character: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "origin").mkdir()
    (tmp_path / "origin" / "00-start.ipynb").write_text("x")
    monkeypatch.setattr("flatkit.paths.source_notebooks", lambda: None)
    monkeypatch.setattr("flatkit.paths.packaged_notebooks", lambda: tmp_path / "origin")
    folder = tmp_path / f"a{character}b"
    assert main(["course", "--copy-only", "--folder", str(folder)]) == 0
    assert (folder / "00-start.ipynb").read_text() == "x"
