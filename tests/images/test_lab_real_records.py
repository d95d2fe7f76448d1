"""The lab image's stand-ins beside what Flatcar's own programs answered (tests/golden/real), as far as no machine is needed."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from lab_client import USR, client_text

from flatkit.images.lab import recipe
from tests.real_tools import FOLDER, blocks

pytestmark = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in ("bash", "dash", "getopt")) and not os.environ.get("CI"),
    reason="the scripts need bash, dash and getopt",
)


# The kargs helper: a grub.cfg, words, and what the file then says

# Refused here: a quote would end the line of grub.cfg, and what follows it would be GRUB's.
QUOTED = "--should-exist 'q=\"1 2\"'"


@pytest.mark.parametrize(("head", "lines"), blocks("ignition-kargs-helper.txt"))
def test_kernel_arguments_end_up_as_with_flatcars_helper(tmp_path: Path, head: str, lines: list[str]) -> None:
    found = re.fullmatch(r"\[(.*)\] (.*)", head)
    real = re.match(r"  real rc=(\d) reboot=(\d) result: (.*)", lines[0])
    assert found
    assert real
    (tmp_path / "grub.cfg").write_text(found[1].replace("\\n", "\n"))
    text = (USR / "lib/flatcar/ignition-kargs-helper").read_text()
    text = text.replace("oem=/oem", f"oem={tmp_path}").replace("/dev/kmsg", f"{tmp_path}/kmsg")
    begin = f"mount() {{ :; }}\numount() {{ :; }}\nfindfs() {{ :; }}\nreboot() {{ touch {tmp_path}/reboot; }}\nsleep() {{ :; }}\n"
    done = subprocess.run(
        ["dash", "-c", begin + text, "x", *shlex.split(found[2])], capture_output=True, text=True, timeout=120
    )
    if found[2] == QUOTED:
        assert done.returncode == 1
        assert "grub.cfg cannot hold" in done.stderr
        return
    assert done.returncode == int(real[1])
    assert (tmp_path / "reboot").exists() is (real[2] == "1")
    assert (tmp_path / "grub.cfg").read_text().replace("\n", "~") == real[3]


def test_a_comment_after_the_kernel_arguments_stays(tmp_path: Path) -> None:
    (tmp_path / "grub.cfg").write_text('set linux_append="a" # mine\nset oem_id="qemu"\n')
    text = (USR / "lib/flatcar/ignition-kargs-helper").read_text()
    text = text.replace("oem=/oem", f"oem={tmp_path}").replace("/dev/kmsg", f"{tmp_path}/kmsg")
    begin = "mount() { :; }\numount() { :; }\nfindfs() { :; }\nreboot() { :; }\nsleep() { :; }\n"
    subprocess.run(["dash", "-c", begin + text, "x", "--should-exist", "b"], check=True, timeout=120)
    assert (tmp_path / "grub.cfg").read_text() == ' # mine\nset oem_id="qemu"\nset linux_append="$linux_append a b"\n'


ADD, REMOVE = "--should-exist", "--should-not-exist"


@pytest.mark.parametrize(
    ("before", "words", "after"),
    [
        ("", (ADD, "a", ADD, "b", ADD, "a"), "a b"),  # repeated
        ("b", (ADD, "a"), "b a"),
        ("a b", (REMOVE, "a", ADD, "a"), "b a"),  # in the order of the words
        ("a b", (ADD, "a", REMOVE, "a"), "b"),
        ("", (ADD, ""), None),  # an empty argument is nothing
        ("a", (REMOVE, ""), None),
        ("a  b", (REMOVE, ""), "a b"),
        ("", (ADD, "", ADD, "a", REMOVE, ""), "a"),
        ("", (ADD, " a", ADD, "a"), "a"),
        ("a b", (ADD, "a b"), None),
        ("a", (ADD, "é", REMOVE, "a"), "é"),
        ("a b a", (REMOVE, "a"), "b"),
        ("a a", (REMOVE, "a"), "a"),  # the space between two belongs to one match
        ("axb", (REMOVE, "a.b"), ""),  # a regular expression
        ("", (ADD,), None),
        ("", ("a", "b"), None),
    ],
)
def test_kernel_arguments_in_any_order(tmp_path: Path, before: str, words: tuple[str, ...], after: str | None) -> None:
    """As flatcar/bootengine's helper at 6c2fba4 did, with the same words; None: the file stays, and nothing restarts."""
    text = f'set linux_append="{before}"\n'
    (tmp_path / "grub.cfg").write_text(text)
    script = (USR / "lib/flatcar/ignition-kargs-helper").read_text()
    script = script.replace("oem=/oem", f"oem={tmp_path}").replace("/dev/kmsg", f"{tmp_path}/kmsg")
    begin = f"mount() {{ :; }}\numount() {{ :; }}\nfindfs() {{ :; }}\nreboot() {{ touch {tmp_path}/reboot; }}\nsleep() {{ :; }}\n"
    done = subprocess.run(["dash", "-c", begin + script, "x", *words], capture_output=True, timeout=120)
    assert (done.returncode == 0) is (words[0] != "a" and len(words) > 1)
    assert (tmp_path / "reboot").exists() is (after is not None)
    assert (tmp_path / "grub.cfg").read_text() == (
        text if after is None else f'set linux_append="$linux_append {after}"\n'
    )


