"""The facade's words: a failed boot is led back to the person's line, a config that locks everyone out is told before."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from flatkit import api
from flatkit.api import up
from flatkit.errors import BootFailed, InputError
from flatkit.events import Said, Tape
from flatkit.images.image import Image, ImageKind
from flatkit.images.releases import find_version

sys.path.insert(0, str(Path(__file__).parent / "machines"))
from console_files import texts

TEXT = """variant: flatcar
version: 1.0.0
storage:
  files:
    - path: /etc/motto
      contents:
        source: http://10.0.2.2:35153/missing
"""


class Console:
    """Stands for a machine that was kept after a failed boot."""

    def __init__(self, name: str) -> None:
        self._lines = texts(name)

    def console_tail(self, lines: int) -> list[str]:
        return self._lines[-lines:]


def test_a_failed_boot_names_the_line_of_the_butane_text() -> None:
    # The address of the recorded console, in the config's own place for it.
    address = next(line.split("GET ")[1].split(": ")[0] for line in texts("lab-url") if "GET http" in line)
    config = api.parse_config(TEXT.replace("http://10.0.2.2:35153/missing", address), name="web.bu")
    error = up._with_place(BootFailed("it failed", hint="next", details="raw"), Console("lab-url"), config)
    assert str(error) == f'it failed. It comes from "web.bu", line 7: source: {address}\n  Next: next'
    assert error.details == "raw"


def test_a_failed_boot_that_the_config_is_not_to_blame_for_stays_as_it_is() -> None:
    config = api.parse_config(TEXT, name="web.bu")
    error = BootFailed("it failed")
    assert up._with_place(error, Console("lab-root"), config) is error


def test_a_null_of_an_ignition_config_is_read_as_absent() -> None:
    text = '{"ignition": {"version": "3.3.0"}, "passwd": {"users": null}, "storage": {"files": null}, "systemd": null}'
    image = Image(kind=ImageKind.FLATCAR, label="x", disk=Path("/d"), disk_format="raw", why="")
    tape = Tape()
    api.make_spec(api.parse_config(text, name="a.ign"), image, api.Wish(name="a"), tape)
    assert any("lets nobody log in" in event.text for event in tape.events if isinstance(event, Said))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "flatkit adds a login key of its own for the user core. The config lets nobody log in: before you use it"),
        (
            "systemd:\n  units:\n    - name: sshd.socket\n      mask: true\n",
            'config: nobody will be able to log in: the SSH server\'s "sshd.socket" is masked (line 6)',
        ),
        (
            "systemd: {units: [{name: sshd.socket, contents: '[Socket]\n\n  ListenStream=2222'}]}\n",
            "config: SSH listens on 2222, not on port 22: flatkit connects to port 22 alone",
        ),
        (
            "storage:\n  files:\n    - path: /usr/local/a\n      contents: {inline: a}\n",
            'config: Flatcar: "/usr" is the read-only image: Ignition cannot write /usr/local/a',
        ),
        (
            "kernel_arguments:\n  should_exist: [quiet]\n",
            'config: the kernel argument "quiet" silences the console',
        ),
    ],
)
def test_who_cannot_log_in_is_told_before_the_boot(text: str, said: str) -> None:
    config = api.parse_config(f"variant: flatcar\nversion: 1.1.0\n{text}", name="web.bu")
    tape = Tape()
    image = Image(kind=ImageKind.FLATCAR, label="x", disk=Path("/d"), disk_format="raw", why="")
    api.make_spec(config, image, api.Wish(name="web"), tape)
    assert any(event.text.startswith(said) for event in tape.events if isinstance(event, Said))


@pytest.mark.parametrize(
    ("arch", "host", "expected"),
    [("arm64", "x86_64", "aarch64"), ("", "aarch64", "aarch64"), ("amd64", "aarch64", "x86_64")],
)
def test_a_machine_is_of_its_images_kind(monkeypatch: pytest.MonkeyPatch, arch: str, host: str, expected: str) -> None:
    monkeypatch.setattr("platform.machine", lambda: host)
    image = Image(kind=ImageKind.FLATCAR, label="x", disk=Path("/d"), disk_format="raw", why="", arch=arch)
    spec = api.make_spec(api.NO_CONFIG, image, api.Wish(name="web"), Tape())
    assert str(spec.arch) == expected


HEAD = "variant: flatcar\nversion: 1.1.0\n"
RAID = HEAD + "storage:\n  raid:\n    - name: data\n      level: raid1\n      devices: [/dev/vdb, /dev/vdc]\n"
LUKS = HEAD + "storage:\n  luks:\n    - name: root\n      device: /dev/disk/by-partlabel/ROOT\n"
CLEVIS = {
    "ignition": {"version": "3.3.0"},
    "storage": {"luks": [{"name": "vault", "device": "/dev/vda", "clevis": {"tpm2": True}}]},
}
ROOT = (
    HEAD
    + "storage:\n  filesystems:\n    - device: /dev/disk/by-label/ROOT\n      format: {}\n      wipe_filesystem: true\n"
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (RAID, r'the RAID "data": it has no mdadm \("web.bu", line 5\)'),
        (LUKS, r'LUKS below the root file system: it opens other disks only \("web.bu", line 6\)'),
        (json.dumps(CLEVIS), r'clevis for the disk "vault": it has no clevis \(\$.storage.luks.0.clevis\)'),
        (ROOT.format("btrfs"), r'"btrfs" as the root file system: it has ext4 \("web.bu", line 6\)'),
    ],
)
def test_what_the_lab_image_cannot_do_is_refused_before_boot_with_its_line(
    tmp_path: Path, text: str, words: str
) -> None:
    config = api.parse_config(text, name="web.ign" if text.startswith("{") else "web.bu")
    for kind in ImageKind:
        image = Image(
            kind=kind, label="x", version="1", disk=tmp_path, disk_format="qcow2", why="", ignition_spec=(3, 4, 0)
        )
        if kind is ImageKind.LAB:
            with pytest.raises(InputError, match=words) as caught:
                api.make_spec(config, image, api.Wish(name="web"), Tape())
            assert "flatkit up --image stable" in caught.value.hint
        else:
            assert api.make_spec(config, image, api.Wish(name="web"), Tape()).ignition


@pytest.mark.parametrize(("version", "is_fine"), [("3602.2.2", False), ("3912.2.0", False), ("3913.0.0", True)])
def test_clevis_is_refused_for_releases_without_it(tmp_path: Path, version: str, is_fine: bool) -> None:
    text = (
        "variant: flatcar\nversion: 1.2.0-experimental\nstorage:\n  luks:\n    - name: vault\n"
        "      device: /dev/disk/by-label/x\n      clevis: {tpm2: true}\n"
    )
    config = api.parse_config(text, name="web.bu")
    assert any("1.2.0-experimental is experimental" in warning for warning in config.warnings)
    spec = find_version(version).ignition_spec
    image = Image(
        kind=ImageKind.FLATCAR,
        label="x",
        version=version,
        disk=tmp_path,
        disk_format="qcow2",
        why="",
        ignition_spec=spec,
    )
    if is_fine:
        made = json.loads(api.make_spec(config, image, api.Wish(name="web"), Tape()).ignition)
        assert made["ignition"]["version"] == "3.4.0"
        return
    with pytest.raises(
        InputError, match=r'clevis for the disk "vault": it has no clevis \("web.bu", line 7\)'
    ) as caught:
        api.make_spec(config, image, api.Wish(name="web"), Tape())
    assert "boot Flatcar 3913 or newer" in caught.value.hint


QUADLET = """\
variant: flatcar
version: 1.2.0-experimental
systemd: {quadlets: [{name: web.container, rootful: true, contents: "[Container]"}]}
"""
WITH_PODMAN = QUADLET + "storage: {files: [{path: /etc/flatcar/enabled-sysext.conf, contents: {inline: podman}}]}\n"


@pytest.mark.parametrize(("text", "warns"), [(QUADLET, True), (WITH_PODMAN, False)])
def test_a_quadlet_on_an_image_without_podman_is_told_before_boot(tmp_path: Path, text: str, warns: bool) -> None:
    tape = Tape()
    image = Image(
        kind=ImageKind.LAB, label="x", version="1", disk=tmp_path, disk_format="qcow2", why="", ignition_spec=(3, 3, 0)
    )
    made = api.make_spec(api.parse_config(text, name="web.bu"), image, api.Wish(name="web"), tape)
    assert json.loads(made.ignition)["ignition"]["version"] == "3.3.0"
    said = " ".join(event.text for event in tape.events if isinstance(event, Said))
    assert ('"/etc/containers/systemd/web.container" is a quadlet' in said) is warns
    assert "1.2.0-experimental is experimental" in said
    assert "handed over as Ignition 3.3.0" in said


def test_what_the_lab_image_can_do_is_not_refused(tmp_path: Path) -> None:
    image = Image(
        kind=ImageKind.LAB, label="x", version="1", disk=tmp_path, disk_format="qcow2", why="", ignition_spec=(3, 3, 0)
    )
    examples = Path(__file__).parents[1] / "examples"
    kernel_arguments = HEAD + "kernel_arguments:\n  should_exist:\n    - quiet\n"
    texts = [(examples / name).read_text() for name in ("storage.bu", "sealed-disk.bu")]
    for text in (ROOT.format("ext4"), kernel_arguments, *texts):
        config = api.parse_config(text, name="web.bu")
        assert api.make_spec(config, image, api.Wish(name="web", disks_gib=(1,)), Tape()).ignition


def test_a_disk_that_the_machine_will_not_have_is_told_before_boot_with_its_line(tmp_path: Path) -> None:
    config = api.read_config(Path(__file__).parents[1] / "examples/storage.bu")
    image = Image(kind=ImageKind.FLATCAR, label="x", disk=tmp_path, disk_format="raw", why="")
    words = r'a disk that the machine does not have \(0 extra ones\): "/dev/vdb" \(".*storage.bu", line 6\)'
    with pytest.raises(InputError, match=words) as caught:
        api.make_spec(config, image, api.Wish(name="web"), Tape())
    assert "--disk 1" in caught.value.hint
    assert api.make_spec(config, image, api.Wish(name="web", disk_images=(tmp_path,)), Tape()).ignition
