"""Layout of an extension: what it may have and where, programs and units, and the proof of what was built."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from flatkit.cli import main
from flatkit.errors import ImageError, InputError, UsageError
from flatkit.images import sysext, sysext_layout, sysext_tree
from flatkit.images.lab.extensions import BUILT_IN, recipe_for, with_companions
from flatkit.images.sysext_tree import Recipe
from flatkit.run import run

UNIT = "[Service]\nExecStart=/usr/bin/greet\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "f").write_text("x")
    (tmp_path / "u").write_text(UNIT)
    (tmp_path / "crlf").write_bytes(b"#!/bin/sh\r\necho x\r\n")
    (tmp_path / "arm").write_bytes(b"\x7fELF\x02\x01\x01".ljust(18, b"\0") + (183).to_bytes(2, "little") + bytes(100))
    return tmp_path


# situation, what is typed after `sysext build x`, what it must say
REFUSED = [
    ("a unit that is not there", "--file /usr/f=f --unit x.service", '"x.service" is not in the extension; its units are: none'),
    ("a unit without a suffix", "--file /usr/f=f --unit x", '"x" is not the name of a unit'),
    ("a suffix that is none", "--file /usr/f=f --unit x.servcie", '"x.servcie" is not the name of a unit'),
    ("a template", "--file /usr/lib/systemd/system/x@.service=u --unit x@.service", "is a template"),
    ("a unit of another name", "--file /usr/lib/systemd/system/y.service=u --unit x.service", "its units are: y.service"),
    ("a unit in another folder", "--file /usr/lib/systemd/x.service=u --unit x.service", 'it is at "/usr/lib/systemd/x.service"'),
    ("a program as a unit", "--file /usr/lib/systemd/system/x.service=arm", "is a program for aarch64"),
    ("a text as a unit", "--file /usr/lib/systemd/system/x.service=f", "is in the place of a unit, and has no section"),
    ("a user's unit", "--file /usr/lib/systemd/user/x.service=u --unit x.service", "it is at"),
    ("/etc", "--file /etc/x.conf=f", "Butane (storage: files: - path: /etc/x.conf); or --file /usr/share/NAME/x.conf=FILE"),
    ("a unit below /etc", "--file /etc/systemd/system/x.service=u", "stays the machine's own"),
    ("/var", "--file /var/lib/x=f", "write it in Butane"),
    ("/usr/sbin", "--file /usr/sbin/x=f", "/usr/sbin is a link on Flatcar"),
    ("/usr/sbin for Flatcar", "--file /usr/sbin/x=f --id flatcar", "--file /usr/bin/x=FILE"),
    ("a file in place of /usr/bin", "--file /usr/bin=f", "hides all that is in it"),
    ("a file in place of /usr/lib", "--file /usr/lib=f", "--file /usr/lib/NAME=FILE"),
    ("a file in place of the units", "--file /usr/lib/systemd=u", "hides all that is in it"),
    ("a script of Windows", "--file /usr/bin/x=crlf", 'would look for an interpreter "/bin/sh\\r"'),
    ("a unit without a name", "--file /usr/f=f --unit=", "--unit NAME.service"),
    ("/sbin", "--file /sbin/x=f", "--file /usr/bin/x=FILE"),
    ("/bin", "--file /bin/x=f", "--file /usr/bin/x=FILE"),
    ("/lib", "--file /lib/systemd/system/x.service=u", "--file /usr/lib/systemd/system/x.service=FILE"),
    ("os-release", "--file /usr/lib/os-release=f", "the builder writes that"),
    ("extension-release", "--file /usr/lib/extension-release.d/extension-release.y=f", "the builder writes that"),
    ("out of /usr", "--file /usr/../etc/x=f", "expected the path of a file below /usr or /opt"),
    ("a program for another processor", "--file /usr/bin/x=arm", "is a program for aarch64; expected one for x86-64"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "said"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_is_refused_with_what_to_do_instead(words: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sysext", "build", "x", *words.split()]) in {1, 2}
    err = capsys.readouterr().err
    assert said in err
    assert "Next: " in err
    assert "UTF-8" not in err
    assert not Path("x.raw").exists()


def test_the_name_of_a_file_is_not_the_name_of_an_extension(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sysext", "build", "greet.raw", "--file", "/usr/bin/greet=f"]) == 2
    assert "Next: flatkit sysext build greet   (writes NAME.raw)" in capsys.readouterr().err


def test_libraries_that_an_extension_of_files_does_not_bring(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No system was looked at, so nothing is called missing; what every system has is not mentioned."""
    shutil.copy("/usr/bin/qemu-img", folder / "prog")
    (folder / "script").write_text("#!/opt/mine/python\n")
    (folder / "plain").write_text("#!/bin/sh\n")
    words = [f"--file=/usr/bin/{name}={name}" for name in ("prog", "script", "plain")]
    assert main(["sysext", "build", "x", *words]) == 0
    said = capsys.readouterr().err
    assert '"usr/bin/prog" needs "libglib-2.0.so.0", which it does not bring: the machine must have it' in said
    assert '"usr/bin/script" needs "python", which it does not bring' in said
    assert '"sh"' not in said
    assert "libc.so" not in said


