"""Extensions from packages: what is chosen, what goes in, what is refused, and that the same in gives the same out."""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
import tarfile

import pytest

from flatkit.cli import main
from flatkit.errors import InputError, UsageError
from flatkit.events import Tape
from flatkit.images import debs, elf_deps, sysext, sysext_tree
from flatkit.images.container import build_container_image
from flatkit.images.lab import recipe as lab_recipe
from flatkit.images.lab.extensions import BUILT_IN, KNOWN, recipe_for
from flatkit.images.sysext_tree import Recipe
from flatkit.run import run

STATUS = """\
Package: curl
Status: install ok installed
Depends: libc6 (>= 2.34),
 libcurl4t64
Version: 8.14.1-2
Provides: web-client

Package: python3-minimal
Status: install ok installed
Version: 3.13.5-1
"""
URIS = """\
'http://mirror/pool/tree_2.2.1-1_amd64.deb' tree_2.2.1-1_amd64.deb 59392 SHA256:00
'http://mirror/pool/libsubid5_4.17.4-2_amd64.deb' libsubid5_1%3a4.17.4-2_amd64.deb 222488 SHA256:11
"""
POSTINST = """\
if [ "$1" = configure ]; then
    update-alternatives \\
        --install /usr/sbin/iptables iptables /usr/sbin/iptables-legacy 10 \\
        --slave /usr/sbin/iptables-save iptables-save /usr/sbin/iptables-legacy-save
    update-alternatives \\
        --install /usr/sbin/iptables iptables /usr/sbin/iptables-nft 20 \\
        --slave /usr/sbin/iptables-save iptables-save /usr/sbin/iptables-nft-save
fi
"""


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def dump(image, path):
    """What a file of an erofs image holds: fsck.erofs unpacks it."""
    folder = image.parent / f"{image.name}.unpacked"
    run(["fsck.erofs", f"--extract={folder}", "--overwrite", image])
    return (folder / path).read_text()


def test_apt_sees_what_is_there_and_none_of_its_demands():
    said = debs.base_status(STATUS)
    assert "Package: curl\n" in said
    assert "Version: 8.14.1-2\nProvides: web-client\n" in said
    assert "Depends" not in said
    assert "libcurl4t64" not in said
    # Taken out of the lab image, so an extension that needs it must bring it.
    assert "python3" not in said


def test_listed_packages():
    assert debs.parse_uris(URIS) == (
        debs.DebPackage(name="libsubid5", version="1:4.17.4-2", architecture="amd64", size=222488),
        debs.DebPackage(name="tree", version="2.2.1-1", architecture="amd64", size=59392),
    )
    assert debs.parse_uris("") == ()


def test_alternatives_of_the_highest_priority():
    assert debs.alternatives(POSTINST) == {
        "/usr/sbin/iptables": "/usr/sbin/iptables-nft",
        "/usr/sbin/iptables-save": "/usr/sbin/iptables-nft-save",
    }
    assert debs.alternatives("#!/bin/sh\nexit 0\n") == {}


