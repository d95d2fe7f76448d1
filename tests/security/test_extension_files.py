"""Extensions from files, packages and names of others: what is no file is refused, and nothing outside of the tree is touched."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from flatkit.cli import main
from flatkit.errors import FlatkitError, ImageError, InputError, UsageError
from flatkit.images import debs, sysext, sysext_tree
from flatkit.images.sysext_tree import Recipe


def make_special(path: Path, kind: str) -> Path:
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "sparse":
        with path.open("wb") as file:
            file.truncate(2**40)
    elif kind != "none":
        path.symlink_to(kind)
    return path


KINDS = ["fifo", "folder", "sparse", "none", "/dev/zero", "/dev/random", "/dev/tty", "/proc/self/mem"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_an_extension_is_a_regular_file_of_some_size(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path / "cache"))
    path = make_special(tmp_path / "x", kind)
    assert (
        main(["sysext", "build", "greet", "--file", f"/usr/bin/greet={path}", "-o", str(tmp_path / "greet.raw")]) == 1
    )
    said = capsys.readouterr().err
    assert f'"{path}" ' in said
    assert "expected PATH=FILE, a file of at most 256 MiB" in said
    assert not (tmp_path / "greet.raw").exists()


@pytest.mark.parametrize("kind", ["fifo", "folder", "/dev/null"])
def test_what_is_no_file_is_not_replaced(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path / "cache"))
    target = make_special(tmp_path / "greet.raw", kind)
    before = target.lstat()
    with pytest.raises(InputError, match=r"is a .*, and is not replaced"):
        sysext.build(Recipe(name="greet", files={"/usr/bin/greet": "x"}), target=target)
    assert target.lstat().st_ino == before.st_ino


@pytest.mark.parametrize(
    "package",
    ["-o=Dir::Bin::dpkg=/tmp/x", "--print-uris", "./evil.deb", "/tmp/evil.deb", "tree-", "tree/unstable", "task^", "t*", "^t", "",
     "Tree", "a", "tree\nx", "tree x", "\x1b[31m", "t" * 500, "tree;id", "$(id)"],
)  # fmt: skip
def test_a_package_is_a_name_and_nothing_else_to_apt(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))  # no program may be asked
    for recipe in (Recipe(name="x", packages=(package,)), Recipe(name="x", packages=("tree",), without=(package,))):
        with pytest.raises(InputError, match="cannot be the name of a Debian package") as caught:
            sysext.build(recipe)
        assert caught.value.message.isprintable()


@pytest.mark.parametrize("package", ["tree", "g++", "libstdc++6", "docker.io", "libc6:amd64", "tree=2.2.1-1", "0ad"])
def test_names_of_packages(package: str) -> None:
    assert debs.check_package(package) == package


@pytest.mark.parametrize("word", ["x\nExecStart=/bin/sh", "a b", "\x1b[31m", "x" * 200])
def test_a_word_of_metadata_stays_on_its_line(word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path / "cache"))
    files = {"/usr/bin/greet": "x"}
    for recipe in (
        Recipe(name="x", files=files, units=(word,)),
        Recipe(name="x", files=files, os_id=word),
        Recipe(name="x", files=files, sysext_level=word),
        Recipe(name="x", files=files, version_id=word),
        Recipe(name="x", files=files, version=word),
    ):
        with pytest.raises(FlatkitError, match="cannot be in an extension"):
            sysext.build(recipe)


def test_what_apt_lists_is_a_package() -> None:
    for line in ("'u' ../../x_1_amd64.deb 1 x", "'u' x.deb 1 x", "'u' a_b_c_d.deb 1 x", "'u' -x_1_amd64.deb 1 x"):
        with pytest.raises(ImageError, match="apt names the package file"):
            debs.parse_uris(line + "\n")


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """What stands for this host's own files, which no package may change."""
    for inside in ("share/doc/x", "share/man/x", "init.d/x", "lib/x"):
        (tmp_path / "host" / inside).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "host" / inside).write_text("ours")
    return tmp_path / "host"