# flatcar-update and flatcar-reset: what their arguments alone decide


def said_by(lines: list[str]) -> tuple[int, str, list[str]]:
    """Status, first line of the output and the errors of the real program."""
    ours = lines[: next(number for number, line in enumerate(lines) if line.startswith("  stand"))]
    status = int(re.match(r"  real rc=(\d+)", ours[0])[1])  # type: ignore[index]
    out = [line[9:] for line in ours if line.startswith("    out: ")]
    return status, out[0] if out else "", [line[9:] for line in ours if line.startswith("    err: ")]


def refusals(name: str) -> list[tuple[str, int, str, list[str]]]:
    """The calls that end before anything is done."""
    found = []
    for head, lines in blocks(name):
        status, out, errors = said_by(lines)
        ended_early = any(error.startswith(("Error: ", "flatcar-")) for error in errors) or out.startswith("Usage: ")
        if (
            status == 1
            and ended_early
            and "stub" not in "".join(lines[: len(errors) + 3])
            and "does not exist" not in str(errors)
        ):
            found.append((head, status, out, errors))
    return found


@pytest.mark.parametrize(
    ("head", "status", "out", "errors"), refusals("flatcar-update.txt") + refusals("flatcar-reset.txt")
)
def test_a_command_line_is_refused_in_flatcars_words(head: str, status: int, out: str, errors: list[str]) -> None:
    program, *words = shlex.split(head)
    done = subprocess.run(["bash", USR / "bin" / program, *words], capture_output=True, text=True, timeout=120)
    assert done.returncode == status
    assert done.stdout.partition("\n")[0] == out
    assert done.stderr.splitlines() == errors


