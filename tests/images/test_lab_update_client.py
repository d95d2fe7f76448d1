"""The lab image's update client without a machine: its shell functions on answers and payloads, good and hostile ones."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab_client import PARTS, SCRIPTS, USR, client_text, shell

from flatkit.testing.updates import Fault, FaultyServer
from flatkit.updates import omaha
from flatkit.updates.payload import make_payload, read_manifest
from tests.payload_keys import make_key

pytestmark = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in ("bash", "openssl", "curl")) and not os.environ.get("CI"),
    reason="the lab image's client needs bash, curl and openssl",
)

OFFER = omaha.Offer(
    version="120.1.0",
    codebase="http://10.0.2.2:8080/amd64-usr/120.1.0/",
    packages=(omaha.Package(name="flatcar_lab_update.bin", size=123456, sha1="0" * 40, sha256="ab" * 32),),
)


@pytest.mark.skipif(
    shutil.which("shellcheck") is None and not os.environ.get("CI"), reason="shellcheck is not installed"
)
def test_shellcheck_is_content_with_the_scripts_of_the_image() -> None:
    done = subprocess.run(
        ["shellcheck", "--severity=warning", "--external-sources", *map(str, SCRIPTS)], capture_output=True, text=True
    )
    assert len(SCRIPTS) > 8
    assert done.stdout + done.stderr == ""


# Answers


def read(folder: Path, answer: bytes | str) -> dict[str, str]:
    (folder / "answer").write_bytes(answer if isinstance(answer, bytes) else answer.encode())
    script = (
        "post() { return 0; }\ncode='' reason='' offer='' offer_version='' offer_size='' offer_sha256='' offer_urls=()\n"
        "ask; printf '%s\\n' status=$? code=$code offer=$offer version=$offer_version size=$offer_size"
        ' sha256=$offer_sha256 "urls=${offer_urls[*]}"'
    )
    return dict(line.split("=", 1) for line in shell(folder, script).stdout.splitlines())


def respond(offer: omaha.Offer | None) -> bytes:
    app = omaha.AppRequest(
        appid=f"{{{omaha.FLATCAR_APPID}}}", version="1", track="beta", machine_id="m", is_update_check=True
    )
    return omaha.build_response(omaha.Request(apps=(app,)), {app.appid: offer})


def test_what_flatkits_server_answers_is_understood(tmp_path: Path) -> None:
    assert read(tmp_path, respond(OFFER)) == {
        "status": "0", "code": "", "offer": "update", "version": "120.1.0", "size": "123456", "sha256": "ab" * 32,
        "urls": "http://10.0.2.2:8080/amd64-usr/120.1.0/flatcar_lab_update.bin",
    }  # fmt: skip
    assert read(tmp_path, respond(None))["offer"] == "none"


def test_other_ways_to_write_the_same_answer(tmp_path: Path) -> None:
    text = respond(OFFER).decode().replace("\n", "\r\n").replace('"', "'").replace("<url ", "<url\n  ")
    assert read(tmp_path, text)["sha256"] == "ab" * 32
    two = text.replace("</urls>", "<url codebase='http://a/?x=1&amp;y=2'/></urls>")
    assert read(tmp_path, two)["urls"].endswith("flatcar_lab_update.bin http://a/?x=1&y=2/flatcar_lab_update.bin")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("", ""), "30"),
        (("<response", "<html"), "31"),
        (('status="ok"', 'status="maybe"'), "34"),
        (('version="120.1.0"', 'version="$(reboot)"'), "34"),
        (('name="flatcar_lab_update.bin"', 'name="../../etc/passwd"'), "34"),
        (('size="123456"', 'size="12x"'), "34"),
        ((base64.b64encode(bytes.fromhex("ab" * 32)).decode(), "AAAA"), "34"),
        (("<url ", "<uri "), "34"),
    ],
)
def test_an_answer_that_cannot_be_used_is_named(tmp_path: Path, change: tuple[str, str], code: str) -> None:
    text = respond(OFFER).decode().replace(*change) if change[0] else ""
    found = read(tmp_path, text)
    assert (found["status"], found["code"]) == ("1", code)


# Payloads


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A small payload, its key pair beside it."""
    make_key(tmp_path / "key.pem", tmp_path / "key.pub")
    (tmp_path / "part").write_bytes(bytes(64) + b"0" * 64 + os.urandom(300_000))
    make_payload(
        tmp_path / "made.bin", version="120.1.0", usr=tmp_path / "part", kernel=tmp_path / "part",
        initrd=tmp_path / "part", hash_offset=4096, root_hash="0" * 64, key=tmp_path / "key.pem",
    )  # fmt: skip
    return tmp_path / "made.bin"


