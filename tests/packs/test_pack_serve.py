from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from room_parts import PAYLOAD, describe

from flatkit import web
from flatkit.errors import ImageError, InputError, UsageError
from flatkit.events import Observer
from flatkit.images.pack_manifest import MANIFEST, SUMS, parse_manifest
from flatkit.packs.builder import PackBuilder
from flatkit.packs.serve import Address, Instructions, parse_address, reachable_url, read_manifest, serving
from flatkit.packs.wheels import as_index
from flatkit.updates.channels import Channels
from flatkit.updates.model import PublishedRelease
from flatkit.updates.omaha import FLATCAR_APPID, AppRequest
from flatkit.updates.request_batches import UpdateRequest
from flatkit.updates.server import UpdateServer

FREE = Address(port=0)
LAB = AppRequest(
    appid=FLATCAR_APPID, version="110.2.0", track="beta", machine_id="m", is_lab=True, is_update_check=True
)


def offered(channels: Channels, track: str = "beta") -> str:
    found = channels.answer(AppRequest(**{**LAB.__dict__, "track": track}))
    return found.version if isinstance(found, PublishedRelease) else ""


def test_everything_of_a_pack_is_served_at_its_own_path(pack: Path) -> None:
    with serving(pack, FREE) as (server, _):
        for path in sorted(file for file in pack.rglob("*") if file.is_file()):
            inside = str(path.relative_to(pack))
            answer = web.get(f"{server.url}/{inside}", limit=10**6)
            assert answer.ok, inside
            if inside != "extensions/tool/SHA256SUMS":  # which the server makes of what it publishes
                assert int(answer.headers["content-length"]) == path.stat().st_size
        sums = web.get(f"{server.url}/extensions/tool/SHA256SUMS").text
        assert sums.split()[1] == "tool-1-x86-64.raw"
        assert web.get(f"{server.url}/extensions/tool-1-x86-64.raw").ok
        assert web.get(f"{server.url}/{SUMS}").text == (pack / SUMS).read_text()
        assert web.get(f"{server.url}/beta/amd64-usr/current/version.txt").text.startswith("FLATCAR_VERSION=120.1.0\n")
        assert "flatkit-0.1.0-py3-none-any.whl#sha256=" in web.get(f"{server.url}/wheels/").text
        assert web.get(f"{server.url}/wheels/").headers["content-type"].startswith("text/html")
        page = web.get(f"{server.url}/").text
        assert f"--find-links {server.url}/wheels/ flatkit" in page


def test_pip_installs_from_the_served_wheels_alone(pack: Path, tmp_path: Path) -> None:
    """The very line that seats are told, but for where it installs to."""
    with serving(pack, FREE) as (_, words):
        line = words.install.replace("~/flatkit", str(tmp_path / "seat"))
        line = line.replace("python3 -m venv --system-site-packages", f"{sys.executable} -m venv")
        env = {"PATH": "/usr/bin:/bin", "PIP_CONFIG_FILE": "/dev/null", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, env=env)
    assert "Successfully installed flatkit-0.1.0 helper-1.5" in done.stdout, done.stderr


def test_a_wheel_that_is_not_the_packed_one_is_not_served_and_pip_would_refuse_it(pack: Path, tmp_path: Path) -> None:
    wheel = pack / "wheels/helper-1.5-py3-none-any.whl"
    data = bytearray(wheel.read_bytes())
    data[40] ^= 1
    wheel.write_bytes(data)
    with pytest.raises(InputError, match="is not the file that was promised"), serving(pack, FREE):
        pass
    promised = parse_manifest((pack / MANIFEST).read_bytes()).get_file("wheels/helper-1.5-py3-none-any.whl")
    describe(pack)
    with serving(pack, FREE) as (server, words):
        server.publish_text("/wheels/", as_index({wheel.name: promised.sha256}), media_type="text/html")
        env = {"PATH": "/usr/bin:/bin", "PIP_CONFIG_FILE": "/dev/null", "PIP_NO_CACHE_DIR": "1"}
        pip = [sys.executable, "-m", "pip", "download", "--no-index", "--find-links", f"{words.url}/wheels/"]
        done = subprocess.run([*pip, "-d", tmp_path / "got", "helper"], capture_output=True, text=True, env=env)
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr


def test_a_lab_machine_is_offered_the_packs_release(pack: Path) -> None:
    with serving(pack, FREE) as (server, _):
        check = (
            '<request protocol="3.0" updaterversion="flatcar-lab-110.2.0"><app appid="{e96281a6-d1af-4bde-9a0a-97b76e56dc57}" '
            'version="110.2.0" track="beta" machineid="m" board="amd64-usr"><updatecheck/></app></request>'
        )
        (said,) = server.answer_together([UpdateRequest(data=check.encode(), host=server.url.removeprefix("http://"))])
        assert isinstance(said, bytes)
        answer = ET.fromstring(said)
        url = answer.find(".//url").get("codebase") + answer.find(".//package").get("name")
        assert web.get(url, limit=len(PAYLOAD)).text == PAYLOAD.decode(errors="replace")
        assert offered(server.channels, "stable") == ""


def test_a_promotion_outlives_the_server_and_an_old_packs_release_does_not(pack: Path, tmp_path: Path) -> None:
    store = tmp_path / "state" / "channels.json"
    with serving(pack, FREE, store=store) as (server, _):
        assert offered(server.channels) == "120.1.0"
        Channels(store=store).promote("alpha", to="beta")  # as a notebook does it
        assert offered(server.channels) == "130.0.0"
    Channels(store=store).publish(
        "stable", PublishedRelease(version="99.0.0", packages=())
    )  # of a pack that is not served any more
    with serving(pack, FREE, store=store) as (server, _):
        assert offered(server.channels) == "130.0.0"
        assert offered(server.channels, "stable") == ""
        assert [machine.machine_id for machine in server.machines] == ["m"]


def test_what_is_no_pack_is_refused(pack: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no pack") as caught, serving(tmp_path / "nowhere", FREE):
        pass
    assert caught.value.hint.startswith("flatkit room pack ")
    PackBuilder(tmp_path / "begun", observer=Observer())
    with pytest.raises(ImageError, match="is not finished"), serving(tmp_path / "begun", FREE):
        pass
    (pack / "lab/110.2.0-abc/disk.qcow2").write_text("short")
    with pytest.raises(InputError, match="has 5 bytes; expected 25600"), serving(pack, FREE):
        pass
    (pack / MANIFEST).write_text("{}")
    with pytest.raises(ImageError, match="is not understood"), serving(pack, FREE):
        pass


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1", "127.0.0.1", 8000),
        ("0.0.0.0:80", "0.0.0.0", 80),
        (":9000", "127.0.0.1", 9000),
        ("", "127.0.0.1", 8000),
        ("room.local:1", "room.local", 1),
        ("[::]:8080", "::", 8080),
        ("[::1]", "::1", 8000),
        ("::1", "::1", 8000),
        ("::", "::", 8000),
        ("127.0.0.1:0", "127.0.0.1", 0),
    ],
)
def test_addresses(text: str, host: str, port: int) -> None:
    assert parse_address(text) == Address(host=host, port=port)


@pytest.mark.parametrize("text", ["127.0.0.1:99999", "a b", "http://x", "x:", "x:y", "[::1"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(UsageError, match="is not an address to listen on"):
        parse_address(text)


def test_instructions_name_a_host_that_pip_would_not_trust() -> None:
    far = Instructions(url="http://192.168.1.5:8000", has_wheels=True)
    assert " --trusted-host 192.168.1.5 --find-links http://192.168.1.5:8000/wheels/ flatkit" in far.install
    near = Instructions(url="http://127.0.0.1:8000", has_wheels=True)
    assert "--trusted-host" not in near.install
    assert str(near).splitlines()[1:] == [f"  {near.install}", f"  {near.use}"]
    assert str(Instructions(url="http://x", has_wheels=False)).count("\n") == 1
    bound = Instructions(url="http://192.168.1.5:8000", has_wheels=True, has_bindings=True)
    assert str(bound).endswith("--find-links http://192.168.1.5:8000/wheels/ libvirt-python")
    assert "libvirt-python" in bound.page()
    assert "libvirt-python" not in far.page()


def test_the_rooms_url_is_one_that_others_can_type() -> None:
    with UpdateServer(listen="0.0.0.0") as server:
        url = reachable_url(server.url, "0.0.0.0")
        assert not url.startswith("http://0.0.0.0")
        assert url.endswith(f":{server.port}")
        assert web.get(url).ok
        assert reachable_url(server.url, "127.0.0.1") == server.url


def test_the_bench_makes_its_pack(load_tool: Callable[[str], ModuleType], tmp_path: Path) -> None:
    bench = load_tool("bench_room")
    bench.make_pack(tmp_path / "pack", 1)
    assert [(file.path, file.size) for file in read_manifest(tmp_path / "pack").files] == [(bench.NAME, 1_000_000)]
