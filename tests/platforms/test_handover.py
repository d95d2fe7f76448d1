"""The hand-over of a config to each platform: what is typed, whether it fits, what is offered instead."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from dataclasses import replace

import pytest
import yaml

from flatkit.butane.ignition.config import check_ignition
from flatkit.errors import UsageError
from flatkit.platforms import PLATFORMS, Fit, Payload, PlatformKind, SizeLimit, get_platform, hand_over
from flatkit.platforms.handover import NOT_RUN, fit_of, pointer_to, shortened

SMALL = Payload(file="web.bu", ignition='{"ignition":{"version":"3.3.0"}}')
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIwq2Be0bPqb9Ko6nLZ6k4bOWl9TCJkfrDXNZ7JXbq0X it's ada@example"
KEYS = [f"{KEY}-{number}-ä" for number in range(200)]
BIG = Payload(
    file="big team.bu",
    ignition=json.dumps(
        {"ignition": {"version": "3.4.0"}, "passwd": {"users": [{"name": "core", "sshAuthorizedKeys": KEYS}]}},
        separators=(",", ":"), ensure_ascii=False,
    ),
)  # fmt: skip


def text_of(name: str, payload: Payload = SMALL) -> str:
    return str(hand_over(get_platform(name), payload))


LINES = [
    ("aws", "--user-data file://web.ign"),
    ("azure", "az vm create --resource-group GROUP --name web --image IMAGE --user-data web.ign"),
    ("azure", '--custom-data "$(cat web.ign)"'),
    ("gcp", "--metadata-from-file user-data=web.ign"),
    ("digitalocean", "--user-data-file web.ign"),
    ("hetzner", "--user-data-from-file web.ign"),
    ("openstack", "--user-data web.ign web"),
    ("oracle", "--user-data-file web.ign"),
    ("scaleway", "cloud-init=@web.ign"),
    ("akamai", '--metadata.user_data "$(base64 -w0 web.ign)"'),
    ("ovh", '"post-install script"'),
    ("vmware", 'guestinfo.ignition.config.data.encoding = "base64"'),
    ("vmware", f'guestinfo.ignition.config.data = "{base64.b64encode(SMALL.ignition.encode()).decode()}"'),
    (
        "vmware",
        'ovftool --X:guest:ignition.config.data.encoding=base64 --X:guest:ignition.config.data="$(base64 -w0 web.ign)"',
    ),
    ("vmware", 'guestinfo.ignition.config.url = "https://example.com/web.ign"'),
    ("virtualbox", 'VBoxManage guestproperty set web /Ignition/Config "$(cat web.ign)"'),
    ("hyperv", "kvpctl web add-ign web.ign"),
    ("proxmox", 'qm set ID --cicustom "user=local:snippets/user-data"'),
    ("qemu", "-fw_cfg name=opt/org.flatcar-linux/config,file=web.ign"),
    ("libvirt", "<entry name='opt/org.flatcar-linux/config' file='/var/lib/libvirt/flatcar-linux/web/web.ign'/>"),
    ("libvirt", "flatkit up web.bu"),
    ("pxe", "flatcar.first_boot=1 ignition.config.url=https://example.com/web.ign"),
    ("disk", "flatcar-install -d /dev/sdX -C stable -i web.ign"),
    ("terraform", 'content = file("web.bu")'),
    ("terraform", "data.ct_config.web.rendered"),
    ("go", 'os.ReadFile("web.bu")'),
    ("capi", "format: ignition"),
]


@pytest.mark.parametrize(("name", "line"), LINES, ids=[f"{n}-{name}" for n, (name, _) in enumerate(LINES)])
def test_what_is_typed(name: str, line: str) -> None:
    assert line in text_of(name)


@pytest.mark.parametrize("name", PLATFORMS)
@pytest.mark.parametrize("payload", [SMALL, BIG], ids=["small", "big"])
def test_everything_is_filled_in_and_nothing_pretends(name: str, payload: Payload) -> None:
    done = hand_over(PLATFORMS[name], payload)
    for piece in done.pieces:
        assert not re.search(r"@(ign|ignfile|bu|name|base64|gzipbase64|json|pieces)@", piece.text)
    text = str(done)
    assert text.endswith(NOT_RUN)
    assert str(payload.size) in text
    assert ("(unverified):" in text) == any(not piece.is_verified for piece in done.pieces)


def test_the_table_names_what_the_talk_and_the_guides_name() -> None:
    kinds = {kind: {name for name, platform in PLATFORMS.items() if platform.kind is kind} for kind in PlatformKind}
    assert {"aws", "azure", "gcp", "openstack", "hetzner"} <= kinds[PlatformKind.CLOUD]
    assert {"vmware", "virtualbox", "libvirt", "qemu", "hyperv", "kubevirt", "proxmox"} == kinds[PlatformKind.VIRTUAL]
    assert {"pxe", "disk"} == kinds[PlatformKind.METAL]
    assert {"terraform", "go", "capi"} == kinds[PlatformKind.TOOL]
    names = [name for platform in PLATFORMS.values() for name in (platform.name, *platform.aliases)]
    assert len(names) == len(set(names))


def test_only_documented_limits_are_called_verified() -> None:
    verified = {name for name, platform in PLATFORMS.items() if platform.limit and platform.limit.is_verified}
    assert verified == {"virtualbox"}
    assert "16384 bytes (unverified)" in text_of("aws")


@pytest.mark.parametrize(
    ("limit", "size", "fit"),
    [(None, 10**9, Fit.NO_LIMIT), (100, 99, Fit.FITS), (100, 100, Fit.FITS), (100, 101, Fit.TOO_BIG)],
)
def test_fits(limit: int | None, size: int, fit: Fit) -> None:
    assert fit_of(None if limit is None else SizeLimit(size=limit, is_verified=True), size) is fit


def test_size_counts_bytes_and_not_letters() -> None:
    assert BIG.size == len(BIG.ignition.encode()) > len(BIG.ignition)


def test_too_big_a_config_gets_a_pointer_that_ignition_accepts_and_that_fits() -> None:
    done = hand_over(get_platform("virtualbox"), BIG)
    assert done.fit is Fit.TOO_BIG
    (offer,) = done.offers
    assert len(offer.text.encode()) <= 1024
    pointer, report = check_ignition(offer.text)
    assert pointer is not None
    assert not report.is_fatal
    (part,) = pointer["ignition"]["config"]["merge"]
    assert part["verification"]["hash"] == "sha512-" + hashlib.sha512(BIG.ignition.encode()).hexdigest()
    assert pointer["ignition"]["version"] == "3.4.0"
    assert "✗ " in str(done)
    assert pointer_to(BIG, "https://example.com/big team.ign") == offer.text


def test_packed_is_offered_where_the_platform_unpacks_it() -> None:
    packed = [piece for piece in hand_over(get_platform("vmware"), BIG).pieces if "packed" in piece.title]
    data = re.findall(r'data = "([^"]+)"', packed[0].text)[0]
    assert gzip.decompress(base64.b64decode(data)).decode() == BIG.ignition
    limited = replace(get_platform("vmware"), limit=SizeLimit(size=BIG.size - 1, is_verified=True))
    assert next(offer.title for offer in hand_over(limited, BIG).offers) == "guestinfo, packed"
    assert not [piece for piece in hand_over(get_platform("vmware"), SMALL).pieces if "packed" in piece.title]
    assert BIG.packed == BIG.packed


def test_hyperv_says_how_it_is_cut() -> None:
    sizes = [int(size) for size in re.findall(r"ignition\.config\.\d+: (\d+) bytes", text_of("hyperv", BIG))]
    assert sum(sizes) == BIG.size
    assert max(sizes) == 1024


def test_kubevirt_gets_the_very_text() -> None:
    piece = hand_over(get_platform("kubevirt"), BIG).pieces[0]
    (volume,) = yaml.safe_load(piece.text)["volumes"]
    assert volume["cloudInitConfigDrive"]["userData"] == BIG.ignition


def test_capi_is_yaml() -> None:
    assert yaml.safe_load(hand_over(get_platform("capi"), SMALL).pieces[0].text)["kind"] == "KubeadmConfigTemplate"


def test_odd_names_are_quoted() -> None:
    assert "--user-data file://'big team.ign'" in text_of("aws", BIG)
    assert "first: flatkit butane 'big team.bu' -o 'big team.ign'" in text_of("aws", BIG)
    assert "guestproperty set big-team " in text_of("virtualbox", BIG)
    ready = Payload(file="web.ign", ignition=SMALL.ignition)
    assert "first:" not in text_of("aws", ready)
    assert "first:" not in text_of("terraform")


@pytest.mark.parametrize(
    ("name", "found"),
    [("EC2", "aws"), (" vsphere ", "vmware"), ("google", "gcp"), ("tofu", "terraform"), ("ipxe", "pxe")],
)
def test_other_names_are_understood(name: str, found: str) -> None:
    assert get_platform(name).name == found


@pytest.mark.parametrize(
    ("name", "said"), [("vmwear", 'did you mean "vmware"'), ("zzz", "expected one of aws"), ("equinix", "June 2026")]
)
def test_a_name_that_is_none_is_told(name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        get_platform(name)


def test_long_words_are_cut_for_a_screen_only() -> None:
    assert shortened("a " + "b" * 500) == f"a {'b' * 120}... (500 characters)"
    assert shortened("a short one") == "a short one"