def extracted(image: Path, folder: Path) -> Path:
    run(["fsck.erofs", f"--extract={folder}", "--no-preserve-owner", image])
    return folder


def test_a_program_is_data_and_can_be_run(folder: Path) -> None:
    shutil.copy("/bin/true", folder / "prog")
    (folder / "data").write_bytes(b"\xff\xfe\0")
    words = ["--file", "/usr/bin/prog=prog", "--file", "/usr/share/x/data=data", "--file", "/usr/bin/words=f"]
    assert main(["sysext", "build", "x", *words, "--id", "_any"]) == 0
    tree = extracted(folder / "x.raw", folder / "out")
    assert (tree / "usr/bin/prog").read_bytes() == Path("/bin/true").read_bytes()
    assert (tree / "usr/share/x/data").read_bytes() == b"\xff\xfe\0"
    modes = {path.name: path.stat().st_mode & 0o777 for path in tree.rglob("*") if path.is_file()}
    assert (modes["prog"], modes["words"], modes["data"]) == (0o755, 0o755, 0o644)


@pytest.mark.parametrize("unit", ["x.service", "x@1.service", "x.timer", "x.socket"])
def test_a_unit_that_is_there_starts(unit: str, folder: Path) -> None:
    file = unit.replace("@1", "@")
    words = ["--file", f"/usr/lib/systemd/system/{file}=u", "--unit", unit]
    assert main(["sysext", "build", "x", *words]) == 0
    tree = extracted(folder / "x.raw", folder / "out")
    upholds = [path.read_text() for path in (tree / "usr/lib/systemd/system").rglob("10-x.conf")]
    assert upholds == [f"[Unit]\nUpholds={unit}\n"]


def package(tree: Path, files: dict[str, str], links: dict[str, str]) -> Path:
    for path, text in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    for path, target in links.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).symlink_to(target)
    return tree


@pytest.mark.parametrize(("os_id", "place"), [("flatcar", "bin"), ("_any", "bin"), ("flatcar-lab", "sbin")])
def test_programs_of_packages_are_where_flatcar_has_them(os_id: str, place: str, tmp_path: Path) -> None:
    tree = package(
        tmp_path / "tree",
        {"usr/sbin/nft": "x", "usr/lib/systemd/system/nft.service": "[Service]\nExecStart=/usr/sbin/nft -f\n"},
        {"usr/sbin/iptables": "/usr/sbin/nft", "usr/sbin/ip6tables": "nft", "usr/bin/nft": "../sbin/nft"},
    )
    sysext_tree.write_files(tree, Recipe(name="x", packages=("nft",), os_id=os_id, units=("nft.service",)))
    assert (tree / "usr" / place / "nft").read_text() == "x"
    assert (tree / "usr/sbin").exists() == (place == "sbin")
    unit = (tree / "usr/lib/systemd/system/nft.service").read_text()
    assert f"ExecStart=/usr/{place}/nft -f" in unit
    assert str((tree / "usr" / place / "iptables").readlink()) == f"/usr/{place}/nft"


