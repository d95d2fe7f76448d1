from __future__ import annotations

from pathlib import Path

import pytest
from room_parts import MakeWheel, describe

from flatkit.errors import UsageError
from flatkit.images.pack_manifest import MANIFEST, SUMS
from flatkit.packs.check import check


def test_a_whole_pack_suffices(pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")  # a person's settings play no part
    found = check(pack)
    assert found.ok, str(found)
    assert [finding.name for finding in found.findings][:3] == ["files", "sums", "images"]
    assert "pip would install 2 packages" in str(found)
    assert "to boot: lab 110.2.0; to update to: beta 120.1.0, alpha 130.0.0" in str(found)
    assert "suffices for a room without the Internet" in str(found)


def spoil_byte(pack: Path) -> None:
    path = pack / "lab/110.2.0-abc/disk.qcow2"
    path.write_bytes(b"\xff" + path.read_bytes()[1:])


def spoil_size(pack: Path) -> None:
    (pack / "amd64-usr/120.1.0/update.bin").write_text("short")


def spoil_file(pack: Path) -> None:
    (pack / "extensions/tool/tool-1-x86-64.raw").unlink()


def spoil_sums(pack: Path) -> None:
    (pack / SUMS).write_text("")


def spoil_name(pack: Path) -> None:
    path = pack / MANIFEST
    path.write_text(path.read_text().replace('"folder": "lab/110.2.0-abc"', '"folder": "lab/other"'))


def spoil_wheel(pack: Path) -> None:
    (pack / "wheels/helper-1.5-py3-none-any.whl").unlink()


def spoil_own(pack: Path) -> None:
    (pack / "wheels/flatkit-0.1.0-py3-none-any.whl").unlink()


@pytest.mark.parametrize(
    ("spoil", "bad", "said"),
    [
        (spoil_byte, ["files"], "lab/110.2.0-abc/disk.qcow2: other bytes than the manifest says"),
        (spoil_size, ["files"], "amd64-usr/120.1.0/update.bin: another size"),
        (spoil_file, ["files"], "tool-1-x86-64.raw: No such file"),
        (spoil_sums, ["sums"], "SHA256SUMS is missing, or says something else"),
        (spoil_name, ["images"], "lab/other/disk.qcow2; lab/other/image.json"),
        (spoil_wheel, ["files", "CPython 3.11", "CPython 3.12", "CPython 3.13"], "missing: helper>=1"),
        (spoil_own, ["files", "wheels"], "flatkit's own wheel is not there"),
    ],
)
def test_what_is_wrong_is_named(pack: Path, spoil, bad: list[str], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.python_version_tuple", lambda: ("3", "9", "0"))  # the slow part has tests of its own
    spoil(pack)
    found = check(pack)
    assert [finding.name for finding in found.findings if not finding.ok] == bad
    assert said in str(found)
    assert str(found).endswith(f"  Next: flatkit room pack {pack}")


def test_wheels_that_contradict_each_other_are_found_by_pip(
    pack: Path, make_wheel: MakeWheel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each requirement has a wheel, and no choice of them fits together: only pip sees that."""
    monkeypatch.setattr("platform.python_version_tuple", lambda: ("3", "11", "0"))
    make_wheel(pack / "wheels", "flatkit", "0.1.0", "helper>=1", "other")
    make_wheel(pack / "wheels", "other", "1.0", "helper<1")
    make_wheel(pack / "wheels", "helper", "0.5")
    describe(pack)
    found = {finding.name: finding for finding in check(pack).findings}
    assert found["CPython 3.12"].ok
    assert not found["pip"].ok
    assert "pip says" in found["pip"].found


def test_no_pack_at_all(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no pack"):
        check(tmp_path)
