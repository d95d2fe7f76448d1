"""libvirt's XML for a machine, built from plain values. No host is contacted, so golden files can contain it.

Every device has its own PCI address on the root bus. libvirt would otherwise put each one behind a PCI Express root
port, and an emulated kernel spends seconds on probing those. Fixed addresses also keep a saved machine's hardware the
same.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flatkit.machines.spec import Accelerator, Arch, Firmware, Forward, MachineSpec

METADATA_URI = "urn:flatkit:machine:1"
QEMU_URI = "http://libvirt.org/schemas/domain/qemu/1.0"
# Key under which Flatcar's Ignition looks for its config (platform "qemu").
FW_CFG_NAME = "opt/org.flatcar-linux/config"
# With this key, the lab image's initrd waits before it reads the config (images/lab/files/initrd/init).
FW_CFG_TEMPLATE = "opt/flatkit/template"

# Size of QEMU's cache of translated code under emulation. QEMU's default of 1 GiB makes a restart slow. While code of
# the previous boot is cached, each write to that code's memory costs a search (QEMU 7.2: half a minute in all).
_TRANSLATED_MIB = 128

_SLOT_NETWORK = 0x10
_SLOT_RNG = 0x11
_SLOT_DISKS = 0x02

ET.register_namespace("flatkit", METADATA_URI)
ET.register_namespace("qemu", QEMU_URI)


@dataclass(frozen=True, kw_only=True)
class Tag:
    """flatkit's mark on a domain, by which alone flatkit recognises its domains. `owner` identifies a state folder."""

    owner: str
    name: str
    label: str = ""
    folder: str = ""
    ports: str = ""
    created: str = ""

    def element(self) -> ET.Element:
        """Return the mark as a metadata element."""
        tag = ET.Element(f"{{{METADATA_URI}}}machine")
        for key in ("owner", "name", "label", "folder", "ports", "created"):
            tag.set(key, getattr(self, key))
        return tag


def parse_tag(xml: str) -> Tag:
    """Parse the mark in a domain's metadata, or in a whole domain. Raises ValueError if it is missing."""
    try:
        root = ET.fromstring(xml)  # noqa: S314  (libvirt's own answer)
    except ET.ParseError as error:
        raise ValueError(f"not XML: {error}") from None
    # libvirt returns the element without its namespace prefix if it is requested by its URI.
    found = root if root.tag.endswith("machine") else root.find(f".//{{{METADATA_URI}}}machine")
    if found is None or "owner" not in found.attrib or "name" not in found.attrib:
        raise ValueError("no mark of flatkit")
    keys = Tag.__dataclass_fields__
    return Tag(**{key: value for key, value in found.attrib.items() if key in keys})


def domain_name(owner: str, name: str) -> str:
    """Return libvirt's name for a machine; the owner ID keeps two state folders apart."""
    return f"flatkit-{owner[:6]}-{name}"


@dataclass(frozen=True, kw_only=True)
class DomainFiles:
    """Paths of a machine's own files."""

    overlay: Path
    console: Path
    ignition: Path | None = None
    extra_disks: tuple[Path, ...] = ()