LINES = [json.loads(line) for line in (FOLDER / "command-lines.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("row", LINES, ids=[f"{row['program']} {shlex.join(row['words'])}" for row in LINES])
def test_options_combined_repeated_and_empty_are_read_as_there(row: dict[str, Any]) -> None:
    """Up to the question for root, which names the options as getopt has sorted them; nobody is root here."""
    text = (
        (USR / "bin" / row["program"])
        .read_text()
        .replace("set -euo pipefail", "set -euo pipefail\nid() { echo 1; }", 1)
    )
    done = subprocess.run(
        ["bash", "-c", text, row["program"], *row["words"]], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout.partition("\n")[0], done.stderr) == (row["status"], row["out"], row["err"])


def test_enough_is_recorded() -> None:
    assert len(LINES) >= 90
    assert len(STAGED) >= 9
    assert len(refusals("flatcar-update.txt")) >= 10
    assert len(refusals("flatcar-reset.txt")) >= 9


STAGED = [
    (head, lines)
    for head, lines in blocks("flatcar-reset.txt")
    if any(
        line.startswith("    FLAG: ") for line in lines[: lines.index("  stand rc=0") if "  stand rc=0" in lines else 0]
    )
]


@pytest.mark.parametrize(("head", "lines"), STAGED)
def test_a_reset_is_staged_as_flatcars_own_does(tmp_path: Path, head: str, lines: list[str]) -> None:
    real = lines[: lines.index("  stand rc=0")]
    for folder in ("boot/flatcar", "oem"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "oem/grub.cfg").write_text(recipe.OEM_GRUB_CFG)
    (tmp_path / "machine-id").write_text("3d1219c7c4c5404aaa1f6d2a48adfda4\n")
    (tmp_path / "c.ign").write_text("{}")
    text = (USR / "bin/flatcar-reset").read_text().replace("/etc/machine-id", f"{tmp_path}/machine-id")
    for name in ("flag=/", "first_boot=/", "append=/", "config=/"):
        text = text.replace(f"\n{name}", f"\n{name.rstrip('/')}{tmp_path}/", 1)
    text = text.replace("set -euo pipefail", "set -euo pipefail\nid() { echo 0; }", 1)
    done = subprocess.run(
        ["bash", "-c", text, *shlex.split(head)], capture_output=True, text=True, timeout=120, cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "")
    said = [line[9:] for line in real if line.startswith("    out: ")]
    count = next(int(line.split()[1]) for line in real if line.startswith("    outlines "))
    ours = done.stdout.replace(str(tmp_path), "").splitlines()
    assert ours[: len(said)] == said
    assert len(ours) == count
    assert ours[-1] == "Staged OS reset, you can reboot now"
    flag = next(line.removeprefix("    FLAG: ") for line in real if line.startswith("    FLAG: "))
    assert (tmp_path / "selective-os-reset").read_text().replace(str(tmp_path), "") == f"{flag}\n"
    added = [line.removeprefix("    grub: > ") for line in real if line.startswith("    grub: > ")]
    assert (tmp_path / "oem/grub.cfg").read_text() == recipe.OEM_GRUB_CFG + "".join(f"{line}\n" for line in added)
    assert (tmp_path / "oem/config.ign").exists() is any("config.ign" in line for line in real if "oem:" in line)
    assert (tmp_path / "boot/flatcar/first_boot").exists()


# locksmithctl


@pytest.mark.parametrize(("head", "lines"), blocks("locksmithctl.txt"))
def test_locksmithctl_answers_as_on_a_machine_without_etcd(tmp_path: Path, head: str, lines: list[str]) -> None:
    program, *words = shlex.split(head)
    real: list[str] = []
    for line in lines[1:]:
        if line.startswith(("  rc=", "  [stand")):
            break
        real.append(line)
    script = f"id() {{ echo 1000; }}; dd() {{ return 1; }}; set -- {shlex.join(words)}; . {USR / 'bin' / program}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=120, cwd=tmp_path)
    if words == ["send-need-reboot"]:
        assert done.returncode == 0  # the record's sandbox has no D-Bus, and a signal needs nobody who hears it
        return
    assert done.returncode == int(lines[0][5])
    for stream, said in (("out", done.stdout), ("err", done.stderr)):
        expected = [line[8:] for line in real if line.startswith(f"   {stream}: ")]
        assert [line.rstrip() for line in said.splitlines()[: len(expected)]] == [line.rstrip() for line in expected]
        assert bool(said) is bool(expected)


# locksmithd


@pytest.mark.parametrize("strategy", ["off", "bogus", "best-effort", "etcd-lock", "reboot", ""])
def test_locksmithd_starts_with_every_strategy_but_off(tmp_path: Path, strategy: str) -> None:
    text = (USR / "lib/flatcar/locksmithd").read_text().replace("/run/", f"{tmp_path}/")
    text = text.replace("exec 3<>", "kill -TERM $$\nexec 3<>")  # ended when it has begun to wait
    done = subprocess.run(
        ["bash", "-c", f"chgrp() {{ :; }}\n{text}"], capture_output=True, text=True, timeout=120,
        env={**os.environ, "REBOOT_STRATEGY": strategy},
    )  # fmt: skip
    stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}"
    if strategy == "off":
        expected = rf'{stamp} N \| daemon: Reboot strategy is "off" - locksmithd is exiting\.\n'
    else:
        expected = (
            rf'{stamp} I \| daemon: locksmithd starting currentOperation="UPDATE_STATUS_IDLE" strategy="{strategy or "reboot"}"\n'
            rf"{stamp} N \| daemon: Received interrupt/termination signal - locksmithd is exiting\.\n"
        )
    assert done.returncode == 0
    assert re.fullmatch(expected, done.stderr)


def window(tmp_path: Path, now: str, **settings: str) -> tuple[int, str]:
    """Status and words of wait_for_window at that time (UTC), without waiting."""
    text = (USR / "lib/flatcar/locksmithd").read_text()
    body = text[text.index("no_window() {") : text.index("wait_for_window\ncase")]
    body = body.replace('while [ "$(date +%s)" -lt "$begin" ]', "while false")
    script = (
        'say() { echo "$2"; }\ndie() { echo "$1"; exit 1; }\n'
        f'date() {{ case $* in *-d*) command date "$@" ;; *) command date -d "{now}" "$@" ;; esac; }}\n{body}wait_for_window'
    )
    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        timeout=120,
        env={"PATH": os.environ["PATH"], "TZ": "UTC", **settings},
    )
    return done.returncode, done.stdout


