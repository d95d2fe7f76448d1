"""Advice on files of systemd-networkd: names that it does not read, sections and keys that it ignores."""

from __future__ import annotations

import difflib
import ipaddress
import posixpath
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path as FilePath

from flatkit.butane import advice_messages
from flatkit.butane.advice.hint import Hint, hint
from flatkit.butane.machine.plan import Plan, StorageNode, text_of
from flatkit.butane.machine.unit_file import Assignment, UnitText, parse
from flatkit.files import read_data
from flatkit.untrusted import is_number

_FILE = FilePath(__file__).parent.parent / "machine" / "network_keys.json"
_FOLDERS = ("/etc/systemd/network", "/run/systemd/network")
_NEEDED = {".network": "Match", ".link": "Match", ".netdev": "NetDev"}
_IPV4 = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}")
# Keys of other tools, which resemble none of networkd's.
# Keys of [Network] that name a device which networkd itself makes.
_STACKED = frozenset(("Bridge", "Bond", "VLAN", "VXLAN", "MACVLAN", "MACVTAP", "IPVLAN", "VRF", "Tunnel"))
_BOND_MODES = ("balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb")
_FOREIGN = {
    "netmask": "The prefix belongs to the address: Address=192.0.2.10/24 for the netmask 255.255.255.0.",
    "prefix": "The prefix belongs to the address: Address=192.0.2.10/24.",
    "ipaddr": "Write Address= with the prefix: Address=192.0.2.10/24.",
    "ipaddress": "Write Address= with the prefix: Address=192.0.2.10/24.",
    "nameserver": "Write DNS=.",
    "nameservers": "Write DNS=.",
    "searchdomain": "Write Domains=.",
    "search": "Write Domains=.",
    "mtu": "Write MTUBytes= in [Link].",
    "interface": "Write Name= in [Match].",
    "device": "Write Name= in [Match].",
    "bootproto": "Write DHCP=yes in [Network].",
}


@cache
def network_keys() -> dict[str, frozenset[str]]:
    """Return section -> keys of .network and .netdev files."""
    data = read_data(_FILE, dict)
    return {section: frozenset(keys) for section, keys in data["sections"].items()}


def advise_networks(plan: Plan) -> Iterator[Hint]:
    """Yield the advice."""
    for node in plan.files():
        folder, name = posixpath.split(node.path)
        if folder not in _FOLDERS:
            continue
        suffix = posixpath.splitext(name)[1]
        if suffix not in _NEEDED:
            yield hint(advice_messages.NETWORK_SUFFIX, (*node.json_path, "path"), path=node.path)
            continue
        text = text_of(node.item.get("contents", {})) if node.item.get("contents", {}).get("source") else None
        if text:
            yield from _contents(node, suffix, parse(text))
            yield from _devices(plan, node, suffix, parse(text))


def _contents(node: StorageNode, suffix: str, text: UnitText) -> Iterator[Hint]:
    path, section = (*node.json_path, "contents"), _NEEDED[suffix]
    if not any(item.section == section for item in text.assignments):
        fix = (
            "Write for example [Match] and Name=eth0." if section == "Match" else "Write [NetDev] with Name= and Kind=."
        )
        yield hint(advice_messages.NETWORK_SECTION, path, suffix=suffix, section=section, fix=fix)
        return
    # The keys of .link files are udev's.
    if suffix == ".link":
        return
    known = network_keys()
    for name in dict.fromkeys(name for name, _ in text.sections):
        if name not in known and not name.startswith("X-"):
            close = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
            # A section that resembles none may be new in a later systemd.
            if close:
                fix = f"Did you mean [{close[0]}]?"
                yield hint(advice_messages.NETWORK_UNKNOWN, path, section=name, path=node.path, fix=fix)
    for item in text.assignments:
        if item.section in known:
            yield from _assignment(node, item)


