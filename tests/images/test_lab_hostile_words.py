"""The lab image's scripts on words from outside: a hostile update server, hostile GPT names, kernel arguments, grub.cfg lines."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from lab_client import SCRIPTS, USR, shell
from test_lab_update_client import OFFER, read, respond

from flatkit.images.lab import recipe

pytestmark = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in ("bash", "openssl", "curl")) and not os.environ.get("CI"),
    reason="the lab image's client needs bash, curl and openssl",
)
INITRD = recipe.files() / "initrd"


@contextmanager
def answering(answer: Callable[[socket.socket, str], None]) -> Iterator[str]:
    """An HTTP server that hands each connection with its request to `answer`; its URL."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, suppress(OSError):
                    request = b""
                    while b"\r\n\r\n" not in request and (data := connection.recv(65536)):
                        request += data
                    answer(connection, request.decode(errors="replace"))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(120)


def download(folder: Path, url: str, *, size: int, sha256: str = "a" * 64, before: str = "") -> str:
    """What `download` says of this URL: status, code, reason."""
    script = (
        f"send() {{ :; }}\npause() {{ :; }}\ncode='' reason=''\n{before}\n"
        f"offer_size={size} offer_sha256={sha256} offer_urls=({shlex.quote(url)})\n"
        'download; echo "$? $code $reason"'
    )
    return shell(folder, script).stdout.splitlines()[-1]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*")}


# What an answer names

OPTIONS = (
    "-K/var/lib/update_engine/payload-aaaaaaaaaaaaaaaa", "-o/etc/passwd", "--output=/etc/passwd", "-Tx", "@/etc/passwd",
    "file:///etc/shadow", "FILE:///etc/shadow", "dict://127.0.0.1:11211/stat", "gopher://127.0.0.1/_x", "scp://h/x", "ftp://h/x",
    "http://127.0.0.1:[1-9999999]/x", "http://h/{a,b,c}/x", "http://h/ -K/etc/passwd", "http://-oh/", "http://", "//h/x", "h/x",
    "http://h/x\\y", "http://h/`id`", "http://h/\x1b[2J", "https://h/\u00a0", f"http://h/{'a' * 3000}",
)  # fmt: skip


@pytest.mark.parametrize("codebase", OPTIONS)
def test_no_url_of_an_answer_is_an_option_a_pattern_or_another_protocol(tmp_path: Path, codebase: str) -> None:
    offered = respond(OFFER).decode().replace(OFFER.codebase, codebase)
    found = read(tmp_path, offered)
    assert (found["status"], found["code"]) == ("1", "34")


@pytest.mark.parametrize("url", OPTIONS)
def test_curl_is_never_given_a_word_that_is_no_url(tmp_path: Path, url: str) -> None:
    """Also where a check of the answer were missing: the door to curl itself refuses it."""
    script = f"curl() {{ touch {tmp_path}/was-called; }}\nget {shlex.quote(url)} --fail"
    assert shell(tmp_path, script).returncode == 3
    assert not (tmp_path / "was-called").exists()
    said = shell(tmp_path, f"code='' reason='' server={shlex.quote(url)}\npost x; echo $code").stdout.splitlines()
    assert said[-1] == "37"


def test_a_config_file_for_curl_in_a_url_writes_nothing(tmp_path: Path) -> None:
    """The attack that was: an URL of `-K...` made curl read its options from what the server had sent before."""
    config = tmp_path / "config"
    config.write_text(f"url = file:///etc/hostname\noutput = {tmp_path}/written\n")
    said = download(tmp_path, f"-K{config}", size=1000)
    assert said.startswith("1 9 ")
    assert "written" not in names(tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('version="120.1.0"', f'version="{"1" * 65}"'),
        ('version="120.1.0"', 'version="-K/etc/x"'),
        ('version="120.1.0"', 'version="../1"'),
        ('name="flatcar_lab_update.bin"', 'name="-o"'),
        ('name="flatcar_lab_update.bin"', 'name=".."'),
        ('name="flatcar_lab_update.bin"', 'name="a&amp;#10;b"'),
        ('name="flatcar_lab_update.bin"', f'name="{"a" * 129}"'),
        ('size="123456"', 'size="0123"'),
        ('size="123456"', 'size="a[$(touch x)]"'),
        ('size="123456"', 'size="-1"'),
        ('size="123456"', f'size="{"9" * 13}"'),
        ('size="123456"', 'size="٣"'),
        ("=", "=&#10;"),
    ],
)
def test_no_value_of_an_answer_is_used_before_it_is_checked(tmp_path: Path, old: str, new: str) -> None:
    text = respond(OFFER).decode()
    found = read(
        tmp_path, text.replace(old, new) if old != "=" else re.sub(r'sha256="([^"]*)="', r'sha256="\1&#61;"', text)
    )
    assert (found["status"], found["code"]) == ("1", "34")


