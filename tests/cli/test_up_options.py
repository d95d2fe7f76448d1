"""`flatkit up` takes what users of flatcar_production_qemu.sh have: ports, memory, disks, keys, an Ignition file, an image."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flatkit import api
from flatkit.cli import main
from flatkit.cli.up import parser
from flatkit.errors import InputError
from flatkit.events import Observer
from flatkit.images import find_image
from flatkit.machines import Firmware, Forward, read_key_file, workshop_key
from tests.disk_headers import partitioned

PUBLIC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0example0example0example0example0exampl you@example"
OTHER = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQCexample0example0example0example0example0 other@example"


class Booted(BaseException):
    """In place of a boot: what was asked for. The command reports every Exception."""


@pytest.fixture
def asked(monkeypatch):
    """What `flatkit up` would boot."""

    def boot(config, wish, *, observer):
        raise Booted(config, wish)

    monkeypatch.setattr(api, "boot", boot)

    def ask(*words: str):
        with pytest.raises(Booted) as caught:
            main(["up", *words])
        return caught.value.args

    return ask


def test_the_scripts_letters(asked, tmp_path):
    (tmp_path / "data.img").write_bytes(b"x" * 512)
    config, wish = asked(
        "config.ign", "-p", "2222", "-f", "8080:80", "-f", "8443:443", "-M", "3072", "-d", str(tmp_path / "data.img"),
        "-d", "5", "-I", "/images/flatcar.img", "--firmware", "uefi",
    )  # fmt: skip
    assert config == "config.ign"
    assert wish == api.Wish(
        name="config", image="/images/flatcar.img", memory_mib=3072, disks_gib=(5,), disk_images=(tmp_path / "data.img",),
        forwards=(Forward(host=2222, guest=22), Forward(host=8080, guest=80), Forward(host=8443, guest=443)),
        firmware=Firmware.UEFI,
    )  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [("up", "--ssh-port", "22x"), ("console", "web", "--lines", "-1"), ("sysext", "serve", ".", "--port", "1G")],
)
def test_numbers_that_are_none_are_refused_in_words(words, capsys):
    assert main(list(words)) == 2
    told = capsys.readouterr().err
    assert (
        "is not a whole number; expected digits alone, at most 18, such as 8080" in told
        or "expected one argument" in told
    )
    assert "invalid int value" not in told


IMPOSSIBLE = [
    (["--forward", "8080:80", "--forward", "8080:81"], 'the host port "8080" is forwarded twice'),
    (["-p", "2222", "--forward", "2222:80"], 'the host port "2222" is forwarded twice'),
    (["--memory", "1"], '"1" MiB of memory cannot boot'),
    ([f"--disk={one}" for one in range(1, 40)], "extra disks were asked for"),
    (["--name", ""], '"" cannot be a machine\'s name'),
    ([""], 'the config "" has no name'),
    (["-i", ""], 'the config "" has no name'),
]


@pytest.mark.parametrize(("words", "said"), IMPOSSIBLE)
def test_what_no_machine_can_have_is_said_before_an_image_is_looked_for(words, said, monkeypatch, capsys):
    monkeypatch.setattr("flatkit.api.up.find_image", lambda *_, **__: pytest.fail("an image was looked for"))
    assert main(["up", *words]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert "Next: " in told


def test_memory_and_disks_in_units(asked):
    _, wish = asked("--memory", "1.5GiB", "--disk", "2G", "--disk", "1T")
    assert (wish.memory_mib, wish.disks_gib) == (1536, (2, 1024))


def test_the_scripts_letter_for_the_config(asked, capsys):
    assert asked("-i", "web.ign") == asked("web.ign")
    assert main(["up", "web.bu", "-i", "web.ign"]) == 2
    assert 'two configs, "web.bu" and "web.ign"' in capsys.readouterr().err


def test_a_cold_boot_is_asked_for(asked):
    assert asked("web.bu", "--cold")[1] == api.Wish(name="web", cold=True)
    assert not asked("web.bu")[1].cold


def test_a_disk_that_is_neither_size_nor_file(capsys):
    assert main(["up", "--disk", "/no/such.img"]) == 2
    assert "a size in GB, or the path of a disk image" in capsys.readouterr().err


def test_a_port_that_is_none(capsys):
    assert main(["up", "-p", "70000"]) == 2
    assert "from 1 to 65535" in capsys.readouterr().err


def test_help_names_the_script(capsys):
    assert "flatcar_production_qemu.sh" in parser().format_help()


@pytest.fixture
def keys(tmp_path) -> Path:
    (tmp_path / "id").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nx\n-----END OPENSSH PRIVATE KEY-----\n")
    (tmp_path / "id.pub").write_text(PUBLIC + "\n")
    (tmp_path / "keys").write_text(f"# mine\n{PUBLIC}\n\n{OTHER}\n")
    (tmp_path / "alone.pub").write_text(PUBLIC)
    return tmp_path


def test_a_key_file_may_be_private_or_public(keys):
    assert read_key_file(keys / "id") == (keys / "id", ())
    assert read_key_file(keys / "id.pub") == (keys / "id", ())
    assert read_key_file(keys / "keys") == (None, (PUBLIC, OTHER))
    assert read_key_file(keys / "alone.pub") == (None, (PUBLIC,))


@pytest.mark.parametrize("text", ["", "hello", "ssh-ed25519"])
def test_a_file_without_a_key(tmp_path, text):
    (tmp_path / "x").write_text(text)
    with pytest.raises(InputError, match="holds no SSH key"):
        read_key_file(tmp_path / "x")
    with pytest.raises(InputError, match="cannot be read"):
        read_key_file(tmp_path / "none")


def core_keys(wish: api.Wish, tmp_path: Path) -> list[str]:
    (tmp_path / "x.img").write_bytes(partitioned())
    spec = api.make_spec(api.NO_CONFIG, find_image(str(tmp_path / "x.img")), wish, Observer())
    (user,) = json.loads(spec.ignition)["passwd"]["users"]
    assert user["name"] == "core"
    return user["sshAuthorizedKeys"]


def test_public_keys_are_added_beside_flatkits(keys, asked, tmp_path):
    _, wish = asked("--ssh-key", str(keys / "keys"))
    assert core_keys(wish, tmp_path) == [PUBLIC, OTHER, workshop_key().public]


def test_a_private_key_takes_the_place_of_flatkits(keys, asked, tmp_path):
    _, wish = asked("-a", str(keys / "id.pub"))
    assert wish.key_file == keys / "id"
    assert core_keys(wish, tmp_path) == [PUBLIC]


def test_what_a_flatcar_image_asks_of_its_machine(tmp_path):
    from dataclasses import replace

    (tmp_path / "x.img").write_bytes(partitioned())
    image = replace(find_image(str(tmp_path / "x.img")), disk_gib=16)
    spec = api.make_spec(api.NO_CONFIG, image, api.Wish(name="x"), Observer())
    assert (spec.memory_mib, spec.disk_gib, spec.boot, spec.ssh_user) == (2048, 16, None, "core")