def _devices(plan: Plan, node: StorageNode, suffix: str, text: UnitText) -> Iterator[Hint]:
    """Yield a VLAN without a number, and network devices that no file makes: networkd knows those of .netdev files only."""
    given = {(item.section, item.key): item.value for item in text.assignments}
    path = (*node.json_path, "contents")
    if suffix == ".netdev" and given.get(("NetDev", "Kind")) == "vlan" and not given.get(("VLAN", "Id")):
        yield hint(advice_messages.NETWORK_NO_ID, path)
    if suffix != ".network" or not plan.is_whole:
        return
    made = _made(plan)
    for item in text.assignments:
        if item.section != "Network" or item.key not in _STACKED or item.value in made or not item.value:
            continue
        close = difflib.get_close_matches(item.value, sorted(made), n=1, cutoff=0.6)
        example = f"with [NetDev], Name={item.value} and Kind={item.key.lower()}"
        fix = f"Is {close[0]} meant?" if close else f"Write a file /etc/systemd/network/{item.value}.netdev {example}."
        yield hint(advice_messages.NETWORK_NO_DEVICE, path, key=item.key, device=item.value, path=node.path, fix=fix)


def _made(plan: Plan) -> set[str]:
    """The names of the .netdev files' devices."""
    texts = [text_of(node.item.get("contents", {})) or "" for node in plan.files() if node.path.endswith(".netdev")]
    items = [item for text in texts for item in parse(text).assignments]
    return {item.value for item in items if (item.section, item.key) == ("NetDev", "Name")}


def _assignment(node: StorageNode, item: Assignment) -> Iterator[Hint]:
    keys, path = network_keys()[item.section], (*node.json_path, "contents")
    if (item.section, item.key) == ("Bond", "Mode") and item.value and item.value not in _BOND_MODES:
        number = int(item.value) if is_number(item.value) else len(_BOND_MODES)
        fix = (
            f"Write Mode={_BOND_MODES[number]}."
            if number < len(_BOND_MODES)
            else f"It is one of {', '.join(_BOND_MODES)}."
        )
        yield hint(advice_messages.NETWORK_VALUE, path, key="Mode", value=item.value, path=node.path, fix=fix)
    if item.section in ("Network", "Address", "Route"):
        yield from _value(node, item)
    if item.key in keys or item.key.startswith("X-"):
        return
    elsewhere = [name for name in ("Network", "Match", "Link", "DHCPv4", "Route") if item.key in network_keys()[name]]
    close = difflib.get_close_matches(item.key.lower(), {key.lower(): key for key in keys}, n=1, cutoff=0.8)
    fix = _FOREIGN.get(item.key.lower(), "")
    if item.section == "NetDev":
        elsewhere = []
        fix = "Write Kind=, for example Kind=bridge." if item.key.lower() == "type" else fix
    if not fix and elsewhere:
        fix = f"It belongs into the section [{elsewhere[0]}]."
    if not fix and close:
        fix = f"Did you mean {next(key for key in keys if key.lower() == close[0])}=?"
    # A key that resembles nothing may be new in a later systemd.
    if fix:
        yield hint(advice_messages.NETWORK_KEY, path, key=item.key, section=item.section, path=node.path, fix=fix)


def _value(node: StorageNode, item: Assignment) -> Iterator[Hint]:
    """Yield addresses that networkd cannot read, or reads as another one."""
    path, values = (*node.json_path, "contents"), {"key": item.key, "value": item.value, "path": node.path}
    if item.key == "Address" and item.section != "Route":
        if _IPV4.fullmatch(item.value) and _is_address(item.value):
            yield hint(advice_messages.NETWORK_PREFIX, path, address=item.value, path=node.path)
        elif item.value and not _is_interface(item.value):
            yield hint(advice_messages.NETWORK_VALUE, path, **values, fix="Write Address=192.0.2.10/24.")
    elif item.key == "Gateway" and item.value and not item.value.startswith("_") and not _is_address(item.value):
        if item.value not in ("yes", "no", "true", "false", "on", "off", "dhcp", "ipv6ra"):
            yield hint(advice_messages.NETWORK_VALUE, path, **values, fix="Write the address alone: Gateway=192.0.2.1.")
    elif item.key in ("DNS", "NTP"):
        word = next((word for word in item.value.split() if "," in word or ";" in word), "")
        if word:
            fix = "Separate the addresses with spaces, without commas."
            yield hint(advice_messages.NETWORK_VALUE, path, **{**values, "value": word}, fix=fix)


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def _is_interface(value: str) -> bool:
    try:
        ipaddress.ip_interface(value)
    except ValueError:
        return False
    # A netmask behind the slash is Python's, not networkd's.
    return "." not in value.partition("/")[2]
