"""The sentences of `flatkit explain` that follow Ignition's own source (coreos/ignition a5d574a8): the function beside each."""

from __future__ import annotations

import pytest

from flatkit.butane import translate
from flatkit.butane.explain import explain_text

CASES = (
    # partitionDisk: deleted only where the entry may be wiped, else the stage fails on a partition that exists.
    ("disks: [{device: /dev/b, partitions: [{number: 1, should_exist: false, wipe_partition_entry: true}]}]",
     "The disk /dev/b loses 1 partition."),
    ("disks: [{device: /dev/b, partitions: [{number: 1, should_exist: false}, {number: 2, size_mib: 1, start_mib: 9}]}]",
     "The disk /dev/b gets 1 partition and must not have 1 partition."),
    ("disks: [{device: /dev/b}]", "The disk /dev/b gets 0 partitions."),
    ("disks: [{device: /dev/b, partitions: [{number: 1, label: a}]}]", "where it differs, the boot fails."),
    # createLuks: a volume of the same key is used again, and anything else is a fault.
    ("luks: [{name: a, device: /dev/b}]", "where the key does not open what is on the device, the boot fails."),
    # createCrypttabEntries: with Clevis the key file is "none".
    ("luks: [{name: a, device: /dev/b, clevis: {tpm2: true}}]",
     "as /dev/mapper/a; Clevis opens it at every boot, and the machine keeps no key of it."),
    ("luks: [{name: a, device: /dev/b}]", "as /dev/mapper/a with a random key; the key is kept in /etc/luks"),
    # createFilesystem and mountFs: the format "none" makes and mounts nothing.
    ("filesystems: [{device: /dev/b, format: none, wipe_filesystem: true, path: /a}]",
     "The device /dev/b gets no filesystem; the one that was on it is lost.\n"),
    ("filesystems: [{device: /dev/b, format: none, path: /a}]",
     "The device /dev/b is left as it is; if a filesystem is on it, the boot fails.\n"),
    ("filesystems: [{device: /dev/b, format: ext4}]", "where another one is on the device, the boot fails"),
    # SetPermissions: on what exists, only a given mode and owner are set. removePathOnOverwrite: all below it goes.
    ("directories: [{path: /a}]", "The directory /a is made, with mode 0755, unless it exists."),
    ("directories: [{path: /a, mode: 0700}]", "The directory /a is made, with mode 0700."),
    ("directories: [{path: /a, overwrite: true}]", "with mode 0755; what is there already is deleted."),
    ("files: [{path: /a}]", "The file /a is made, empty, with mode 0644, unless it exists."),
    ("files: [{path: /a, mode: 0600}]", "The file /a is made, empty, unless it exists, and gets mode 0600."),
    ("files: [{path: /a, user: {name: core}}]", "empty, with mode 0644, unless it exists, and gets owner core."),
    # config/v3_6/translate: masked before 3.6.0, and 1.2.0-experimental becomes a newer spec.
    ("directories: [{path: /a, mode: 02775}]", "with mode 2775."),
)  # fmt: skip


@pytest.mark.parametrize(("storage", "words"), CASES)
def test_says_what_ignition_does(storage: str, words: str) -> None:
    done = translate(f"variant: flatcar\nversion: 1.2.0-experimental\nstorage: {{{storage}}}\n")
    assert done.ok, done.report
    assert words in explain_text(done)


@pytest.mark.parametrize(
    "storage",
    [
        "disks: [{device: /dev/b, wipe_table: true, partitions: [{number: 1, label: a}]}]",
        "disks: [{device: /dev/b, partitions: [{label: a}]}]",
        "disks: [{device: /dev/b, partitions: [{number: 1, wipe_partition_entry: true}]}]",
        "luks: [{name: a, device: /dev/b, wipe_volume: true}]",
        "filesystems: [{device: /dev/b, format: ext4, wipe_filesystem: true}]",
    ],
)
def test_what_may_be_wiped_fails_no_boot(storage: str) -> None:
    assert "boot fails" not in explain_text(translate(f"variant: flatcar\nversion: 1.1.0\nstorage: {{{storage}}}\n"))


def test_a_replaced_config_merges_none() -> None:
    """RenderConfig returns before it comes to `merge`."""
    config = "{replace: {source: 'https://example.com/a'}, merge: [{source: 'https://example.com/b'}]}"
    said = explain_text(translate(f"variant: flatcar\nversion: 1.1.0\nignition: {{config: {config}}}\n"))
    assert "Another config takes the place of this one: fetched from https://example.com/a." in said
    assert "merged" not in said


def test_a_failed_boot_restarts() -> None:
    """The emergency shell waits five minutes (flatcar/bootengine, 99emergency-timeout/timeout.sh)."""
    said = explain_text(translate("variant: flatcar\nversion: 1.1.0\nstorage: {directories: [{path: /usr/a}]}\n"))
    assert "after five minutes it restarts and fails again" in said