def build_domain(
    spec: MachineSpec,
    *,
    tag: Tag,
    accelerator: Accelerator,
    files: DomainFiles,
    forwards: Sequence[Forward],
    uuid: str = "",
    address: str = "127.0.0.1",
    as_template: bool = False,
) -> str:
    """Build the domain XML of a machine.

    `forwards` are the resolved ones, including SSH. `address` is where QEMU listens. A machine `as_template` gets the
    key that makes it wait in place of its config.
    """
    domain = ET.Element("domain", {"type": accelerator.domain_type})
    _text(domain, "name", domain_name(tag.owner, tag.name))
    if uuid:
        _text(domain, "uuid", uuid)
    _text(domain, "title", f"flatkit machine {spec.name}" + (f" ({spec.label})" if spec.label else ""))
    ET.SubElement(domain, "metadata").append(tag.element())
    _text(domain, "memory", str(spec.memory_mib), unit="MiB")
    _text(domain, "vcpu", str(spec.cpus))
    if as_template:
        sysinfo = ET.SubElement(domain, "sysinfo", {"type": "fwcfg"})
        _text(sysinfo, "entry", "wait", name=FW_CFG_TEMPLATE)
    elif files.ignition:
        # libvirt labels this file for QEMU (DAC, AppArmor, SELinux). It would not do so for `qemu:commandline`.
        sysinfo = ET.SubElement(domain, "sysinfo", {"type": "fwcfg"})
        ET.SubElement(sysinfo, "entry", {"name": FW_CFG_NAME, "file": str(files.ignition)})
    _boot(domain, spec)
    features = ET.Element("features")
    if spec.arch is Arch.X86_64 or not spec.boot:
        # Without ACPI, QEMU does not show fw_cfg to the guest's kernel, and Ignition would find no config. An aarch64
        # kernel that QEMU loads itself reads a device tree instead, and libvirt refuses ACPI without UEFI there.
        ET.SubElement(features, "acpi")
    if accelerator is Accelerator.TCG:
        _text(ET.SubElement(features, "tcg"), "tb-cache", str(_TRANSLATED_MIB), unit="MiB")
    if len(features):
        domain.append(features)
    _cpu(domain, spec, accelerator)
    ET.SubElement(domain, "clock", {"offset": "utc"})
    _text(domain, "on_poweroff", "destroy")
    _text(domain, "on_reboot", "restart")
    # A guest that panics reboots, as hardware with panic=N does; the console shows why.
    _text(domain, "on_crash", "restart")
    _devices(domain, files, spec.arch)
    _network(domain, uuid, forwards, address)
    ET.indent(domain)
    return ET.tostring(domain, encoding="unicode") + "\n"


def _text(parent: ET.Element, tag: str, text: str, **attributes: str) -> ET.Element:
    element = ET.SubElement(parent, tag, attributes)
    element.text = text
    return element


def _boot(domain: ET.Element, spec: MachineSpec) -> None:
    os = ET.SubElement(domain, "os")
    is_uefi = not spec.boot and (spec.firmware or spec.arch.firmware) is Firmware.UEFI
    if is_uefi:
        os.set("firmware", "efi")
    _text(os, "type", "hvm", arch=spec.arch.value, machine=spec.arch.machine_type)
    if is_uefi:
        # The boot loader of Flatcar's standard image is not signed for Secure Boot.
        ET.SubElement(ET.SubElement(os, "firmware"), "feature", {"enabled": "no", "name": "secure-boot"})
    if spec.boot:
        _text(os, "kernel", str(spec.boot.kernel))
        _text(os, "initrd", str(spec.boot.initrd))
        _text(os, "cmdline", spec.boot.cmdline)
    else:
        ET.SubElement(os, "boot", {"dev": "hd"})


# QEMU 7.2 emulates cmpxchg16b incorrectly: kernels panic in kmalloc in every third boot. The other features cost time
# and protect nobody under emulation: a fifth level of page tables, guards at each access to user memory, byte-by-byte
# copies. Without them, `mpx` apart, four parallel boots took 0.93 of the time (median).
NOT_EMULATED = ("cx16", "erms", "la57", "mpx", "pku", "smap", "smep", "umip")


def _cpu(domain: ET.Element, spec: MachineSpec, accelerator: Accelerator) -> None:
    if accelerator is Accelerator.KVM:
        ET.SubElement(domain, "cpu", {"mode": "host-passthrough"})
        return
    cpu = ET.SubElement(domain, "cpu", {"mode": "maximum"})
    if spec.arch is Arch.X86_64:
        for name in NOT_EMULATED:
            ET.SubElement(cpu, "feature", {"policy": "disable", "name": name})


def _pci(device: ET.Element, slot: int) -> None:
    ET.SubElement(
        device,
        "address",
        {"type": "pci", "domain": "0x0000", "bus": "0x00", "slot": f"0x{slot:02x}", "function": "0x0"},
    )