WINDOWS = [
    ("2026-11-29 03:00", "Sun 04:00", "1h", "Waiting for 1h0m0s to reboot."),  # a Sunday
    ("2026-11-29 04:30", "Sun 04:00", "1h", ""),
    ("2026-11-29 05:00", "Sun 04:00", "1h", ""),
    ("2026-11-29 05:01", "Sun 04:00", "1h", "Waiting for 166h59m0s to reboot."),
    ("2026-11-30 00:30", "sun 23:00", "2h", ""),
    ("2026-11-30 12:00", "04:00", "30m", "Waiting for 16h0m0s to reboot."),
    ("2026-11-30 00:10", "23:30", "1h30m", ""),
    ("2026-11-30 00:10", "23:30", "1.5h", ""),
    ("2026-11-30 03:30", "04:00:00", "90m", "Waiting for 30m0s to reboot."),
    ("2026-11-30 03:30", "+4:0pm", "0.0000001h", "Waiting for 30m0s to reboot."),
]


@pytest.mark.parametrize(("now", "start", "length", "said"), WINDOWS)
def test_a_reboot_window_is_waited_for(tmp_path: Path, now: str, start: str, length: str, said: str) -> None:
    for prefix in ("", "LOCKSMITHD_"):
        settings = {f"{prefix}REBOOT_WINDOW_START": start, f"{prefix}REBOOT_WINDOW_LENGTH": length}
        status, words = window(tmp_path, now, **settings)
        assert status == 0
        assert (words.splitlines() or [""])[-1] == said


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "No configured reboot window"),
        ({"REBOOT_WINDOW_START": "04:00"}, "Either both or neither"),
        ({"REBOOT_WINDOW_START": "Sun 25:00", "REBOOT_WINDOW_LENGTH": "1h"}, '"25:00": hour must be >= 0 and <= 23'),
        ({"REBOOT_WINDOW_START": "04:60", "REBOOT_WINDOW_LENGTH": "1h"}, '"04:60": minute must be >= 0 and <= 59'),
        ({"REBOOT_WINDOW_START": "Sun", "REBOOT_WINDOW_LENGTH": "1h"}, 'invalid time of day "Sun": expected integer'),
        ({"REBOOT_WINDOW_START": "4", "REBOOT_WINDOW_LENGTH": "1h"}, 'invalid time of day "4": unexpected EOF'),
        ({"REBOOT_WINDOW_START": "04:", "REBOOT_WINDOW_LENGTH": "1h"}, 'invalid time of day "04:": EOF'),
        ({"REBOOT_WINDOW_START": "4.00", "REBOOT_WINDOW_LENGTH": "1h"}, '"4.00": input does not match format'),
        ({"REBOOT_WINDOW_START": "04:-1", "REBOOT_WINDOW_LENGTH": "1h"}, '"04:-1": minute must be >= 0 and <= 59'),
        ({"REBOOT_WINDOW_START": "99999999999:00", "REBOOT_WINDOW_LENGTH": "1h"}, "hour must be >= 0 and <= 23"),
        ({"REBOOT_WINDOW_START": "04:00", "REBOOT_WINDOW_LENGTH": "2562048h"}, 'invalid duration "2562048h"'),
        ({"REBOOT_WINDOW_START": "04:00", "REBOOT_WINDOW_LENGTH": "9223372036s"}, "duration cannot exceed period"),
        ({"REBOOT_WINDOW_START": "04:00", "REBOOT_WINDOW_LENGTH": "h1"}, 'invalid duration "h1"'),
        ({"REBOOT_WINDOW_START": "Sun 04:00 UTC", "REBOOT_WINDOW_LENGTH": "1h"}, "wrong number of fields"),
        ({"REBOOT_WINDOW_START": "04:00", "REBOOT_WINDOW_LENGTH": "60"}, 'missing unit in duration "60"'),
        ({"REBOOT_WINDOW_START": "04:00", "REBOOT_WINDOW_LENGTH": "1d"}, 'unknown unit "d" in duration "1d"'),
        ({"REBOOT_WINDOW_START": "04:00", "REBOOT_WINDOW_LENGTH": "-1h"}, "duration cannot be negative"),
        ({"REBOOT_WINDOW_START": "04:00", "REBOOT_WINDOW_LENGTH": "24h"}, "duration cannot exceed period"),
        ({"REBOOT_WINDOW_START": "Sun 04:00", "REBOOT_WINDOW_LENGTH": "168h"}, "duration cannot exceed period"),
        ({"REBOOT_WINDOW_START": "Noday 04:00", "REBOOT_WINDOW_LENGTH": "1h"}, "invalid day of week"),
        ({"REBOOT_WINDOW_START": "04:00", "REBOOT_WINDOW_LENGTH": "a[$(touch x)]"}, "invalid duration"),
    ],
)
def test_other_windows_are_named(tmp_path: Path, settings: dict[str, str], said: str) -> None:
    status, words = window(tmp_path, "2026-11-29 03:00", **settings)
    assert said in words
    assert (status == 0) is (not settings)


