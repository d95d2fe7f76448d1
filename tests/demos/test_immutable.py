"""The demo's parsers and checks, on what a lab machine really said, and on what it would say where something is wrong."""

from __future__ import annotations

import pytest

from flatkit.demos.facts import parse_slots
from flatkit.demos.immutable import (
    Seal,
    Tampered,
    _are_none,
    _has_one_slot,
    _is_sealed,
    _panicked,
    parse_seal,
    parse_tampered,
)

HASH = "2367049e469bd3a0403cca631fc2602e5aacaf51c7619b11326b96669589dfc2"
SALT = "56a6a65f580a33db62407c698b578274f4b5f19b5edb5663ab407c91786263f0"
SEAL = f"""\
BOOT_IMAGE=/flatcar/vmlinuz-a verity.usr=PARTUUID=7130c94a-213a-4e5a-8e26-6cce9662f132 mount.usr=/dev/mapper/usr \
rootflags=rw mount.usrflags=ro consoleblank=0 root=LABEL=ROOT console=ttyS0,115200n8 flatcar.oem.id=qemu flatcar.autologin \
panic=10 gpt printk.devkmsg=on lsm=landlock,yama 8250.nr_uarts=1 no_timer_check systemd.show_status=no  \
flatcar.first_boot=detected verity.usrhash={HASH}
0 423936 verity 1 254:3 254:3 4096 4096 52992 52993 sha256 {HASH} {SALT} 1 panic_on_corruption
"""


@pytest.mark.parametrize(
    ("raw", "value", "ok"),
    [
        (SEAL, Seal(given=HASH, used=HASH, on_corruption="panic_on_corruption"), True),
        (
            SEAL.replace(f"usrhash={HASH}", f"usrhash={SALT}"),
            Seal(given=SALT, used=HASH, on_corruption="panic_on_corruption"),
            False,
        ),
        (SEAL.replace(" 1 panic_on_corruption", ""), Seal(given=HASH, used=HASH, on_corruption=""), False),
        (
            SEAL.replace("panic_on", "ignore_on"),
            Seal(given=HASH, used=HASH, on_corruption="ignore_on_corruption"),
            False,
        ),
        ("BOOT_IMAGE=/vmlinuz\nDevice usr not found\n", Seal(given="", used="", on_corruption=""), False),
    ],
)
def test_the_root_hash_in_both_places(raw: str, value: Seal, ok: bool) -> None:
    assert parse_seal(raw) == value
    assert _is_sealed(value).ok is ok


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("   1  27  26\n0 423936 verity V\n", Tampered(differ=1, state="V")),
        ("0 423936 verity V\n", Tampered(differ=0, state="V")),
        ("   1  27  26\n4096 377   0\n0 423936 verity C\n", Tampered(differ=2, state="C")),
        ("0 423936 verity V\ncmp: EOF on - which is empty\n", Tampered(differ=-1, state="V")),
        ("cmp: /var/tmp/block: No such file or directory\n", Tampered(differ=-1, state="")),
        ("", Tampered(differ=0, state="")),
    ],
)
def test_what_differs_and_what_dm_verity_says(raw: str, value: Tampered) -> None:
    assert parse_tampered(raw) == value


NOTICED = "[   19.766419] device-mapper: verity: 254:3: data block 51968 is corrupted\n"
PANIC = "[   19.769878] Kernel panic - not syncing: dm-verity device corrupted\n"


@pytest.mark.parametrize(
    ("text", "ok"),
    [
        (NOTICED + PANIC, True),
        (NOTICED, False),
        (PANIC, False),
        (NOTICED + PANIC.replace("dm-verity device corrupted", "Attempted to kill init!"), False),
        ("", False),
    ],
)
def test_the_last_words(text: str, ok: bool) -> None:
    verdict = _panicked(text)
    assert verdict.ok is ok
    assert ("51968" in verdict.found) is (NOTICED in text)


SLOTS = """\
/dev/vda3
--flatkit-cut--
      270336     1048576       3  Label: "USR-A"
                                  Type: Alias for flatcar-rootfs
                                  UUID: 7130C94A-213A-4E5A-8E26-6CCE9662F132
                                  Attr: priority=1 tries=0 successful=1
     1318912     1048576       4  Label: "USR-B"
                                  Type: Alias for flatcar-rootfs
                                  UUID: E03DD35C-7C2D-4A47-B3FE-27F15780A57C
                                  Attr: priority=0 tries=0 successful=0
"""


@pytest.mark.parametrize(
    ("raw", "ok"),
    [
        (SLOTS, True),
        (SLOTS.replace("priority=0 tries=0 successful=0", "priority=2 tries=1 successful=0"), False),
        (SLOTS.replace("/dev/vda3", "/dev/vda4"), False),
    ],
)
def test_one_slot(raw: str, ok: bool) -> None:
    assert _has_one_slot(parse_slots(raw)).ok is ok


def test_a_package_manager_is_named() -> None:
    assert _are_none(()).ok
    verdict = _are_none(("/usr/bin/dpkg",))
    assert not verdict.ok
    assert "/usr/bin/dpkg" in verdict.found
