"""Provisioned, not installed: from a Butane file to a machine that does its work, without touching the machine."""

from __future__ import annotations

from typing import Any

from flatkit.demos.diagram import DRAWS_DISK
from flatkit.demos.facts import USR, is_read_only
from flatkit.steps import Boot, Demo, Fact, Step, Verdict, Where, is_equal, says
from flatkit.untrusted import parse_json


def _is_ignition(text: Any) -> Verdict:
    try:
        version = parse_json(text)["ignition"]["version"]
    except (ValueError, KeyError, TypeError):
        return Verdict(ok=False, found=f'found "{str(text)[:80]}", expected an Ignition config')
    return Verdict(ok=version.startswith("3."), found=f"found an Ignition config of spec {version}")


PROVISION = Demo(
    name="provision",
    title="Provisioned, not installed",
    draws=DRAWS_DISK,
    steps=(
        Step(
            title="From Butane to Ignition",
            notes="Say who writes what: people write Butane, machines read Ignition.",
            why="People write Butane, machines read Ignition. The translation happens before any machine exists, so a mistake "
            "is found here, with its line.",
            command="flatkit butane web.bu",
            where=Where.HOST,
            check=_is_ignition,
            hint="flatkit butane --check web.bu   shows every fault with its line",
        ),
        Step(
            title="Boot a machine with it",
            notes="While it boots, say what Ignition does now: once, before any service starts.",
            why="The image is the same for everybody and is never changed. What makes this machine yours is the config, "
            "applied once, on the first boot, before any service starts.",
            boot=Boot(config="web.bu", machine="demo-provision", guest_ports=(80,), cold=True),
            where=Where.HOST,
            check=says("ready"),
            hint="flatkit console demo-provision   shows how far the boot came",
        ),
        Step(
            title="It has its name",
            why="Nobody typed a host name during an installation. It is a file in the config, and the file was there when the "
            "system came up.",
            command="hostname",
            check=is_equal("web"),
            hint="cat /etc/hostname   and compare with the config",
            fact=Fact(name="hostname", ask="hostname"),
        ),
        Step(
            title="It has its user",
            why="Users and their keys come from the config as well. There is no password to forget and no first login to do.",
            command="id ada",
            check=says("(ada)"),
            hint="sudo cat /etc/.ignition-result.json   says whether a config was applied",
        ),
        Step(
            title="Its service listens",
            why="A systemd unit in the config is a service on the machine. Enabled means that systemd starts it on every boot, "
            "the first one included.",
            command="systemctl is-active web.socket",
            check=is_equal("active"),
            hint="systemctl status web.socket",
            fact=Fact(name="socket", ask="systemctl is-active web.socket"),
            wait=20,
        ),
        Step(
            title="The page is served",
            notes="Nobody has logged in so far. Ask who of them logs in to their servers, and why.",
            why="From outside, the machine is only what it serves. This is the first moment that anybody needs it, and it is "
            "ready.",
            command="curl --silent http://127.0.0.1:{port80}/",
            where=Where.HOST,
            check=says("Hello from a machine that nobody installed"),
            hint="journalctl -u 'web@*'   on the machine",
            wait=20,
        ),
        Step(
            title="And the system itself is read-only",
            notes="Leads on to the demo immutable: what can root do here?",
            why="The operating system lives in /usr, which is mounted read-only through dm-verity. Your config went to /etc and "
            "/opt; the system was not touched.",
            command=USR.ask,
            check=is_read_only,
            hint="findmnt /usr",
            fact=USR,
        ),
    ),
)
