"""What tests of updates and boots share: a machine that asks a server of the test's own, and what it says of itself."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from flatkit import api
from flatkit.errors import MachineError, WaitTimeout
from flatkit.images.lab import recipe
from flatkit.images.lab.build import build_lab_image, build_payload
from flatkit.machines import Machine
from flatkit.updates.payload import make_payload
from flatkit.updates.server import UpdateServer
from flatkit.updates.slots import Slot, parse_cgpt_show
from flatkit.updates.status import UpdateStatus, parse_status
from tools.accept.run import CONFIG

STABLE, BETA, BROKEN = (recipe.RELEASES[name].version for name in ("lab", "lab-beta", "lab-broken"))


def boot(name: str, server: UpdateServer) -> Machine:
    """A stable machine that asks this server. Stable has no update, so that its own first check disturbs no test."""
    config = api.parse_config(CONFIG.format(url=server.guest_url), name="updates.bu")
    machine = api.boot(config, api.Wish(name=name, image="lab")).machine
    settings(machine, GROUP="stable")
    return machine


def payload(name: str) -> Path:
    """The payload of a release, built when it is not there yet."""
    return build_payload(release=recipe.RELEASES[name])


def root_hash(version: str) -> str:
    """The root hash of that release's /usr, as it was built."""
    release = next(release for release in recipe.RELEASES.values() if release.version == version)
    return build_lab_image(release=release).root_hash


def ask(machine: Machine, command: str, *, timeout: float = 300) -> str:
    """What a command says that must succeed."""
    return machine.run(command, timeout=timeout).check().stdout.strip()


def version(machine: Machine) -> str:
    """What the running os-release calls itself."""
    return ask(machine, '. /etc/os-release; echo "$VERSION"')


def slots(machine: Machine) -> tuple[Slot, ...]:
    """Both slots, as cgpt and rootdev tell of them."""
    return parse_cgpt_show(
        ask(machine, 'sudo cgpt show "$(rootdev -s -d /usr)"'), running=ask(machine, "rootdev -s /usr")
    )


def bits(machine: Machine) -> list[tuple[int, int, int]]:
    """Priority, tries, successful of slot A and of slot B."""
    return [slot.bits for slot in slots(machine)]


def status(machine: Machine) -> UpdateStatus:
    """The update client's five lines."""
    return parse_status(ask(machine, "update_engine_client -status"))


def wait_until_good(machine: Machine) -> None:
    """Wait until this boot is marked good: ten seconds of health, and a little more."""
    wait_for(machine, "sudo journalctl -b -u update-engine -o cat | grep -q '^Marked .* as good'")
    assert ask(machine, 'sudo cgpt show -S "$(rootdev -s /usr)"') == "1"


def wait_for(machine: Machine, test: str) -> None:
    """Wait, on the machine, until a command succeeds; some minutes at most."""
    ask(machine, f"for _ in $(seq 480); do {test} && exit 0; sleep 0.5; done; exit 1", timeout=600)


def wait_until_all_is_started(machine: Machine) -> None:
    """Wait for the last unit of the boot; where it does not come, tell what it waits for.

    Asked again and again: `--wait` without sudo ends only where somebody subscribes to systemd's signals, as logind does.
    """
    done = "until systemctl is-system-running 2>/dev/null | grep -qE 'running|degraded'; do sleep 0.5; done"
    try:
        machine.run(done, timeout=300).check()
    except WaitTimeout:
        look = "systemctl is-system-running; systemctl list-jobs --no-pager; journalctl -b --no-pager | tail -n 60"
        said = machine.run(look, timeout=300).stdout
        raise AssertionError(f"not everything has started: {said}") from None


def reboot(machine: Machine) -> None:
    """Reboot in order and wait until the machine is back."""
    since = machine.console_size
    with suppress(MachineError):  # the connection may end before the answer
        machine.run("sudo systemctl reboot --no-block", timeout=300)
    machine.wait_for_boot(since=since)


def boot_files(machine: Machine, letter: str) -> str:
    """Names, sizes, times and hashes of a slot's files on EFI-SYSTEM."""
    return ask(machine, f"cd /boot/flatcar && ls -l --full-time *-{letter} && sha256sum *-{letter}")


def settings(machine: Machine, **values: str) -> None:
    """Set values of the machine's own update.conf."""
    changes = " ".join(f"-e 's#^{key}=.*#{key}={value}#'" for key, value in values.items())
    ask(machine, f"sudo sed -i {changes} /etc/flatcar/update.conf")


def ask_for_update(machine: Machine, *, channel: str) -> str:
    """Let the machine look for an update that fails, which looks like none; returns what the journal says of it."""
    cursor = ask(machine, "sudo journalctl -n 0 --show-cursor -q | sed 's/^-- cursor: //'")
    settings(machine, GROUP=channel)
    done = machine.run("update_engine_client -update", timeout=300)
    assert (done.status, done.stderr.rstrip().endswith("] No update available")) == (0, True), done
    settings(machine, GROUP="stable")
    return ask(machine, f"sudo journalctl -u update-engine -o cat --after-cursor='{cursor}'")


def small_payload(target: Path, *, version: str, key: Path) -> Path:
    """A payload of two hundred thousand bytes a part, signed with this key: what is wrong with it is found in seconds."""
    part = target.with_suffix(".part")
    part.write_bytes(bytes(64) + b"0" * 64 + bytes(200_000))
    make_payload(
        target, version=version, usr=part, kernel=part, initrd=part, hash_offset=4096, root_hash="0" * 64, key=key
    )
    return target