def test_two_programs_of_one_name(tmp_path: Path) -> None:
    tree = package(tmp_path / "tree", {"usr/sbin/x": "1", "usr/bin/x": "2"}, {})
    with pytest.raises(ImageError, match="two programs"):
        sysext_layout.merge_sbin(tree)


# What is wrong with a built image, and what is said.
WRONG = {
    "name": ({"usr/lib/extension-release.d/extension-release.y": "ID=a\n"}, "extension-release.x"),
    "none": ({"usr/bin/x": "x"}, "extension-release.x"),
    "id": ({"usr/lib/extension-release.d/extension-release.x": "ID=debian\n"}, "its extension-release says"),
    "etc": ({"usr/lib/extension-release.d/extension-release.x": "ID=a\n", "etc/x": ""}, "it has /etc"),
    "os": ({"usr/lib/extension-release.d/extension-release.x": "ID=a\n", "usr/lib/os-release": ""}, "os-release"),
    "sbin": ({"usr/lib/extension-release.d/extension-release.x": "ID=a\n", "usr/sbin/x": ""}, "usr/sbin"),
    "unit": ({"usr/lib/extension-release.d/extension-release.x": "ID=a\n"}, 'the unit "x.service" is not'),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_the_result_is_proved(case: str, tmp_path: Path) -> None:
    files, said = WRONG[case]
    tree, image = package(tmp_path / "tree", files, {}), tmp_path / "x.raw"
    sysext_tree.pack(tree, image, seed="x")
    units = ("x.service",) if case == "unit" else ()
    with pytest.raises(ImageError, match=said) as caught:
        sysext_layout.prove(image, tmp_path / "proof", name="x", release={"ID": "a"}, units=units, is_merged=True)
    assert "it was not copied" in caught.value.message


def test_an_image_that_cannot_be_read_is_not_copied(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sysext_tree, "pack", lambda tree, target, seed: target.write_bytes(bytes(8192)))
    with pytest.raises(ImageError, match="it cannot be read"):
        sysext.build(Recipe(name="x", files={"/usr/x": "x"}), target=folder / "x.raw")
    assert not (folder / "x.raw").exists()
    assert list(sysext.sysext_dir().glob("*.raw")) == []


def test_companions_of_programs() -> None:
    wanted = {"netavark", "aardvark-dns", "nftables", "iptables", "passt", "uidmap", "crun"}
    for recipe in (recipe_for("podman"), with_companions(Recipe(name="x", packages=("podman", "tree")))):
        assert wanted <= {*recipe.packages}
        assert len(recipe.packages) == len({*recipe.packages})
    assert recipe_for("tree").packages == ("tree",)


def test_check_and_builder_agree_on_the_built_in_ones() -> None:
    for recipe in BUILT_IN:
        assert not recipe.has_merged_sbin
        for path in recipe.files:
            sysext_layout.check_path(path)


@pytest.mark.parametrize("path", ["", "/", "usr/x", "/usr", "/usr//x", "/usr/./x", "/boot/x", "/etc", "/usr/x/"])
def test_paths_that_are_none(path: str) -> None:
    with pytest.raises(UsageError, match="cannot be in an extension") as caught:
        sysext_layout.check_path(path)
    assert caught.value.hint


def test_units_are_looked_for_once() -> None:
    with pytest.raises(InputError, match=r"its units are: a\.service, b\.socket"):
        sysext_layout.check_units(
            ("c.service",), iter([f"{sysext_layout.UNIT_FOLDER}/{name}" for name in ("b.socket", "a.service", "c.txt")])
        )
