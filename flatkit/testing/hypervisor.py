"""A hypervisor for tests: libvirt's own test driver, which keeps domains but runs none, and a fake guest in each.

The driver lives inside the process and forgets everything when its last connection is closed.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

from flatkit.errors import MachineError
from flatkit.machines.domain import METADATA_URI
from flatkit.machines.hypervisor import Activity, Hypervisor
from flatkit.testing.guest import FakeGuest

TEST_URI = "test:///default"


class FakeHypervisor(Hypervisor):
    """Takes flatkit's domain XML as it is, and powers a FakeGuest on when the domain starts.

    `refusals` are errors that `start` raises, one each time, before it succeeds.
    """

    def __init__(self, guest: Callable[[], FakeGuest] = FakeGuest) -> None:
        super().__init__(TEST_URI)
        self._make_guest = guest
        self.guests: dict[str, FakeGuest] = {}
        self.defined: dict[str, str] = {}
        self.refusals: list[MachineError] = []

    def define(self, xml: str) -> None:
        """Keep the XML, and give the test driver as much of it as it knows."""
        domain = ET.fromstring(xml)  # noqa: S314  (our own)
        name = domain.findtext("name", "")
        super().define(_reduced(domain))
        self.defined[name] = xml

    def start(self, domain: str) -> None:
        """Start the domain and its guest."""
        if self.refusals:
            raise self.refusals.pop(0)
        super().start(domain)
        self._power_on(domain)

    def revert(self, domain: str, name: str) -> None:
        """Bring the snapshot back; everyone who is logged in is dropped, as when the machine really returns."""
        was_on = self.status(domain).state.is_active
        super().revert(domain, name)
        if was_on:
            self.guests[domain].hang_up()
        else:
            self._power_on(domain)

    def _power_on(self, domain: str) -> None:
        if domain not in self.guests:
            self.guests[domain] = self._make_guest()
        xml = self.defined[domain]
        port = re.search(r"hostfwd=tcp:127\.0\.0\.1:(\d+)-:22\b", xml)
        log = re.search(r'<log file="([^"]+)"', xml)
        assert port
        assert log
        self.guests[domain].power_on(Path(log[1]), int(port[1]))

    def activity(self, domain: str) -> Activity:  # noqa: ARG002
        """Nothing: the test driver's own clock runs on, as if each guest worked all the time."""
        return Activity()

    def shutdown(self, domain: str) -> None:
        """Shut down, guest and all."""
        super().shutdown(domain)
        self._power_off(domain)

    def kill(self, domain: str) -> None:
        """Switch off, guest and all: there is no process to kill."""
        self.destroy(domain)

    def destroy(self, domain: str) -> None:
        """Switch off, guest and all."""
        super().destroy(domain)
        self._power_off(domain)

    def close(self) -> None:
        """Switch everything off."""
        for domain in list(self.guests):
            self._power_off(domain)
        super().close()

    def _power_off(self, domain: str) -> None:
        if domain in self.guests:
            self.guests[domain].power_off()


def _reduced(domain: ET.Element) -> str:
    reduced = ET.Element("domain", {"type": "test"})
    for tag in ("name", "uuid", "title", "memory", "vcpu"):
        found = domain.find(tag)
        if found is not None:
            reduced.append(found)
    mark = domain.find(f"metadata/{{{METADATA_URI}}}machine")
    assert mark is not None
    ET.SubElement(reduced, "metadata").append(mark)
    ET.SubElement(ET.SubElement(reduced, "os"), "type").text = "hvm"
    return ET.tostring(reduced, encoding="unicode")