# update_engine_client


def test_the_client_reads_flags_as_gflags_does(tmp_path: Path) -> None:
    (tmp_path / "status").write_text("LAST_CHECKED_TIME=1\nPROGRESS=0.000000\nCURRENT_OP=UPDATE_STATUS_IDLE\n")
    text = client_text(tmp_path)

    def ask(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["bash", "-c", text, "client", *words], capture_output=True, text=True, timeout=120)

    for words in (("-status",), ("--status",), ("-status=true",), ("x", "-status=1"), ("-nostatus", "-status=Yes")):
        done = ask(*words)
        assert (done.returncode, done.stdout) == (0, (tmp_path / "status").read_text())
        assert re.fullmatch(
            r"I\d{8} [0-9:.]+ +\d+ update_engine_client\.cc:241\] Querying Update Engine status\.\.\.\n", done.stderr
        )
    for words in ((), ("status",), ("-status=false",), ("-nostatus",), ("--", "-status")):
        done = ask(*words)
        assert (done.returncode, done.stdout) == (0, "")
        assert done.stderr.endswith("update_engine_client.cc:270] Done.\n")
    assert (ask("-nosuch").returncode, ask("-nosuch").stderr) == (1, "ERROR: unknown command line flag 'nosuch'\n")
    assert ask("-status=maybe").stderr == "ERROR: illegal value 'maybe' specified for bool flag 'status'\n"
    assert ask("-a[$(touch x)]=1").returncode == 1
    assert ask("-help").returncode == 1
    assert "-watch_for_updates (Listen for status updates" in ask("-help").stdout