def _devices(domain: ET.Element, files: DomainFiles, arch: Arch) -> None:
    devices = ET.SubElement(domain, "devices")
    for number, path in enumerate((files.overlay, *files.extra_disks)):
        disk = ET.SubElement(devices, "disk", {"type": "file", "device": "disk"})
        # writeback, never unsafe: pulling the plug must lose exactly what a real machine loses.
        ET.SubElement(disk, "driver", {"name": "qemu", "type": "qcow2", "cache": "writeback", "discard": "unmap"})
        ET.SubElement(disk, "source", {"file": str(path)})
        ET.SubElement(disk, "target", {"dev": f"vd{chr(ord('a') + number)}", "bus": "virtio"})
        _pci(disk, _SLOT_DISKS + number)
    ET.SubElement(devices, "controller", {"type": "usb", "model": "none"})
    # The pseudo-terminal is for the user. Its log contains every byte from the first one, watched or not.
    serial = ET.SubElement(devices, "serial", {"type": "pty"})
    ET.SubElement(serial, "log", {"file": str(files.console), "append": "on"})
    target = ET.SubElement(serial, "target", {"port": "0"})
    if arch is Arch.AARCH64:
        # The board's own port, which the kernel calls ttyAMA0: Flatcar's arm64 console.
        target.set("type", "system-serial")
        ET.SubElement(target, "model", {"name": "pl011"})
    rng = ET.SubElement(devices, "rng", {"model": "virtio"})
    _text(rng, "backend", "/dev/urandom", model="random")
    _pci(rng, _SLOT_RNG)
    ET.SubElement(devices, "memballoon", {"model": "none"})


def _network(domain: ET.Element, uuid: str, forwards: Sequence[Forward], address: str) -> None:
    """Add user networking by QEMU's own arguments: libvirt 9 can neither forward ports for it nor use passt."""
    device = f"virtio-net-pci,netdev=flatkit,mac={_mac(uuid)},bus=pcie.0,addr=0x{_SLOT_NETWORK:x}"
    commandline = ET.SubElement(domain, f"{{{QEMU_URI}}}commandline")
    for value in ("-netdev", _user_network(forwards, address), "-device", device):
        ET.SubElement(commandline, f"{{{QEMU_URI}}}arg", {"value": value})


_USER_NETWORK = "user,id=flatkit"


def _user_network(forwards: Sequence[Forward], address: str) -> str:
    rules = (f",hostfwd=tcp:{address}:{forward.host}-:{forward.guest}" for forward in forwards)
    return _USER_NETWORK + "".join(rules)


def snapshot_of(domain_xml: str, name: str) -> str:
    """Return the XML of a snapshot with memory that is inside a domain's disks already, for libvirt to register."""
    domain = ET.fromstring(domain_xml)  # noqa: S314  (libvirt's own answer)
    snapshot = ET.Element("domainsnapshot")
    _text(snapshot, "name", name)
    _text(snapshot, "state", "running")
    # When it was made decides nothing, but libvirt requires it.
    _text(snapshot, "creationTime", "0")
    ET.SubElement(snapshot, "memory", {"snapshot": "internal"})
    disks = ET.SubElement(snapshot, "disks")
    for target in domain.findall("devices/disk/target"):
        ET.SubElement(disks, "disk", {"name": target.get("dev", ""), "snapshot": "internal"})
    snapshot.append(domain)
    return ET.tostring(snapshot, encoding="unicode")


def without_parent(xml: str) -> str:
    """Return a snapshot's XML that a libvirt without the other snapshots accepts.

    Inside qcow2, each snapshot is independent of the others.
    """
    root = ET.fromstring(xml)  # noqa: S314  (libvirt's own answer)
    for parent in root.findall("parent"):
        root.remove(parent)
    return ET.tostring(root, encoding="unicode")


def with_forwards(xml: str, forwards: Sequence[Forward], address: str = "127.0.0.1") -> str:
    """Return a snapshot's XML with these host ports in each domain; the same text if it already has them."""
    root = ET.fromstring(xml)  # noqa: S314  (libvirt's own answer)
    wanted = _user_network(forwards, address)
    found = [one for one in root.iter(f"{{{QEMU_URI}}}arg") if one.get("value", "").startswith(_USER_NETWORK)]
    if all(argument.get("value") == wanted for argument in found):
        return xml
    for argument in found:
        argument.set("value", wanted)
    return ET.tostring(root, encoding="unicode")


def _mac(uuid: str) -> str:
    """Return a MAC address of QEMU's range that stays the same for a machine."""
    digits = (uuid.replace("-", "") or "0" * 32)[-6:]
    return f"52:54:00:{digits[0:2]}:{digits[2:4]}:{digits[4:6]}"