def check(folder: Path, data: bytes, *, offered: str = "120.1.0") -> str:
    (folder / "payload").write_bytes(data)
    script = (
        f"key={folder}/key.pub file={folder}/payload offer_size={len(data)} offer_version={offered} code='' reason=''\n"
        'check_payload; echo "$? $code $reason"'
    )
    return shell(folder, script).stdout.splitlines()[-1]


def test_a_good_payload_is_believed(tmp_path: Path, made: Path) -> None:
    assert check(tmp_path, made.read_bytes()).startswith("0")
    assert (tmp_path / "payload").read_bytes() == made.read_bytes(), "a second try needs no server"


@pytest.mark.parametrize("at", [0, 30, 511, 520, 4000, 5000, 500_000, -1, -300])
def test_no_byte_of_a_payload_may_change(tmp_path: Path, made: Path, at: int) -> None:
    data = bytearray(made.read_bytes())
    data[at] ^= 1
    said = check(tmp_path, bytes(data))
    assert said.startswith(("1 18 ", "1 10 "))
    assert not (tmp_path / "payload").exists()


@pytest.mark.parametrize("size", [0, 1, 511, 512, 4096, 900_000])
def test_a_truncated_payload_is_refused(tmp_path: Path, made: Path, size: int) -> None:
    assert check(tmp_path, made.read_bytes()[:size]).startswith(
        "1 10 the payload is refused: it is no whole lab payload"
    )


def test_a_payload_of_another_version_or_key_is_refused(tmp_path: Path, made: Path) -> None:
    assert "and 120.1.1 was offered" in check(tmp_path, made.read_bytes(), offered="120.1.1")
    (tmp_path / "key.pem").unlink()
    make_key(tmp_path / "key.pem", tmp_path / "key.pub")
    assert check(tmp_path, made.read_bytes()).startswith("1 18 ")


@pytest.mark.parametrize(("part", "where"), [("", ""), ("usr", "slot"), ("kernel", "boot"), ("initrd", "boot")])
def test_each_part_is_compared_where_it_was_written(tmp_path: Path, made: Path, part: str, where: str) -> None:
    """A byte of the payload changes after its signature was checked, as on a disk that goes bad."""
    data = made.read_bytes()
    assert check(tmp_path, data).startswith("0")
    (tmp_path / "boot").mkdir()
    (tmp_path / "slot").write_bytes(bytes(len(data)))
    offset = {one.name: one.offset for one in read_manifest(made).parts}.get(part)
    if offset is not None:
        with (tmp_path / "payload").open("r+b") as file:
            file.seek(offset + 1000)
            file.write(bytes([data[offset + 1000] ^ 1]))
    script = (
        f"file={tmp_path}/payload boot={tmp_path}/boot other={tmp_path}/slot letter=b code='' reason=''\n"
        "blockdev() { :; }\nfree_bytes() { echo 9999999; }\nread_manifest 512 $(head -c 40 $file | cut -d ' ' -f 4)\n"
        "write_boot vmlinuz-b $KERNEL_OFFSET $KERNEL_SIZE && write_boot initrd-b $INITRD_OFFSET $INITRD_SIZE &&\n"
        '    write_sums && write_usr; echo "$? $code $reason"'
    )
    said = shell(tmp_path, script).stdout.splitlines()[-1]
    if part:
        assert said == f"1 5 what is in {tmp_path}/{where} is not what the payload's manifest says"
    else:
        written = (tmp_path / "part").read_bytes()
        assert said.startswith("0")
        assert (
            (tmp_path / "boot" / "vmlinuz-b").read_bytes() == (tmp_path / "boot" / "initrd-b").read_bytes() == written
        )
        assert (tmp_path / "slot").read_bytes() == written + bytes(len(data) - len(written))


# Downloads


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FaultyServer]:
    with FaultyServer() as running:
        (tmp_path / "served").write_bytes(os.urandom(3_000_000))
        running.publish_file("/x/file.bin", tmp_path / "served")
        yield running


def fetch(folder: Path, server: FaultyServer, *, sha256: str = "", size: int = 0) -> str:
    data = (folder / "served").read_bytes()
    found = hashlib.sha256(data).hexdigest()
    script = (
        "sleep() { command sleep 0.02; }\nsend() { :; }\ncode='' reason=''\n"
        f"offer_size={size or len(data)} offer_sha256={sha256 or found} offer_urls=({server.url}/x/file.bin)\n"
        'download; echo "$? $code $reason"'
    )
    return shell(folder, script).stdout.splitlines()[-1]


def kept(folder: Path) -> bytes | None:
    found = list(folder.glob("payload-*"))
    return found[0].read_bytes() if found else None


def test_a_download_goes_on_where_it_stopped(tmp_path: Path, server: FaultyServer) -> None:
    server.inject(Fault(path="file.bin", truncate_after=1_000_000, times=2))
    assert fetch(tmp_path, server).startswith("0")
    assert kept(tmp_path) == (tmp_path / "served").read_bytes()
    assert len(server.requested) == 3
    assert fetch(tmp_path, server).startswith("0")  # it is there: nothing is asked
    assert len(server.requested) == 3