def state(folder: Path) -> list[tuple[str, str]]:
    return sorted((str(path), path.read_text() if path.is_file() else "") for path in folder.rglob("*"))


def link_share(tree: Path, host: Path) -> None:
    (tree / "usr").mkdir(parents=True)
    (tree / "usr/share").symlink_to(host / "share")
    (tree / "usr/lib").symlink_to(host / "lib")


def link_etc(tree: Path, host: Path) -> None:
    (tree / "usr/bin").mkdir(parents=True)
    (tree / "etc").symlink_to(host)


def link_usr(tree: Path, host: Path) -> None:
    tree.mkdir()
    (tree / "usr").symlink_to(host)


def link_units(tree: Path, host: Path) -> None:
    (tree / "usr/lib/systemd").mkdir(parents=True)
    (tree / "usr/lib/systemd/system").symlink_to(host / "lib")


def link_release(tree: Path, host: Path) -> None:
    (tree / "usr/lib/extension-release.d").mkdir(parents=True)
    (tree / "usr/lib/extension-release.d/extension-release.x").symlink_to(host / "lib/x")


def link_etc_target(tree: Path, host: Path) -> None:
    (tree / "usr/share").mkdir(parents=True)
    (tree / "usr/share/x").symlink_to(host / "share")
    (tree / "etc").mkdir()
    (tree / "etc/conf").write_text("theirs")


def link_bin(tree: Path, host: Path) -> None:
    (tree / "usr/sbin").mkdir(parents=True)
    (tree / "usr/sbin/theirs").write_text("theirs")
    (tree / "usr/bin").symlink_to(host)


def link_sbin(tree: Path, host: Path) -> None:
    (tree / "usr").mkdir(parents=True)
    (tree / "usr/sbin").symlink_to(host / "lib")


@pytest.mark.parametrize(
    "attack",
    [link_share, link_etc, link_usr, link_units, link_release, link_etc_target, link_bin, link_sbin],
)
def test_no_link_of_a_package_leads_out_of_the_tree(attack, host: Path, tmp_path: Path) -> None:
    tree, before = tmp_path / "tree", state(host)
    attack(tree, host)
    files = {"/usr/share/doc/x": "theirs", "/usr/lib/systemd/system/x.service": "[Service]\n"}
    recipe = Recipe(name="x", packages=("x",), units=("x.service",), files=files, os_id="flatcar")
    try:
        sysext_tree.leave_out(tree, recipe)
        sysext_tree.write_files(tree, recipe)
    except ImageError as error:
        assert "link" in error.message  # noqa: PT017  (some attacks find nothing to write through)
    assert state(host) == before


def make_deb(folder: Path, *, postinst: str = "", special: bool = False, links: dict[str, str] | None = None) -> None:
    """A package with one program, and what else is asked for."""
    source = folder.parent / "source"
    (source / "DEBIAN").mkdir(parents=True)
    (source / "DEBIAN/control").write_text(
        "Package: evil\nVersion: 1\nArchitecture: all\nMaintainer: x <x@example.com>\nDescription: x\n"
    )
    (source / "usr/bin").mkdir(parents=True)
    (source / "usr/bin/tool").write_text("#!/bin/sh\n")
    if postinst:
        (source / "DEBIAN/postinst").write_text(f"#!/bin/sh\n{postinst}\n")
        (source / "DEBIAN/postinst").chmod(0o755)
    if special:
        os.mkfifo(source / "usr/bin/fifo")
    for inside, target in (links or {}).items():
        (source / inside).symlink_to(target)
    folder.mkdir()
    subprocess.run(
        ["dpkg-deb", "--build", "--root-owner-group", source, folder / "evil.deb"], check=True, capture_output=True
    )


