"""The contents of the lab image: packages, excluded files, partitions, versions. Data only.

The recipe's digest names the built image in the cache: a changed recipe gives a new image, an unchanged one is found
again. Partition table: Flatcar's build_library/disk_layout.json (numbers, labels, type GUIDs, fixed GUIDs of USR-A and
USR-B); sizes are smaller here.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from flatkit.untrusted import lines_of

_FOLDER = Path(__file__).resolve().parent

SUITE = "trixie"

PACKAGES = (
    "btrfs-progs",
    "busybox-static",
    "ca-certificates",
    "cryptsetup-bin",
    "curl",
    "dbus",
    "dmsetup",
    "dosfstools",
    "e2fsprogs",
    "fdisk",
    "gdisk",
    "ignition",
    "iproute2",
    "iputils-ping",
    "jq",
    "kexec-tools",
    "kmod",
    "less",
    "libnss-myhostname",
    "linux-image-cloud-amd64",
    "openssh-server",
    "procps",
    "socat",
    "sudo",
    "systemd",
    "systemd-container",
    "systemd-cryptsetup",
    "systemd-resolved",
    "systemd-sysv",
    "systemd-timesyncd",
    "udev",
    "xfsprogs",
)

# Never unpacked by dpkg: without a package manager they are of no use.
UNPACKED_NEVER = (
    "/usr/share/doc/*",
    "/usr/share/man/*",
    "/usr/share/info/*",
    "/usr/share/locale/*",
    "/usr/share/lintian/*",
)

# Loaded by the initrd; their dependencies are in modules.dep.
INITRD_MODULES = (
    "virtio_blk",
    "dm-verity",
    "erofs",
    "overlay",
    "qemu_fw_cfg",
    "virtio-rng",
    "virtio_net",
    "vfat",
    "nls_cp437",
    "nls_ascii",
)

INITRD_PROGRAMS = ("usr/sbin/dmsetup",)

# The selector finds the disk, writes a GPT bit, reads EFI-SYSTEM, and starts another kernel. It needs nothing else.
SELECTOR_MODULES = ("virtio_blk", "vfat", "nls_cp437", "nls_ascii")
SELECTOR_PROGRAMS = ("usr/sbin/sfdisk", "usr/sbin/kexec")

INITRD_APPLETS = (
    "basename",
    "cat",
    "chmod",
    "chroot",
    "cttyhack",
    "dd",
    "echo",
    "grep",
    "hwclock",
    "insmod",
    "ip",
    "ln",
    "ls",
    "mkdir",
    "mount",
    "od",
    "readlink",
    "reboot",
    "rm",
    "rmmod",
    "sed",
    "setsid",
    "sh",
    "sha256sum",
    "switch_root",
    "touch",
    "udhcpc",
    "umount",
    "usleep",
    "xargs",
)

# What every first boot reads of /usr is in a template's memory already: programs with their libraries, and files.
WARM_PROGRAMS = (
    "usr/bin/bash",
    "usr/bin/dash",
    "usr/bin/dbus-daemon",
    "usr/bin/mount",
    "usr/bin/ssh-keygen",
    "usr/lib/openssh/sshd-auth",
    "usr/lib/openssh/sshd-session",
    "usr/sbin/sshd",
    "usr/sbin/useradd",
    "usr/sbin/usermod",
)
WARM_FILES = (
    "usr/bin/sudo",
    "usr/bin/systemctl",
    "usr/bin/systemd-sysext",
    "usr/bin/systemd-tmpfiles",
    "usr/bin/udevadm",
    "usr/lib/flatcar/ignition",
    "usr/lib/modules/*/modules.*.bin",
    "usr/lib/systemd/network/*",
    "usr/lib/systemd/system-generators/*",
    "usr/lib/systemd/system/**/*",
    "usr/lib/systemd/systemd",
    "usr/lib/systemd/systemd-executor",
    "usr/lib/systemd/systemd-journald",
    "usr/lib/systemd/systemd-networkd",
    "usr/lib/systemd/systemd-resolved",
    "usr/lib/systemd/systemd-timesyncd",
    "usr/lib/tmpfiles.d/*",
    "usr/lib/udev/rules.d/*",
    "usr/lib/x86_64-linux-gnu/lib*mount.so.*",
    "usr/lib/x86_64-linux-gnu/libseccomp.so.*",
    "usr/lib/x86_64-linux-gnu/security/pam_*.so",
    "usr/lib/x86_64-linux-gnu/systemd/*.so",
    "usr/libexec/sudo/*.so*",
)


@dataclass(frozen=True, kw_only=True)
class Partition:
    """One row of the partition table; `mib` is its size."""

    number: int
    label: str
    type_guid: str
    mib: int
    guid: str = ""
    attributes: str = ""


USR_TYPE = "5dfbf5f4-2848-4bac-aa5e-0d9a20b745a6"
USR_GUIDS = {"USR-A": "7130c94a-213a-4e5a-8e26-6cce9662f132", "USR-B": "e03dd35c-7c2d-4a47-b3fe-27f15780a57c"}

# Attribute bits of a USR partition: priority 48-51, tries 52-55, successful 56. As built: A priority 1, successful.
PARTITIONS = (
    Partition(number=1, label="EFI-SYSTEM", type_guid="c12a7328-f81f-11d2-ba4b-00a0c93ec93b", mib=128),
    Partition(number=2, label="BIOS-BOOT", type_guid="21686148-6449-6e6f-744e-656564454649", mib=2),
    Partition(number=3, label="USR-A", type_guid=USR_TYPE, mib=512, guid=USR_GUIDS["USR-A"], attributes="GUID:48,56"),
    Partition(number=4, label="USR-B", type_guid=USR_TYPE, mib=512, guid=USR_GUIDS["USR-B"]),
    Partition(number=6, label="OEM", type_guid="0fc63daf-8483-4772-8e79-3d69d8477de4", mib=64),
    Partition(number=7, label="OEM-CONFIG", type_guid="c95dc21a-df0e-4340-8d7b-26cbfa9a03e0", mib=64),
    Partition(number=9, label="ROOT", type_guid="3884dd41-8582-4404-b9a8-e9b84f2df50e", mib=5120),
)
DISK_GUID = "00000000-0000-0000-0000-000000000001"


@dataclass(frozen=True, kw_only=True)
class Release:
    """A version of the lab image: its channel and its number, in Flatcar's form.

    `news` is the visible change in /usr; `features` name folders of `features/` that are copied over /usr.
    """

    name: str
    channel: str
    version: str
    news: str
    features: tuple[str, ...] = ()


STABLE = Release(name="lab", channel="stable", version="110.2.0", news="the release that most machines run")
RELEASES = {
    release.name: release
    for release in (
        Release(name="lab-lts", channel="lts", version="100.3.0", news="old, and kept safe for a long time"),
        STABLE,
        Release(name="lab-beta", channel="beta", version="120.1.0", news="what stable will be, for canaries"),
        Release(name="lab-alpha", channel="alpha", version="130.0.0", news="new things first"),
        Release(
            name="lab-broken",
            channel="alpha",
            version="131.0.0",
            news="an unfinished feature: comes up, and never becomes healthy",
            features=("unfinished",),
        ),
    )
}

# The newest stable spec that the lab's Ignition (Debian's 2.14.0) reads.
IGNITION_SPEC = (3, 3, 0)

# Flatcar's own words first; then what makes an emulated machine quicker, or its console more telling. `gpt`: the kernel
# takes the backup header when the primary is torn. The selector adds verity.usr, verity.usrhash, flatcar.first_boot, and
# what OEM's grub.cfg wants added.
CMDLINE = (
    "mount.usr=/dev/mapper/usr rootflags=rw mount.usrflags=ro consoleblank=0 root=LABEL=ROOT console=ttyS0,115200n8 "
    "flatcar.oem.id=qemu panic=10 gpt printk.devkmsg=on lsm=landlock,yama 8250.nr_uarts=1 "
    "no_timer_check systemd.show_status=no"
)
# OEM's grub.cfg, as in Flatcar's QEMU image; the selector reads its `linux_append`, and Ignition's stage kargs writes
# it.
OEM_GRUB_CFG = '# Flatcar GRUB settings\n\nset oem_id="qemu"\nset linux_append="flatcar.autologin"\n'
# Little is printed until the selector starts, and one processor is enough for it.
SELECTOR_CMDLINE = (
    "console=ttyS0,115200n8 quiet loglevel=3 panic=10 gpt printk.devkmsg=on lsm=yama 8250.nr_uarts=1 "  # as above
    "no_timer_check maxcpus=1"
)
# Offset of the root hash in the kernel file, as on Flatcar (amd64).
ROOT_HASH_OFFSET = 64


def patterns(name: str) -> list[str]:
    """Return the glob patterns of `removed-from-<name>.txt`."""
    lines = lines_of((_FOLDER / f"removed-from-{name}.txt").read_text())
    return [line for line in lines if not line.startswith("#")]


def payload_key() -> Path:
    """Return the private key that signs lab payloads. It is public on purpose, like Flatcar's developer key."""
    return _FOLDER / "payload-key.pem"