def test_a_part_outlives_a_lost_server(tmp_path: Path, server: FaultyServer) -> None:
    whole = (tmp_path / "served").read_bytes()
    name = f"payload-{hashlib.sha256(whole).hexdigest()[:16]}"
    (tmp_path / name).write_bytes(whole[:1_000_000])
    (tmp_path / f"payload-{'0' * 16}").write_bytes(b"of another update")
    server.inject(Fault(path="file.bin", status=503, times=3))
    assert fetch(tmp_path, server).startswith("1 9 downloading")
    assert kept(tmp_path) == whole[:1_000_000]
    assert fetch(tmp_path, server).startswith("0")
    assert kept(tmp_path) == whole
    assert [path.name for path in tmp_path.glob("payload-*")] == [name]


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Port 9 of this host, where nobody answers."""
    script = (
        "sleep() { command sleep 0.02; }\nsend() { :; }\ncode='' reason=''\n"
        f'offer_size=1000 offer_sha256={"1" * 64} offer_urls=(http://127.0.0.1:9/file.bin)\ndownload; echo "$code $reason"'
    )
    said = shell(tmp_path, script).stdout.splitlines()[-1]
    assert said.startswith("9 downloading http://127.0.0.1:9/file.bin failed after 0 of 1000 bytes: ")
    assert "connect" in said


def test_a_file_that_is_shorter_than_was_promised_is_not_fetched_again_and_again(
    tmp_path: Path, server: FaultyServer
) -> None:
    assert fetch(tmp_path, server, size=3_000_001).startswith("1 9 downloading")
    assert len(server.requested) in {3, 4}, (
        "curl calls a range behind the end an error or not, which depends on its version"
    )


def test_changed_bytes_are_thrown_away(tmp_path: Path, server: FaultyServer) -> None:
    server.inject(Fault(path="file.bin", flip_byte=2_000_000))
    assert "another SHA-256" in fetch(tmp_path, server)
    assert kept(tmp_path) is None
    assert fetch(tmp_path, server).startswith("0")


def test_settings_are_read_as_written(tmp_path: Path) -> None:
    assert shell(tmp_path, "conf NO_SUCH_KEY").stdout == ""
    assert shell(tmp_path, "escaped 'a<b>&\"c\"'").stdout == "a&lt;b&gt;&amp;&quot;c&quot;\n"


def test_no_two_parts_of_the_daemon_have_a_function_of_the_same_name() -> None:
    scripts = (USR / "lib/flatcar/update-engine", USR / "lib/flatcar/gpt.sh", *PARTS.glob("*.sh"))
    names = [name for path in scripts for name in re.findall(r"^(\w+)\(\)", path.read_text(), re.MULTILINE)]
    assert len(names) > 30
    assert len(names) == len(set(names))


@pytest.mark.parametrize("first", ["", "c", "chec", "check\n"])
def test_a_request_that_comes_as_the_wait_ends_is_taken_whole(tmp_path: Path, first: str) -> None:
    """What bash has read when the time is over stays in the variable; the rest of the word is still in the FIFO."""
    rest = "check\n".removeprefix(first)
    done = shell(
        tmp_path,
        f"mkfifo {tmp_path}/fifo; exec 3<>{tmp_path}/fifo\n"
        f"( printf %s '{first}' >&3; sleep 0.5; printf %s '{rest}' >&3 ) &\n"
        "await 0.25 || await 5; echo $verb; await 0.1 || echo nothing more",
    )
    assert done.stdout == "check\nnothing more\n"


def test_a_word_to_a_daemon_that_is_not_up_yet_leaves_no_file(tmp_path: Path) -> None:
    """A plain file in the FIFO's place would be what the daemon reads from then on, the same word again and again."""
    assert shell(tmp_path, "tell $run/requests check").returncode == 1
    client = client_text(tmp_path)
    done = subprocess.run(
        ["bash", "-c", client, "client", "-check_for_update"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1
    assert "update-engine.service does not run: sudo systemctl start update-engine" in done.stderr
    assert list(tmp_path.iterdir()) == []
    os.mkfifo(tmp_path / "requests")
    assert shell(tmp_path, "tell $run/requests check").returncode == 1  # nobody reads
    assert shell(tmp_path, "exec 3<>$run/requests; tell $run/requests check; await 1; echo $verb").stdout == "check\n"


def test_times_go_by_the_boot_and_not_by_the_time_of_day(tmp_path: Path) -> None:
    since_boot = int(float(Path("/proc/uptime").read_text().split()[0]))
    assert since_boot <= int(shell(tmp_path, "clock; echo $now").stdout) <= since_boot + 60
    assert [path.name for path in SCRIPTS if re.search(r"\bSECONDS\b", re.sub(r"(?m)^#.*", "", path.read_text()))] == []