def test_links_of_a_postinst_stay_in_the_tree(host: Path, tmp_path: Path) -> None:
    outside = "/" + "../" * 20 + str(tmp_path / "made").lstrip("/")
    call = "update-alternatives --install {} x {} 10"
    make_deb(
        tmp_path / "debs",
        postinst="\n".join([call.format(outside, "/usr/bin/tool"), call.format("/usr/bin/other", "/usr/bin/tool"),
                            call.format("/usr/away/made", "/usr/bin/tool")]),
        links={"usr/away": str(host)},
    )  # fmt: skip
    before = state(host)
    debs.unpack(tmp_path / "debs", tmp_path / "tree")
    assert (tmp_path / "tree/usr/bin/other").is_symlink()
    assert not os.path.lexists(tmp_path / "made")
    assert state(host) == before


def test_a_package_with_more_than_files_is_refused(tmp_path: Path) -> None:
    make_deb(tmp_path / "debs", special=True)
    with pytest.raises(ImageError, match='"usr/bin/fifo", which is neither file, folder nor link'):
        debs.unpack(tmp_path / "debs", tmp_path / "tree")


def test_a_package_whose_usr_is_a_link_changes_nothing_of_this_host(host: Path, tmp_path: Path) -> None:
    """tar, which dpkg-deb leaves the unpacking to, writes through no link of an archive: what this code relies on."""
    make_deb(tmp_path / "debs", links={"lib": str(host), "opt": str(host)})
    before = state(host)
    debs.unpack(tmp_path / "debs", tmp_path / "tree")
    with pytest.raises(ImageError, match='makes "/opt" a link'):
        sysext_tree.leave_out(tmp_path / "tree", Recipe(name="x", packages=("x",)))
    assert state(host) == before


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"name": 1}', "[" * 100_000])
def test_the_record_of_a_built_extension_may_be_anything(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path / "cache"))
    recipe = Recipe(name="greet", files={"/usr/bin/greet": "x"})
    built = sysext.build(recipe)
    built.path.with_suffix(".json").write_text(text)
    assert sysext.find_sysext(recipe) is None
    built.path.with_suffix(".json").unlink()
    os.mkfifo(built.path.with_suffix(".json"))
    assert sysext.find_sysext(recipe) is None


@pytest.mark.parametrize("to", ["victim", "new"])
def test_no_file_is_written_through_a_link_that_lies_beside_the_target(
    to: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "victim").write_text("mine")
    folder = tmp_path / "shared"
    folder.mkdir()
    (folder / ".greet.raw.part").symlink_to(tmp_path / to)
    sysext.build(Recipe(name="greet", files={"/usr/bin/greet": "x"}), target=folder / "greet.raw")
    assert (tmp_path / "victim").read_text() == "mine"
    assert not (tmp_path / "new").exists()
    assert (folder / "greet.raw").stat().st_size > 0
    assert not (folder / "greet.raw").is_symlink()


@pytest.mark.parametrize("place", ["file/greet.raw", "x" * 300, "y" * 252 + ".raw", "none/greet.raw"])
def test_a_place_that_no_file_can_have_is_an_error_in_words(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "file").write_text("")
    (tmp_path / "greet").write_text("x")
    words = ["sysext", "build", "greet", "--file", f"/usr/bin/greet={tmp_path / 'greet'}", "-o", str(tmp_path / place)]
    assert main(words) == 1
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    "path", ["/usr/.", "/usr/./x", "/usr/bin/", "/usr//x", "//usr/x", "/usr", "/opt/", "usr/x", ""]
)
def test_a_path_that_is_no_files_is_refused(path: str) -> None:
    with pytest.raises(UsageError, match="expected the path of a file below /usr or /opt"):
        sysext.build(Recipe(name="x", files={path: ""}))


@pytest.mark.parametrize(
    "paths", [("/usr/lib",), ("/usr/bin", "/usr/bin/x"), ("/usr/bin/x", "/usr/bin"), ("/usr/" + "x" * 300,)]
)
def test_files_in_each_others_place_are_an_error_in_words(
    paths: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path / "cache"))
    with pytest.raises((ImageError, UsageError), match=r"cannot be (written into the|in an) extension"):
        sysext.build(Recipe(name="x", files=dict.fromkeys(paths, "")))