def test_more_after_a_sha256_is_refused(tmp_path: Path) -> None:
    """base64 stops at what it does not know, and what it has written until then has the right length."""
    text = re.sub(r'sha256="([^"]*)"', r'sha256="\1 ../x"', respond(OFFER).decode())
    assert read(tmp_path, text)["code"] == "34"


def test_an_answer_with_very_many_urls_is_read_at_once(tmp_path: Path) -> None:
    url = '<url codebase="http://h/"></url>'
    text = respond(OFFER).decode().replace("<urls>", "<urls>" + url * (60_000 // len(url)))
    assert len(read(tmp_path, text)["urls"].split()) == 8


def test_a_servers_words_cannot_drive_a_terminal(tmp_path: Path) -> None:
    text = respond(OFFER).decode().replace('status="ok"', 'status="\x1b]0;title\x07&#27;\x9b31m"')
    (tmp_path / "answer").write_text(text)
    said = shell(tmp_path, "post() { return 0; }\nask x; printf '%s' \"$reason\"").stdout
    assert "update check status" in said
    assert said.isprintable()
    assert said.isascii()


# What a server sends


@pytest.mark.parametrize("length", ["", "Content-Length: 100000000\r\n"])
def test_an_answer_without_end_is_cut_off(tmp_path: Path, length: str) -> None:
    def answer(connection: socket.socket, _request: str) -> None:
        connection.sendall(f"HTTP/1.1 200 OK\r\n{length}\r\n".encode())
        for _ in range(200):
            connection.sendall(b"<response>" * 10_000)

    with answering(answer) as url:
        said = shell(tmp_path, f"code='' reason='' server={url}\npost x; echo \"$? $code\"").stdout.splitlines()[-1]
    assert said == "1 2000"
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 2 * 65536


@pytest.mark.parametrize("length", ["", "Content-Length: 50000000\r\n"])
def test_no_more_is_written_than_was_promised(tmp_path: Path, length: str) -> None:
    largest = 0

    def answer(connection: socket.socket, _request: str) -> None:
        nonlocal largest
        connection.sendall(f"HTTP/1.1 200 OK\r\n{length}\r\n".encode())
        for _ in range(500):
            connection.sendall(bytes(100_000))
            largest = max(largest, *(path.stat().st_size for path in tmp_path.glob("payload-*")), 0)

    with answering(answer) as url:
        said = download(tmp_path, f"{url}/x", size=100_000)
    assert said == "1 10 the payload is larger than the 100000 bytes that were promised"
    assert largest <= 100_001
    assert not list(tmp_path.glob("payload-*"))


def test_a_server_without_ranges_is_asked_anew_once(tmp_path: Path) -> None:
    """A download that goes on gets the whole file once more; one that always breaks off does not go on for ever."""
    data = os.urandom(200_000)
    asked = 0

    def answer(connection: socket.socket, _request: str) -> None:
        nonlocal asked
        asked += 1
        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(data)}\r\n\r\n".encode())
        connection.sendall(data if asked == 3 else data[:100_000])

    def always_broken(connection: socket.socket, _request: str) -> None:
        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(data)}\r\n\r\n".encode())
        connection.sendall(data[:100_000])

    digest = hashlib.sha256(data).hexdigest()
    with answering(answer) as url:
        assert download(tmp_path, f"{url}/x", size=len(data), sha256=digest).startswith("0")
    assert [path.read_bytes() for path in tmp_path.glob("payload-*")] == [data]
    with answering(always_broken) as url:
        assert download(tmp_path, f"{url}/x", size=len(data), sha256="b" * 64).startswith("1 ")