@pytest.mark.parametrize(
    ("operation", "last"),
    [("IDLE", "194] No update available"), ("UPDATED_NEED_REBOOT", "198] Update succeeded -- reboot needed.")],
)
def test_an_update_that_failed_looks_like_none(tmp_path: Path, operation: str, last: str) -> None:
    """The daemon is played by the FIFO's reader, which ends the check at once."""
    five = (
        f"LAST_CHECKED_TIME=1\nPROGRESS=0.000000\nCURRENT_OP=UPDATE_STATUS_{operation}\nNEW_VERSION=0.0.0\nNEW_SIZE=0\n"
    )
    (tmp_path / "status").write_text(five)
    os.mkfifo(tmp_path / "requests")
    text = client_text(tmp_path)
    text = text.replace("pause 5", "pause 0.05").replace(
        "\nupdate() {", "\nupdate() {\n    exec 9<>$run/requests; echo 1 failed >$run/result.new", 1
    )
    text = text.replace("    log 256", "    mv $run/result.new $run/result\n    log 256", 1)
    done = subprocess.run(["bash", "-c", text, "client", "-update"], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, five)
    assert done.stderr.splitlines()[-1].endswith(f"update_engine_client.cc:{last}")


# Calls that nobody recorded: what they come to is read in the sources of locksmith and gflags


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ("-version -nosuch", 2, "flag provided but not defined: -nosuch\nUsage of locksmithctl:"),
        ("-version=false status", 1, "Error initializing etcd client: no etcd endpoints"),
        ("-debug=x status", 2, 'invalid boolean value "x" for -debug: parse error\nUsage of locksmithctl:'),
        ("---debug", 2, "bad flag syntax: ---debug\nUsage of locksmithctl:"),
        ("-h", 0, "Usage of locksmithctl:\n  -debug\n    \tPrint out debug information to stderr.\n"),
        ("-endpoint", 2, "flag needs an argument: -endpoint\n"),
        ("-endpoint 'http://a:1, http://b:2' lock", 1, "Error initializing etcd client: no etcd endpoints available, tried: http://a:1,http://b:2\n"),
        ("-etcd-certfile /nosuch status", 1, "Error initializing etcd client: open /nosuch: no such file or directory\n"),
    ],
)  # fmt: skip
def test_flags_of_locksmithctl_are_read_as_go_does(words: str, status: int, said: str) -> None:
    done = subprocess.run(
        ["bash", USR / "bin/locksmithctl", *shlex.split(words)], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith(said)


@pytest.mark.parametrize(
    ("endpoints", "said"),
    [
        (
            "127.0.0.1:2379",
            'creating etcd client: parse "127.0.0.1:2379": first path segment in URL cannot contain colon',
        ),
        ("localhost:2379", 'creating etcd lock client: unsupported protocol scheme "localhost"'),
        ("http://127.0.0.1:9,x", 'creating etcd lock client: unsupported protocol scheme ""'),
        ("", 'creating etcd lock client: unsupported protocol scheme ""'),
        ("http://", "creating etcd lock client: http: no Host in request URL"),
        ("http:127.0.0.1,x:y", "creating etcd lock client: http: no Host in request URL"),
        ("ftp://a,x:y/%", 'creating etcd lock client: unsupported protocol scheme "ftp"'),
        ("http://a:9/%4z,x:y", 'creating etcd client: parse "http://a:9/%4z": invalid URL escape "%4z"'),
        ("http://a:x", 'creating etcd client: parse "http://a:x": invalid port ":x" after host'),
        ("http://a b", 'creating etcd client: parse "http://a b": invalid character " " in host name'),
        ("http://[::1", "creating etcd client: parse \"http://[::1\": missing ']' in host"),
        ("http://a:65536", "creating etcd lock client: dial tcp: address 65536: invalid port"),
        ("http://a/b c , http://b:65535", "no etcd endpoints available, tried: http://a/b c,http://b:65535"),
    ],
)
@pytest.mark.parametrize("command", ["lock", "status"])
def test_endpoints_of_locksmithctl_are_read_as_go_does(endpoints: str, said: str, command: str) -> None:
    words = ["bash", USR / "bin/locksmithctl", "-endpoint", endpoints, command]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (1, f"Error initializing etcd client: {said}\n")


def test_the_usage_of_locksmithctl_lists_its_flags() -> None:
    usage = subprocess.run(["bash", USR / "bin/locksmithctl", "-h"], capture_output=True, text=True, timeout=120).stderr
    assert "to use multiple endpoints.\n  -etcd-cafile" in usage


@pytest.mark.parametrize(
    ("words", "out", "err"),
    [
        ("''", "locksmithctl: unknown subcommand: \"\"\nRun 'locksmithctl help' for usage.\n", ""),
        ("status -h=1", "flag: help requested\n", "Usage:\n"),
        ("lock --help x", "flag: help requested\n", "Usage:\n"),
        ("unlock -=x", "bad flag syntax: -=x\n", "bad flag syntax: -=x\nUsage:\n"),
        ("reboot ---", "bad flag syntax: ---\n", "bad flag syntax: ---\nUsage:\n"),
        ("set-max -1", "flag provided but not defined: -1\n", "flag provided but not defined: -1\nUsage:\n"),
    ],
)
def test_commands_of_locksmithctl_have_no_flags(words: str, out: str, err: str) -> None:
    done = subprocess.run(
        ["bash", USR / "bin/locksmithctl", *shlex.split(words)], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (2, out, err)


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ("-v=1", 0, "update_engine_client.cc:270] Done.\n"),
        ("-v 1 -logtostderr=false", 0, "update_engine_client.cc:270] Done.\n"),
        ("-v", 1, "ERROR: flag '-v' is missing its argument\n"),
        ("-status --log-dir", 1, "ERROR: flag '--log-dir' is missing its argument\n"),
        ("--v=+0x1f --max_log_size=' 1'", 0, "update_engine_client.cc:270] Done.\n"),
        ("--v=4294967295", 1, "ERROR: illegal value '4294967295' specified for int32 flag 'v'\n"),
        ("--max-log-size=-1", 1, "ERROR: illegal value '-1' specified for uint32 flag 'max_log_size'\n"),
        ("-nov=1", 1, "ERROR: boolean value (nov) specified for int32 command line flag\n"),
        ("--no-status", 1, "ERROR: unknown command line flag 'no-status'\n"),
        ("---status", 1, "ERROR: unknown command line flag '-status'\n"),
        ("--=x", 1, "ERROR: unknown command line flag ''\n"),
        ("-v=x", 1, "ERROR: illegal value 'x' specified for int32 flag 'v'\n"),
        ("-nolog_prefix -nosuch", 1, "ERROR: unknown command line flag 'nosuch'\n"),
        ("-undefok=a,b, -a=1 --nob", 0, "update_engine_client.cc:270] Done.\n"),
        ("-undefok=v -v=x -v", 1, "ERROR: flag '-v' is missing its argument\n"),
        ("-undefok=a -nosuch -a", 1, "ERROR: unknown command line flag 'nosuch'\n"),
        ("-undefok=a,,b", 1, "ERROR: empty flaglist entry\n"),
        ("-undefok=a,-b,c", 1, "ERROR: flag \"-b,c\" begins with '-'\n"),
        ("-fromenv=status", 1, "ERROR: FLAGS_status not found in environment\n"),
        ("-tryfromenv=status", 0, "update_engine_client.cc:270] Done.\n"),
        ("-tryfromenv a]", 1, "ERROR: unknown command line flag 'a]' (via --fromenv or --tryfromenv)\n"),
        ("-flagfile=/nosuch -x", 1, "/nosuch: No such file or directory\n"),
        ("-flagfile /dev/null", 0, "update_engine_client.cc:270] Done.\n"),
    ],
)
def test_the_client_takes_the_flags_of_its_libraries(words: str, status: int, said: str) -> None:
    done = subprocess.run(
        ["bash", USR / "bin/update_engine_client", *shlex.split(words)], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.endswith(said)


def test_the_client_takes_flags_from_a_file_and_the_environment(tmp_path: Path) -> None:
    (tmp_path / "flags").write_text(
        "# for all\n--v=1\n-nosuch\n\nother\n--update=a\nx update_*\n  -status=b\n--flagfile=more\n-v\n"
    )
    (tmp_path / "more").write_text("-logbufsecs=c\r\n-fromenv=reset_status")
    (tmp_path / "loop").write_text("-flagfile=loop")

    def ask(word: str, **environment: str) -> tuple[int, str]:
        done = subprocess.run(
            ["bash", USR / "bin/update_engine_client", word], cwd=tmp_path, env={**os.environ, **environment},
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        return done.returncode, done.stderr

    assert ask("-flagfile=flags", FLAGS_reset_status="d") == (
        1,
        (
            "ERROR: illegal value 'c' specified for int32 flag 'logbufsecs'\n"
            "ERROR: illegal value 'd' specified for bool flag 'reset_status'\n"
            "ERROR: illegal value 'b' specified for bool flag 'status'\n"
        ),
    )
    assert ask("-fromenv=fromenv", FLAGS_fromenv="v", FLAGS_v="x") == (
        1, "ERROR: illegal value 'x' specified for int32 flag 'v'\n"
    )  # fmt: skip
    assert ask("-fromenv=v", FLAGS_v="tryfromenv")[1] == "ERROR: infinite recursion on environment flag 'tryfromenv'\n"
    # gflags fills its stack.
    assert ask("-flagfile=loop") == (139, "")


def test_the_clients_mistakes_come_in_the_order_of_the_flags() -> None:
    words = ["--watch-for-updates=x", "-nosuch", "-update=a", "--update=b"]
    done = subprocess.run(
        ["bash", USR / "bin/update_engine_client", *words], capture_output=True, text=True, timeout=120
    )
    assert done.stderr.splitlines() == [
        "ERROR: unknown command line flag 'nosuch'",
        "ERROR: illegal value 'b' specified for bool flag 'update'",
        "ERROR: illegal value 'x' specified for bool flag 'watch_for_updates'",
    ]


@pytest.mark.parametrize("words", [["-helpxml"], ["-helpon", "update"], ["--status", "--helpmatch=x"]])
def test_a_help_of_another_form_asks_no_daemon(words: list[str]) -> None:
    done = subprocess.run(
        ["bash", USR / "bin/update_engine_client", *words], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize("words", ["-F x -U ''", "-U x -F ''", "-U http://x -F c.ign"])
def test_a_reset_has_a_file_or_an_address(words: str) -> None:
    done = subprocess.run(
        ["bash", USR / "bin/flatcar-reset", *shlex.split(words)], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: Can't specify both Ignition URL and Ignition file at the same time\n"


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ("/ -s=1", 1, "rootdev: option '-s' doesn't allow an argument\nrootdev [OPTIONS] [PATH]"),
        ("/ /tmp -x", 1, "rootdev: unrecognized option '-x'\nrootdev [OPTIONS] [PATH]"),
        ("-x / /tmp", 1, "rootdev: unrecognized option '-x'\nToo many free arguments: 1\nrootdev [OPTIONS] [PATH]"),
        ("--block=/nosuch /", 1, "unable to find match\n"),
        ("-i --block=/nosuch /", 0, "unable to find match\n"),
        ("-c --block=/nosuch /", 1, "unable to find match\nrootdev: failed to create : No such file or directory\n"),
        ("--maj=5x --block=/nosuch /proc", 1, "unable to find match\n"),
        ("-", 1, "rootdev: Cannot stat(-): No such file or directory\n"),
        (
            "--=x",
            1,
            "rootdev: option '--=x' is ambiguous; possibilities: '--c' '--d' '--h' '--i' '--s' '--block' '--dev' ",
        ),
        ("--minor=-1 /nosuch", 1, "unable to find match\n"),
        ("--block= --major=8 /", 1, "rootdev: match_sysfs_device: basedir must not be empty\nunable to find match\n"),
        ("--block=/dev/null --major=8 /", 1, "rootdev: match_sysfs_device:opendir(/dev/null): Not a directory\nunable"),
    ],
)
def test_rootdev_reads_its_words_as_getopt_does(tmp_path: Path, words: str, status: int, said: str) -> None:
    done = subprocess.run(
        ["bash", USR / "bin/rootdev", *shlex.split(words)], capture_output=True, text=True, timeout=120, cwd=tmp_path
    )
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith(said)