def elf(*names):
    """A small ELF file that names these shared libraries."""
    strings = b"\0" + b"".join(name.encode() + b"\0" for name in names)
    at = 64 + 2 * 56
    entries = b"".join(struct.pack("<QQ", 1, strings.index(name.encode())) for name in names)
    dynamic = entries + struct.pack("<QQ", 5, at) + struct.pack("<QQ", 0, 0)
    header = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + struct.pack("<HHIQQQIHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2)
    size = len(strings) + len(dynamic)
    load = struct.pack("<IIQQQQQQ", 1, 4, at, at, at, size, size, 4096)
    dynamic_header = struct.pack("<IIQQQQQQ", 2, 4, at + len(strings), 0, 0, len(dynamic), len(dynamic), 8)
    return header.ljust(64, b"\0") + load + dynamic_header + strings + dynamic


def test_needs_of_programs_and_scripts(tmp_path):
    assert elf_deps.libraries(elf("libc.so.6", "libm.so.6")) == ("libc.so.6", "libm.so.6")
    assert elf_deps.libraries(elf("libc.so.6")[:100]) == ()
    assert elf_deps.libraries(b"#!/bin/sh\n") == ()
    assert elf_deps.interpreter(b"#!/usr/bin/env python3\nx") == "python3"
    assert elf_deps.interpreter(b"#! /bin/sh -e\n") == "/bin/sh"
    assert elf_deps.interpreter(b"text") == ""
    (tmp_path / "usr/bin").mkdir(parents=True)
    for name, data in (("a", elf("libc.so.6", "libown.so")), ("b", b"#!/usr/bin/perl\n"), ("libown.so", elf())):
        (tmp_path / "usr/bin" / name).write_bytes(data)
        (tmp_path / "usr/bin" / name).chmod(0o755)
    assert elf_deps.missing(tmp_path, ["./usr/lib/x86_64-linux-gnu/libc.so.6"]) == ('"usr/bin/b" needs "perl"',)


@pytest.mark.parametrize(
    ("recipe", "text"),
    [
        (Recipe(name="x"), "ID=flatcar-lab\nSYSEXT_LEVEL=1.0\nARCHITECTURE=x86-64\n"),
        (Recipe(name="x", version_id="1.2.3"), "ID=flatcar-lab\nVERSION_ID=1.2.3\nARCHITECTURE=x86-64\n"),
        (Recipe(name="x", os_id="_any", version="2"), "ID=_any\nARCHITECTURE=x86-64\nSYSEXT_VERSION_ID=2\n"),
    ],
)
def test_metadata(recipe, text):
    assert sysext_tree.release_text(recipe) == text
    assert sysext_tree.release_text(recipe, reload=True) == text + "EXTENSION_RELOAD_MANAGER=1\n"


def test_defaults_of_etc_move_below_usr(tmp_path):
    for path in (
        "etc/tool/tool.conf",
        "etc/init.d/tool",
        "usr/bin/tool",
        "usr/lib/systemd/system/tool.service",
        "usr/lib/systemd/system/tool.socket",
        "usr/share/man/man1/tool.1",
        "var/lib/tool/x",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("x")
    recipe = Recipe(name="tool", packages=("tool",), units=("tool.service", "tool.socket"))
    sysext_tree.leave_out(tmp_path, recipe)
    sysext_tree.write_files(tmp_path, recipe)
    units = tmp_path / "usr/lib/systemd/system"
    assert {path.name for path in tmp_path.iterdir()} == {"usr"}
    assert not (tmp_path / "usr/share/man").exists()
    assert (tmp_path / "usr/share/tool/etc/tool/tool.conf").read_text() == "x"
    assert (tmp_path / "usr/lib/tmpfiles.d/10-tool.conf").read_text() == (
        "C /etc/tool/tool.conf 0644 root root - /usr/share/tool/etc/tool/tool.conf\n"
    )
    upheld = (units / "multi-user.target.d/10-tool.conf").read_text()
    assert upheld == "[Unit]\nUpholds=tool-etc.service\nUpholds=tool.service\n"
    assert "Upholds=tool.socket" in (units / "sockets.target.d/10-tool.conf").read_text()
    release = (tmp_path / "usr/lib/extension-release.d/extension-release.tool").read_text()
    assert "EXTENSION_RELOAD_MANAGER=1" in release


def test_same_recipe_same_bytes_and_found_the_second_time(cache, tmp_path):
    files = {"/usr/bin/greet": "#!/bin/sh\necho 1\n", "/opt/greet/text": "hello\n"}
    first = sysext.build(Recipe(name="greet", files=files, version="1"), target=tmp_path / "greet.raw")
    assert first.path.read_bytes() == (tmp_path / "greet.raw").read_bytes()
    tape = Tape()
    assert sysext.build(Recipe(name="greet", files=files, version="1"), observer=tape) == first
    assert tape.events == []
    other = sysext.build(Recipe(name="greet", files=files, version="2"))
    assert other.path != first.path
    before = hashlib.sha256(first.path.read_bytes()).hexdigest()
    first.path.unlink()
    again = sysext.build(Recipe(name="greet", files=files, version="1"))
    assert hashlib.sha256(again.path.read_bytes()).hexdigest() == before
    assert dump(tmp_path / "greet.raw", "opt/greet/text") == "hello\n"
    assert [path.name for path in sysext.sysext_dir().iterdir() if path.name.startswith(".build")] == []


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (Recipe(name="A b", packages=("tree",)), '"A b" is not a valid name for an extension'),
        (Recipe(name="x"), 'the extension "x" would be empty'),
        (Recipe(name="x", files={"/etc/x": ""}), '"/etc/x" cannot be in an extension'),
        (Recipe(name="x", files={"/usr/../etc/x": ""}), "cannot be in an extension"),
    ],
)
def test_recipes_that_make_no_extension(cache, recipe, said):
    with pytest.raises(UsageError, match=said) as caught:
        sysext.build(recipe)
    assert caught.value.hint