def test_only_what_is_verified_has_the_payloads_name(tmp_path: Path) -> None:
    data = os.urandom(300_000)
    digest = hashlib.sha256(data).hexdigest()

    def answer(connection: socket.socket, _request: str) -> None:
        connection.sendall(f"HTTP/1.1 206 Partial Content\r\nContent-Length: {len(data)}\r\n\r\n".encode())
        connection.sendall(data[:200_000])

    with answering(answer) as url:
        assert download(tmp_path, f"{url}/x", size=len(data), sha256=digest).startswith("1 ")
    assert not (tmp_path / f"payload-{digest[:16]}").exists()


def test_a_download_ends(tmp_path: Path) -> None:
    """A server that sends a byte now and then, quicker than curl's own limit, is left when the time is over."""

    def answer(connection: socket.socket, _request: str) -> None:
        connection.sendall(b"HTTP/1.1 206 Partial Content\r\nContent-Length: 100000000\r\n\r\n")
        while True:
            connection.sendall(b"x" * 5000)
            threading.Event().wait(0.2)

    with answering(answer) as url:
        said = download(tmp_path, f"{url}/x", size=100_000_000, before="download_seconds=3")
    assert said.startswith("1 9 ")


def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")

    def answer(connection: socket.socket, _request: str) -> None:
        connection.sendall(
            f"HTTP/1.1 302 Found\r\nLocation: file://{tmp_path}/secret\r\nContent-Length: 0\r\n\r\n".encode()
        )

    with answering(answer) as url:
        assert download(tmp_path, f"{url}/x", size=6).startswith("1 ")
        said = shell(
            tmp_path, f"code='' reason='' server={url}\npost x; echo $code; cat $run/answer 2>/dev/null"
        ).stdout
    assert said.splitlines() == ["2302"]


@pytest.mark.parametrize(
    "numbers",
    [
        "0400 4096 256",
        "400 a[$(touch${IFS}x)] 256",
        "400 4096 -1",
        "400  256",
        "400 4096 256 1",
        "9999 4096 256",
        "400 04096 0256",
    ],
)
def test_no_number_of_a_payloads_header_is_computed_with_before_it_is_checked(tmp_path: Path, numbers: str) -> None:
    data = f"FLATKIT-LAB-PAYLOAD 1 512 {numbers}\n".encode().ljust(4352, b"\0")
    (tmp_path / "payload").write_bytes(data)
    script = (
        f"cd {tmp_path}\nkey=/none file={tmp_path}/payload offer_size=4352 code='' reason=''\n"
        'check_payload; echo "$code $reason"'
    )
    assert "no whole lab payload" in shell(tmp_path, script).stdout
    assert names(tmp_path) == set()


# flatcar-update


