"""Domain XML against golden files; UPDATE_GOLDEN=1 writes them anew."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from flatkit.machines.domain import DomainFiles, Tag, build_domain, domain_name, parse_tag
from flatkit.machines.spec import Accelerator, Arch, DirectBoot, Firmware, Forward, MachineSpec

GOLDEN = Path(__file__).parent / "golden"
FOLDER = Path("/state/machines/web")
TAG = Tag(
    owner="0123abcd",
    name="web",
    label="lab 1.0",
    folder=str(FOLDER),
    ports="20022:22",
    created="2026-01-02T03:04:05+00:00",
)
LAB = DirectBoot(kernel=Path("/cache/lab/vmlinuz"), initrd=Path("/cache/lab/initrd"), cmdline="console=ttyS0 a=b")
IGNITION = '{"ignition": {"version": "3.3.0"}}'
SSH = (Forward(host=20022, guest=22),)

CASES: dict[str, tuple[MachineSpec, Accelerator, tuple[Forward, ...]]] = {
    "x86_64-tcg-direct": (
        MachineSpec(name="web", disk=Path("/cache/lab/disk"), boot=LAB, ignition=IGNITION, label="lab 1.0"),
        Accelerator.TCG,
        SSH,
    ),
    "x86_64-kvm-direct": (
        MachineSpec(name="web", disk=Path("/cache/lab/disk"), boot=LAB, ignition=IGNITION, label="lab 1.0"),
        Accelerator.KVM,
        SSH,
    ),
    "x86_64-kvm-firmware": (
        MachineSpec(name="web", disk=Path("/cache/flatcar.img"), memory_mib=2048, ignition=IGNITION),
        Accelerator.KVM,
        SSH,
    ),
    "x86_64-tcg-disks-forwards": (
        MachineSpec(name="web", disk=Path("/d"), extra_disks_gib=(1, 2), cpus=1),
        Accelerator.TCG,
        (*SSH, Forward(host=8080, guest=80), Forward(host=20443, guest=443)),
    ),
    "x86_64-kvm-uefi": (
        MachineSpec(name="web", disk=Path("/d"), memory_mib=2048, firmware=Firmware.UEFI, extra_images=(Path("/e"),)),
        Accelerator.KVM,
        SSH,
    ),
    "aarch64-kvm-firmware": (
        MachineSpec(name="web", disk=Path("/d"), arch=Arch.AARCH64, ignition=IGNITION),
        Accelerator.KVM,
        SSH,
    ),
    "aarch64-tcg-direct": (
        MachineSpec(name="web", disk=Path("/d"), arch=Arch.AARCH64, boot=LAB, ignition=IGNITION),
        Accelerator.TCG,
        SSH,
    ),
    "aarch64-tcg-firmware": (MachineSpec(name="web", disk=Path("/d"), arch=Arch.AARCH64), Accelerator.TCG, SSH),
}


def build(case: str) -> str:
    spec, accelerator, forwards = CASES[case]
    extra = tuple(FOLDER / f"disk{number + 1}.qcow2" for number in range(spec.extra_disks))
    files = DomainFiles(
        overlay=FOLDER / "overlay.qcow2",
        console=FOLDER / "console.log",
        ignition=FOLDER / "config.ign" if spec.ignition else None,
        extra_disks=extra,
    )
    uuid = "11111111-2222-3333-4444-5555556789ab"
    return build_domain(spec, tag=TAG, accelerator=accelerator, files=files, forwards=forwards, uuid=uuid)


@pytest.mark.parametrize("case", CASES)
def test_golden(case: str) -> None:
    golden = GOLDEN / f"{case}.xml"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(build(case))
    assert build(case) == golden.read_text()


@pytest.mark.parametrize("case", [case for case in CASES if case.startswith("aarch64")])
def test_arm64_has_a_virt_board_its_own_serial_port_and_no_bios(case: str) -> None:
    domain = ET.fromstring(build(case))
    kind = domain.find("os/type")
    port = domain.find("devices/serial/target")
    assert kind is not None
    assert port is not None
    assert (kind.get("machine"), port.get("type"), Arch.AARCH64.console) == ("virt", "system-serial", "ttyAMA0")
    is_uefi = domain.find("os").get("firmware") == "efi"  # type: ignore[union-attr]
    # libvirt refuses ACPI where no UEFI tells the guest about it.
    assert is_uefi == (domain.find("features/acpi") is not None) == case.endswith("firmware")


@pytest.mark.parametrize("case", CASES)
def test_libvirts_own_schema_accepts_it(case: str) -> None:
    libvirt = pytest.importorskip("libvirt")
    connection = libvirt.open("test:///default")
    try:
        with pytest.raises(libvirt.libvirtError, match="validate against schema"):
            connection.defineXMLFlags("<domain type='test'><bogus/></domain>", libvirt.VIR_DOMAIN_DEFINE_VALIDATE)
        connection.defineXMLFlags((GOLDEN / f"{case}.xml").read_text(), libvirt.VIR_DOMAIN_DEFINE_VALIDATE)
    finally:
        connection.close()


def test_every_golden_file_is_tested() -> None:
    assert {path.stem for path in GOLDEN.glob("*.xml")} == set(CASES)


@pytest.mark.parametrize("case", CASES)
def test_nothing_listens_beyond_this_host_and_nothing_forbids_saving(case: str) -> None:
    xml = build(case)
    assert xml.count("hostfwd=") == xml.count("hostfwd=tcp:127.0.0.1:")
    assert "<filesystem" not in xml
    assert 'cache="unsafe"' not in xml


def test_text_with_markup_stays_text() -> None:
    boot = DirectBoot(kernel=Path("/a&b"), initrd=Path("/i"), cmdline='x="<y>" & z')
    spec = MachineSpec(name="web", disk=Path("/d"), boot=boot, label='a "<label>"')
    files = DomainFiles(overlay=Path("/o"), console=Path("/c"))
    xml = build_domain(spec, tag=TAG, accelerator=Accelerator.TCG, files=files, forwards=SSH)
    assert '<cmdline>x="&lt;y&gt;" &amp; z</cmdline>' in xml


def test_the_mark_is_read_back() -> None:
    assert parse_tag(build("x86_64-tcg-direct")) == TAG


@pytest.mark.parametrize("xml", ["", "<domain/>", "<domain><metadata/></domain>", "<machine/>", "text"])
def test_a_domain_without_the_mark_is_not_ours(xml: str) -> None:
    with pytest.raises(ValueError, match=r"mark|XML"):
        parse_tag(xml)


def test_two_owners_never_share_a_domain_name() -> None:
    assert domain_name("0123abcd", "web") != domain_name("fedcba98", "web")