def test_place_that_cannot_be_written(cache, tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        sysext.build(Recipe(name="x", files={"/usr/x": "x"}), target=tmp_path / "no" / "x.raw")


def test_what_a_name_means():
    assert recipe_for("podman") is KNOWN["podman"]
    assert recipe_for("tree") == Recipe(name="tree", packages=("tree",))
    assert [recipe.name for recipe in BUILT_IN] == ["containerd-flatcar", "docker-flatcar"]


def test_container_image_is_what_docker_reads(tmp_path):
    (tmp_path / "busybox").write_bytes(b"program")
    options = {"busybox": tmp_path / "busybox", "files": {"index.html": "hello"}}
    image = build_container_image(tmp_path / "web.tar", name="flatkit/web:1", **options)
    again = build_container_image(tmp_path / "again.tar", name="flatkit/web:1", **options)
    assert image.read_bytes() == again.read_bytes()
    with tarfile.open(image) as archive:
        (manifest,) = json.load(archive.extractfile("manifest.json"))
        config = archive.extractfile(manifest["Config"]).read()
        layer = archive.extractfile(manifest["Layers"][0]).read()
        with tarfile.open(fileobj=archive.extractfile("layer.tar")) as inside:
            assert inside.extractfile("www/index.html").read() == b"hello"
            assert inside.getmember("bin/httpd").linkname == "busybox"
    assert manifest["RepoTags"] == ["flatkit/web:1"]
    assert manifest["Config"] == f"{hashlib.sha256(config).hexdigest()}.json"
    assert json.loads(config)["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]


@pytest.mark.parametrize(("name", "files"), [("Web", {}), ("web", {}), ("web:1", {"../x": ""}), ("web:1", {"/x": ""})])
def test_container_images_that_are_refused(tmp_path, name, files):
    (tmp_path / "busybox").write_bytes(b"program")
    with pytest.raises(UsageError) as caught:
        build_container_image(tmp_path / "web.tar", name=name, files=files, busybox=tmp_path / "busybox")
    assert caught.value.hint
    assert not (tmp_path / "web.tar").exists()


def test_package_on_top_of_the_lab_image(lab_image, tmp_path, capsys):
    target = tmp_path / "tree.raw"
    assert main(["sysext", "build", "tree", "-o", str(target), "--json"]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [text.split()[0] for text in result["packages"]] == ["tree"]
    assert result["bytes"] == target.stat().st_size < 200_000
    assert "SYSEXT_LEVEL=1.0" in dump(target, "usr/lib/extension-release.d/extension-release.tree")


def test_packages_that_cannot_be_an_extension(lab_image, tmp_path, capsys):
    target = tmp_path / "x.raw"
    assert main(["sysext", "build", "podmann", "-o", str(target)]) == 1
    assert 'no package "podmann"; near to it: podman' in capsys.readouterr().err
    assert main(["sysext", "build", "x", "--package", "curl", "-o", str(target)]) == 1
    assert "has curl already" in capsys.readouterr().err
    assert main(["sysext", "build"]) == 2
    assert not target.exists()


def test_missing_need_is_found(lab_image):
    files = {"/usr/bin/report": "#!/usr/bin/perl\n"}
    built = sysext.build(Recipe(name="report", packages=("tree",), files=files))
    assert built.missing == ('"usr/bin/report" needs "perl"',)


def test_a_changed_builder_names_another_image(monkeypatch, tmp_path):
    """Each module that makes an extension counts, so that the cache never gives one of an older builder."""
    recipe = Recipe(name="x", files={"/usr/x": "x"})
    folder = tmp_path / "images"
    shutil.copytree(lab_recipe._FOLDER.parent, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(lab_recipe, "_FOLDER", folder / "lab")
    seen = {(sysext._digest(recipe), lab_recipe.digest(lab_recipe.STABLE))}
    for name in ("debs.py", "elf_deps.py", "sysext.py", "sysext_layout.py", "sysext_tree.py"):
        with (folder / name).open("a") as file:
            file.write("# changed\n")
        seen.add((sysext._digest(recipe), lab_recipe.digest(lab_recipe.STABLE)))
    assert len({one for one, _ in seen}) == len({other for _, other in seen}) == 6