def update_script(tmp_path: Path, server: str, *words: str) -> subprocess.CompletedProcess[str]:
    """flatcar-update with its folders below `tmp_path`, without the machine around it and without servers of its own."""
    text = (USR / "bin/flatcar-update").read_text()
    text = text.replace("/var/tmp/", f"{tmp_path}/").replace("/etc/flatcar/", f"{tmp_path}/")
    text = text.replace("/usr/share/flatcar/enabled-sysext.conf", f"{tmp_path}/of-the-image.conf")
    (tmp_path / "update.conf").write_text(f"GROUP=stable\nSERVER={server}\n")
    begin = (
        "id() { echo 0; }\nsystemctl() { :; }\nsleep() { :; }\nss() { :; }\nsocat() { :; }\n"
        f'update_engine_client() {{ [ "$1" != -update ] || {{ touch {tmp_path}/asked; grep SERVER= "$conf" >{tmp_path}/asked; }};'
        f" [ ! -e {tmp_path}/asked ] || echo CURRENT_OP=UPDATE_STATUS_UPDATED_NEED_REBOOT; }}\n"
    )
    text = text.replace("set -euo pipefail\n", f"set -euo pipefail\n{begin}", 1)
    text = text.replace("/usr/share/flatcar/release", f"{tmp_path}/release").replace("$payload_max 7200", "100000 10")
    (tmp_path / "release").write_text("FLATCAR_RELEASE_BOARD=amd64-usr\n")
    return subprocess.run(
        ["bash", "-c", text, "flatcar-update", "-V", "120.1.0", *words], capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize("server", ["-K/x", "file:///etc", "ftp://h/", "h", "http://h/a b", "scp://h/"])
def test_flatcar_update_asks_http_servers_alone(tmp_path: Path, server: str) -> None:
    done = update_script(tmp_path, server)
    assert done.returncode == 1
    assert "is not an http or https URL" in done.stderr
    assert f"SERVER={server}\n" in (tmp_path / "update.conf").read_text()


@pytest.mark.parametrize("case", ["good", "endless", "other sum", "no sum"])
def test_flatcar_update_believes_what_fits_its_sum(tmp_path: Path, case: str) -> None:
    data = os.urandom(50_000)

    def answer(connection: socket.socket, request: str) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        if ".sha256" in request:
            sums = {"no sum": "-K/etc/x", "other sum": "0" * 64}
            connection.sendall(sums.get(case, hashlib.sha256(data).hexdigest()).encode() + b"  name\n")
        else:
            for _ in range(1000 if case == "endless" else 1):
                connection.sendall(data)

    with answering(answer) as url:
        done = update_script(tmp_path, f"{url}/v1/update/")
    good = case == "good"
    assert (done.returncode == 0) is good, done.stderr
    assert (tmp_path / "asked").exists() is good
    # Flatcar's trap: a download that failed leaves the server of the script's own.
    left = f"SERVER={url}/v1/update/" if good else "SERVER=http://localhost:9090/update"
    assert (tmp_path / "update.conf").read_text().splitlines() == ["GROUP=stable", left]
    assert (tmp_path / "flatcar-update").exists() is not good


WANTS = "Error: system requires '{}' Flatcar extension but not passed in --extension\n"


@pytest.mark.parametrize(
    ("machine", "image", "extensions", "missing"),
    [
        ("", "", (), ""),
        ("podman\n", "", (), "podman"),
        ("# podman\n", "", (), ""),
        (" podman # mine\nzfs", "", ("flatcar-podman.gz",), "zfs"),
        ("podman\nzfs\n", "", ("flatcar-zfs.gz", "flatcar-podman.gz"), ""),
        ("podman\n", "", ("flatcar_test_update-flatcar-podman.gz",), ""),
        ("podman\n", "", ("flatcar-podmanx.gz",), "podman"),
        ("podman\n", "", ("xflatcar-podman.gz.gz", "flatcar-x-flatcar-podman.gz"), None),
        ("", "zfs\n", (), "zfs"),
        ("-zfs\n", "zfs\n", (), ""),
        ("-zf\n", "zfs\n", (), "zfs"),
        ("-podman\npodman\n", "", (), ""),
    ],
)
def test_flatcar_update_asks_for_the_enabled_extensions(
    tmp_path: Path, machine: str, image: str, extensions: tuple[str, ...], missing: str | None
) -> None:
    """With a payload of one's own, as Flatcar's script does before it asks for root (flatcar/init 3298243)."""
    for name, text in (("enabled-sysext.conf", machine), ("of-the-image.conf", image)):
        (tmp_path / name).write_text(text)
    (tmp_path / "payload").write_bytes(b"x")
    words = [word for name in extensions for word in ("-E", str(tmp_path / name))]
    done = update_script(tmp_path, "http://127.0.0.1:9/", "-P", str(tmp_path / "payload"), *words)
    if missing is None:
        assert "--extension expects paths" in done.stderr
    else:
        assert (done.stderr.endswith(WANTS.format(missing))) is bool(missing)
        assert (done.returncode == 0) is not missing, done.stderr


def test_no_other_user_can_prepare_the_folder_of_flatcar_update(tmp_path: Path) -> None:
    """A link under a name that is known beforehand, in a folder that everybody writes to."""
    (tmp_path / "target").mkdir()
    (tmp_path / "flatcar-update").symlink_to(tmp_path / "target")
    (tmp_path / "payload").write_bytes(b"x")
    done = update_script(tmp_path, "http://127.0.0.1:9/", "-P", str(tmp_path / "payload"))
    assert "belongs to another user" in done.stderr
    assert list((tmp_path / "target").iterdir()) == []


# Slots, kernel arguments, grub.cfg

DUMP = """label: gpt
/dev/vda3 : start= 1, size= 1, type=5DFBF5F4-2848-4BAC-AA5E-0D9A20B745A6, uuid=A, name="USR-A GUID:48,49,50,51", attrs="GUID:48,56"
/dev/vda4 : start= 1, size= 1, type=5DFBF5F4-2848-4BAC-AA5E-0D9A20B745A6, uuid=B, name="USR-B attrs=\\x22GUID:48,49,50,51,56"
/dev/vda9 : start= 1, size= 1, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, uuid=C, name="type=5DFBF5F4-2848-4BAC-AA5E-0D9A20B745A6", attrs="GUID:48,49,50,51,56"
"""  # noqa: E501


@pytest.mark.parametrize("shell_name", ["sh", "bash"])
def test_a_partitions_name_is_neither_its_type_nor_its_bits(shell_name: str) -> None:
    """For the selector; what cgpt makes of such names is in test_lab_cgpt.py."""
    text = f'sfdisk() {{ [ "$1" != --dump ] && echo "wrote $*" >&2 || cat <<\'DUMP\'\n{DUMP}DUMP\n}}\n'
    text += (USR / "lib/flatcar/gpt.sh").read_text() + "gpt_slots /dev/vda"
    done = subprocess.run([shell_name, "-c", text], capture_output=True, text=True, timeout=120)
    assert done.stdout == "3 1 0 1\n4 0 0 0\n"


GRUB = [
    ('set linux_append="a=1 b"', "a=1 b"),
    ('set linux_append="a"\nset linux_append="$linux_append b"\nset linux_append="$linux_append c"', "a b c"),
    ('set linux_append="a"; touch x; y="b"', ""),
    ('set linux_append="a"\nset linux_append="`touch x`"', "a"),
    ('set linux_append="$(touch x)"', ""),
    ('set linux_append="${x:=$(touch x)}"', ""),
    ('set linux_append="*"', "*"),
    ('set linux_append="a\\"', ""),
    ('set linux_append="', ""),
    ('set other="a"\nlinux_append="b"\n set linux_append="c"', "c"),
    ('set linux_append="no newline at the end"', "no newline at the end"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), GRUB)
def test_a_line_of_grub_cfg_is_never_a_command(tmp_path: Path, text: str, expected: str) -> None:
    """The selector's function, by dash here and by busybox there."""
    function = re.search(r"^append_of\(\) \{\n.*?^\}\n", (INITRD / "selector").read_text(), re.MULTILINE | re.DOTALL)
    assert function
    (tmp_path / "grub.cfg").write_text(text)
    script = f"say() {{ :; }}\n{function[0]}append_of grub.cfg; printf '%s' \"$linux_append\""
    done = subprocess.run(["dash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.stdout == expected
    assert names(tmp_path) == {"grub.cfg"}


def test_no_script_of_the_image_evaluates_text() -> None:
    """`eval` may stand where getopt has quoted the words, and nowhere else; curl is called through its doors alone."""
    texts = {path: path.read_text() for path in [*SCRIPTS, *(INITRD.glob("*"))]}
    lines = [(path.name, line.strip()) for path, text in texts.items() for line in text.splitlines()]
    code = [(name, line) for name, line in lines if not line.startswith("#")]
    assert [entry for entry in code if re.search(r"\beval\b", entry[1])] == [
        ("flatcar-reset", 'eval set -- "$options"'),
        ("flatcar-update", 'eval set -- "$options"'),
    ]
    assert sorted(name for name, line in code if re.search(r"\bcurl -", line)) == ["common.sh", "flatcar-update"]
    assert [entry for entry in code if re.search(r"\bread\b(?! -[a-z]*r)", entry[1]) and "while" in entry[1]] == []
    assert [entry for entry in code if "echo -e" in entry[1]] == []


@pytest.mark.parametrize(
    "argument", ['a"; touch x; b="', "a`touch x`", "$(touch x)", "a\\nb", "a\nset linux_append=b", "a\tb", "\x7f"]
)
def test_a_kernel_argument_that_grub_cfg_cannot_hold_is_refused(tmp_path: Path, argument: str) -> None:
    done = run_kargs(tmp_path, "--should-exist", argument)
    assert done.returncode == 1
    assert "grub.cfg cannot hold" in done.stderr
    assert (tmp_path / "grub.cfg").read_text() == recipe.OEM_GRUB_CFG


def test_other_kernel_arguments_are_written(tmp_path: Path) -> None:
    run_kargs(tmp_path, "--should-exist", "flatkit.mark=7", "--should-not-exist", "flatcar.autologin")
    assert 'set linux_append="$linux_append flatkit.mark=7"\n' in (tmp_path / "grub.cfg").read_text()
    assert (tmp_path / "kmsg").read_text().endswith("arguments: flatkit.mark=7\n")


def run_kargs(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    text = (USR / "lib/flatcar/ignition-kargs-helper").read_text()
    text = text.replace("oem=/oem", f"oem={tmp_path}").replace("/dev/kmsg", f"{tmp_path}/kmsg")
    (tmp_path / "grub.cfg").write_text(recipe.OEM_GRUB_CFG)
    begin = "mount() { :; }\numount() { :; }\nfindfs() { :; }\nreboot() { :; }\nsleep() { :; }\n"
    return subprocess.run(["dash", "-c", begin + text, "x", *words], capture_output=True, text=True, timeout=120)


def test_ignitions_own_words_are_not_its_status(tmp_path: Path) -> None:
    """It logs what servers and programs say: a line of theirs must not say that the stage ended well."""
    text = (INITRD / "init").read_text()
    function = re.search(r"^ignition_stage\(\) \{\n.*?^\}\n", text, re.MULTILINE | re.DOTALL)
    assert function
    body = function[0].replace("/run/", f"{tmp_path}/").replace("/dev/kmsg", f"{tmp_path}/kmsg")
    for status in (1, 0):
        script = (
            f"say() {{ :; }}\nemergency() {{ echo gave up; exit; }}\nignition() {{ echo 'ended 0'; return {status}; }}\n"
            f"{body}ignition_stage files; echo went on"
        )
        done = subprocess.run(["dash", "-c", script], capture_output=True, text=True, timeout=120)
        assert done.stdout == ("gave up\n" if status else "went on\n")


@pytest.mark.parametrize(
    "url", ['http://h/"; reboot; x="', "http://h/a b", "http://h/$(x)", "http://h/`x`", "http://h/\n"]
)
def test_flatcar_reset_takes_no_url_that_grub_cfg_cannot_hold(url: str) -> None:
    done = subprocess.run(
        ["bash", str(USR / "bin/flatcar-reset"), f"--ignition-url={url}"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1
    assert "must be percent-encoded" in done.stderr


@pytest.mark.parametrize(
    "url", ["https://h/a%20b", "http://h:80/x?y=1&z", "s3://b/c.ign", "data:,%7B%22ignition%22%7D"]
)
def test_flatcar_reset_takes_the_urls_of_ignition(url: str) -> None:
    """Not as root it ends before it does anything: the URL is what the message would be about."""
    script = f"id() {{ echo 1000; }}; set -- --ignition-url={shlex.quote(url)}; . {USR / 'bin/flatcar-reset'}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "Need to be root" in done.stderr


def test_a_quote_in_a_path_to_keep_is_no_command(tmp_path: Path) -> None:
    """`list` as it is written, in a shell whose mounts are not touched."""
    text = (USR / "bin/flatcar-reset").read_text()
    function = re.search(r"^list\(\) \{\n.*?^\}\n", text, re.MULTILINE | re.DOTALL)
    assert function
    body = function[0].replace("unshare -m sh", "sh").replace("umount /etc && exec find /", f"exec find {tmp_path}")
    (tmp_path / "it's").touch()
    script = f"regex={shlex.quote(f'''({tmp_path}/it's|/x'; touch {tmp_path}/y; ')''')}\n{body}list; echo; list -not"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=120)
    assert done.stdout.split("\n\n")[0] == f"{tmp_path}/it's"
    assert names(tmp_path) == {"it's"}