def files() -> Path:
    """Return the folder of files that are copied over the packages: `usr`, `etc` and `initrd`."""
    return _FOLDER / "files"


def bootstrap_digest() -> str:
    """Return the name of the unpacked packages in the cache: they change more rarely than the rest."""
    text = repr((SUITE, PACKAGES, UNPACKED_NEVER))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def extension_builder_digest() -> str:
    """Return a digest of the code that builds extensions, and of the list of files removed from the image's /usr."""
    return _digest_of([*_extension_builders(), _FOLDER / "removed-from-usr.txt"])


def digest(release: Release) -> str:
    """Return the name of the built image: a digest of this folder, the extension builder, and the release."""
    inside = [path for path in _FOLDER.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return hashlib.sha256(f"{release!r}{_digest_of([*inside, *_extension_builders()])}".encode()).hexdigest()[:12]


def _extension_builders() -> list[Path]:
    return [
        _FOLDER.parent / name for name in ("debs.py", "elf_deps.py", "sysext.py", "sysext_layout.py", "sysext_tree.py")
    ]


def _digest_of(paths: list[Path]) -> str:
    total = hashlib.sha256()
    for path in sorted(paths):
        total.update(f"{path.relative_to(_FOLDER.parent)}\0{path.stat().st_mode & 0o111}\0".encode())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()
