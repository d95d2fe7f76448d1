"""The kernel inside a disk image is found and tried, on disks made by the usual tools."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from flatkit.machines import accelerator
from flatkit.machines.disk_kernel import find_efi_system, kernel_of
from flatkit.machines.spec import Accelerator, Arch, DirectBoot, MachineSpec

KERNEL = random.Random(2).randbytes(100_000)
# As on Flatcar: EFI-SYSTEM from sector 4096 on, then others.
TABLE = """label: gpt
start=4096, size=32768, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, name=EFI-SYSTEM
start=36864, size=4096, type=21686148-6449-6E6F-744E-656564454649, name=BIOS-BOOT
"""


def tool(*words: str | Path, **values: object) -> None:
    subprocess.run([str(word) for word in words], check=True, capture_output=True, **values)  # type: ignore[call-overload]


@pytest.fixture(params=["raw", "qcow2"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    """A disk with a kernel on EFI-SYSTEM; its name has a comma, which QEMU's options want doubled."""
    raw, esp, kernel = tmp_path / "a,b.raw", tmp_path / "esp", tmp_path / "vmlinuz-a"
    kernel.write_bytes(KERNEL)
    esp.touch()
    with esp.open("r+b") as file:
        file.truncate(32768 * 512)
    tool("/sbin/mkfs.vfat", esp)
    tool("mmd", "-i", esp, "::/flatcar")
    tool("mcopy", "-i", esp, kernel, "::/flatcar/vmlinuz-a")
    with raw.open("wb") as file:
        file.truncate(64 * 1024 * 1024)
    tool("/sbin/sfdisk", "-q", raw, input=TABLE.encode())
    with raw.open("r+b") as file:
        file.seek(4096 * 512)
        file.write(esp.read_bytes())
    if request.param == "raw":
        return raw, "raw"
    tool("qemu-img", "convert", "-O", "qcow2", "-c", raw, tmp_path / "a,b.qcow2")
    return tmp_path / "a,b.qcow2", "qcow2"


def test_the_kernel_is_taken_out(disk: tuple[Path, str]) -> None:
    with kernel_of(*disk) as kernel:
        assert kernel is not None
        assert kernel.read_bytes() == KERNEL
    assert not kernel.exists()


@pytest.mark.parametrize("data", [b"", b"x" * 100, bytes(64 * 512), b"x" * 512 + b"EFI PART" + b"\xff" * 20000])
def test_a_disk_without_one(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)
    with kernel_of(tmp_path / "x", "raw") as kernel:
        assert kernel is None
    with kernel_of(tmp_path / "none", "qcow2") as kernel:
        assert kernel is None
    assert find_efi_system(data) is None


def test_a_machine_that_boots_by_itself_is_tried_with_its_own_kernel(
    disk: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(accelerator, "_obstacle", lambda *_: "")
    monkeypatch.setattr(accelerator, "qemu_version", lambda _: "QEMU 1")
    tried: list[bytes] = []
    monkeypatch.setattr(accelerator, "try_kernel", lambda _, kernel: bool(tried.append(kernel.read_bytes())))
    spec = MachineSpec(name="x", disk=disk[0], disk_format=disk[1], arch=Arch.of_host())
    found = accelerator.choose_for(spec)
    assert (found.accelerator, found.proved, tried) == (Accelerator.TCG, True, [KERNEL])
    assert accelerator.choose_for(spec).accelerator is Accelerator.TCG
    assert len(tried) == 1  # the answer is kept
    boot = DirectBoot(kernel=disk[0], initrd=disk[0], cmdline="")
    accelerator.choose_for(MachineSpec(name="x", disk=disk[0], boot=boot, arch=Arch.of_host()))
    assert tried[1:] == [disk[0].read_bytes()]
