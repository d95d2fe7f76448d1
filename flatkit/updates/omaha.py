"""Omaha 3.0 as Flatcar's update_engine speaks it: a request as a value, and its answer as XML. Pure.

Sources: update_engine's omaha_request_action.{cc,h} (the client's requests, and the paths that it reads in the answer) and
action_processor.h (error codes), Nebraska's backend/pkg/omaha and api/events.go (group names, events), go-omaha (the form of
numbers), ue-rs (further packages). channels.py decides about the offers.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from flatkit.errors import InputError
from flatkit.untrusted import printable

if TYPE_CHECKING:
    import xml.etree.ElementTree as ET

FLATCAR_APPID = "e96281a6-d1af-4bde-9a0a-97b76e56dc57"
REQUEST_LIMIT = 64 * 1024
APPS_MAX = 16  # a Flatcar machine sends one
EVENTS_MAX = 32  # in all of a request
_ELEMENTS_MAX = 256
_DEPTH_MAX = 8
_TEXT_MAX = 64
# Nebraska's table of machines takes no longer ones: it then registers no machine, and its update check is refused.
_LENGTHS = {"machineid": 50, "version": 255, "oem": 256, "machinealias": 256, "alephversion": 256}
_NUMBER = "(0|[1-9][0-9]*)"
_LABEL = rf"({_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_SEMANTIC = re.compile(rf"{_NUMBER}(\.{_NUMBER}){{2}}(-{_LABEL}(\.{_LABEL})*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?")
_WHOLE = re.compile("[+-]?0*[0-9]{1,19}")
_YES_OR_NO = frozenset(
    ("1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False")
)  # Go's ParseBool
# Attributes that are not used here. As in Nebraska (go-omaha's protocol.go), a request with a malformed one is refused.
_NUMBERS = {".": ("ismachine",), "app/ping": ("active", "a", "r")}
_BOOLEANS = ("delta_okay", "multi_manifest_ok")
_HEX = {"form": re.compile("([0-9a-f]{2})*"), "expected": "hex digits"}
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

# Groups that old machines name by their identifier: four for amd64, four for arm64.
_GROUPS = {
    "5b810680-e36a-4879-b98a-4f989e80b899": "alpha",
    "3fe10490-dd73-4b49-b72a-28ac19acfcdc": "beta",
    "9a2deb70-37be-4026-853f-bfdd6b347bbe": "stable",
    "72834a2b-ad86-4d6d-b498-e08a19ebe54e": "edge",
    "e641708d-fb48-4260-8bdf-ba2074a1147a": "alpha",
    "d112ec01-ba34-4a9e-9d4b-9814a685f266": "beta",
    "11a585f6-9418-4df0-8863-78b2fd3240f8": "stable",
    "b4b2fa22-c1ea-498c-a8ac-c1dc0b1d7c17": "edge",
}
BOARDS = ("amd64-usr", "arm64-usr")
# update_engine adds flags to an error code: 2^28 when its server is not Flatcar's public one, 2^29 on a test image, 2^30 for a
# resumed download, 2^31 in developer mode (as a signed number the code is then negative).
_ERROR_CODE_BITS = (1 << 28) - 1
EVENT_TYPES = {3: "update complete", 13: "download started", 14: "download finished", 800: "update installed"}
EVENT_KINDS = frozenset({(3, 0), (3, 1), (3, 2), (13, 1), (14, 1), (800, 1)})  # those that Nebraska stores
EVENT_RESULTS = {0: "error", 1: "success", 2: "success, reboot", 9: "deferred"}
ERROR_CODES = {
    4: "the running slot could not be copied to the other one",
    5: "the post-install step failed",
    9: "the transfer failed",
    10: "the payload has another hash than promised",
    12: "the payload cannot be verified",
    18: "the payload's signature does not fit the public key",
    29: "a part of the payload has another hash than promised",
    30: "the answer was empty",
    31: "the answer was no XML",
    34: "the answer was not valid",
    37: "the server answered with an HTTP error",
    44: "rolled back: the old version is still running after the update",
    100: "the download was not completed",
}


def _meaning_of(code: int) -> str:
    if 2000 < code < 2600:  # kOmahaRequestHTTPResponseBase
        return f"the update server answered with HTTP status {code - 2000}"
    return ERROR_CODES.get(code, "see update_engine")


class Refusal(str, Enum):
    """The reason why a machine's question is refused, in Nebraska's words; its update check then says `error-internal`."""

    UNKNOWN = "error-failedToRetrieveUpdatePackageInfo"  # no such application, or no such group
    PAUSED = "error-updatesDisabled"
    REGISTRATION = "error-instanceRegistrationFailed"  # see AppRequest.is_registrable

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True)
class UpdateEvent:
    """An event reported by a machine; the numbers are Omaha's."""

    type: int
    result: int
    error_code: int = 0
    previous_version: str = ""

    @property
    def is_rollback(self) -> bool:
        """True when the machine tried a new version and came back to the old one."""
        return (self.type, self.result, self.error_code) == (3, 0, 44)

    @property
    def is_ignored(self) -> bool:
        """True for an event that reports nothing, as in Nebraska.

        update_engine sends 3/2 with every check, and names a previous version only after an update. Nebraska stores no
        events other than EVENT_KINDS.
        """
        if (self.type, self.result) == (3, 2):
            return self.previous_version in {"", "0.0.0.0"}  # noqa: S104  (a version, no address)
        return (self.type, self.result) not in EVENT_KINDS

    def __str__(self) -> str:
        what = EVENT_TYPES.get(self.type, f"event {self.type}")
        how = EVENT_RESULTS.get(self.result, f"result {self.result}")
        code = f" {self.error_code}: {_meaning_of(self.error_code)}" if self.error_code else ""
        return f"{what}: {how}{code}"


@dataclass(frozen=True, kw_only=True)
class AppRequest:
    """The request of one application on a machine; a Flatcar machine has one, the OS. `is_lab`: a lab machine's client.

    A machine chooses the texts: hidden characters are escaped, and `fits` is False when one of _LENGTHS is exceeded.
    """

    appid: str
    version: str
    track: str
    machine_id: str
    boot_id: str = ""
    board: str = ""
    oem: str = ""
    alias: str = ""
    aleph_version: str = ""
    is_lab: bool = False
    fits: bool = True
    is_update_check: bool = False
    is_ping: bool = False
    events: tuple[UpdateEvent, ...] = ()

    @property
    def is_flatcar(self) -> bool:
        """True for Flatcar's own application: its id in lower case, as in Nebraska, with or without braces."""
        return self.appid in {FLATCAR_APPID, f"{{{FLATCAR_APPID}}}"}

    @property
    def group(self) -> str:
        """The group of the track, given by its name (mostly a channel's) or by its identifier; both exactly, as in Nebraska."""
        return _GROUPS.get(self.track, self.track)

    @property
    def is_registrable(self) -> bool:
        """True for a machine with an identity and a semantic version; Nebraska offers no other an update."""
        return bool(self.fits and self.machine_id and _SEMANTIC.fullmatch(self.version))

    @property
    def known_board(self) -> str:
        """The board whose releases fit the machine; as in Nebraska, the default is amd64."""
        return self.board if self.board in BOARDS else BOARDS[0]


@dataclass(frozen=True, kw_only=True)
class Request:
    """A whole request; `is_on_demand` when a user asked for it."""

    apps: tuple[AppRequest, ...]
    is_on_demand: bool = False


@dataclass(frozen=True, kw_only=True)
class Package:
    """A file of a release; digests in hex."""

    name: str
    size: int
    sha1: str = field(metadata=_HEX)
    sha256: str = field(metadata=_HEX)


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A version for a machine: the first package is the OS, others are extensions that its post-install step reads."""

    version: str
    codebase: str
    packages: tuple[Package, ...]


def parse_request(data: bytes) -> Request:
    """Parse a request; as in Nebraska, of any protocol version.

    Raises InputError when it is not an Omaha request, is larger or deeper than a machine's, or has a DTD (entity bombs).
    """
    root = _parse_xml(data)
    if root.tag != "request":
        raise InputError(f"<{printable(root.tag, limit=_TEXT_MAX)}> is not an Omaha request; expected <request>")
    is_lab = root.get("updaterversion", "").startswith("flatcar-lab")
    elements = root.findall("app")
    _check_unused(root)
    if len(elements) > APPS_MAX:
        raise InputError(f"the Omaha request has {len(elements)} <app> elements; expected at most {APPS_MAX}")
    apps = tuple(_app(element, is_lab=is_lab) for element in elements)
    if len({app.machine_id for app in apps}) > 1:
        raise InputError("the Omaha request names several machines; expected one machineid")
    if sum(len(app.events) for app in apps) > EVENTS_MAX:
        raise InputError(f"the Omaha request has too many events; expected at most {EVENTS_MAX}")
    # update_engine says "ondemandupdate", ue-rs "ondemand"
    return Request(apps=apps, is_on_demand=root.get("installsource", "").startswith("ondemand"))


def _parse_xml(data: bytes) -> ET.Element:
    import xml.etree.ElementTree as ET
    from xml.parsers import expat

    if len(data) > REQUEST_LIMIT:
        raise InputError(f"the Omaha request has {len(data)} bytes; expected at most {REQUEST_LIMIT}")
    builder = ET.TreeBuilder()
    parser = expat.ParserCreate()
    depth = count = 0

    def refuse(*_: object) -> None:
        raise InputError("the Omaha request has a document type declaration; none is expected")

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth, count
        depth, count = depth + 1, count + 1
        if depth > _DEPTH_MAX or count > _ELEMENTS_MAX:
            raise InputError(
                f"the Omaha request is too large; expected at most {_ELEMENTS_MAX} elements, {_DEPTH_MAX} deep"
            )
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"the Omaha request is not XML: {printable(error)}") from None
    return builder.close()


def _check_unused(root: ET.Element) -> None:
    for path, names in _NUMBERS.items():
        for element in root.iterfind(path):
            for name in names:
                _number(element, name)
    for app in root.iterfind("app"):
        for name in _BOOLEANS:
            text = app.get(name, "")
            if text and text.strip() not in _YES_OR_NO:
                raise _malformed(app, name, "true or false")


def _text(element: ET.Element, name: str) -> str:
    """Return an attribute as one line that is safe to show, "" when it is missing; what is too long is cut."""
    return printable(element.get(name, ""), limit=_LENGTHS.get(name, _TEXT_MAX))


def _app(element: ET.Element, *, is_lab: bool) -> AppRequest:
    return AppRequest(
        appid=element.get("appid", ""),
        version=_text(element, "version"),
        track=_text(element, "track"),
        machine_id=_text(element, "machineid"),
        boot_id=_text(element, "bootid"),
        board=_text(element, "board"),
        oem=_text(element, "oem"),
        alias=_text(element, "machinealias"),
        aleph_version=_text(element, "alephversion"),
        is_lab=is_lab,
        fits=all(len(element.get(name, "")) <= most for name, most in _LENGTHS.items()),
        is_update_check=element.find("updatecheck") is not None,
        is_ping=element.find("ping") is not None,
        events=tuple(_event(found) for found in element.iterfind("event")),
    )


def _event(element: ET.Element) -> UpdateEvent:
    return UpdateEvent(
        type=_number(element, "eventtype"),
        result=_number(element, "eventresult"),
        error_code=_number(element, "errorcode") & _ERROR_CODE_BITS,
        previous_version=_text(element, "previousversion"),
    )


def _number(element: ET.Element, name: str) -> int:
    """Return any number of 64 bits, as Nebraska reads it: 0 when it is missing or empty."""
    text = element.get(name, "")
    found = _WHOLE.fullmatch(text.strip())  # what Go's strings.TrimSpace takes off, as far as XML may contain it
    if found and -(2**63) <= int(found[0]) < 2**63:
        return int(found[0])
    if text:
        raise _malformed(element, name, "a number")
    return 0


def _malformed(element: ET.Element, name: str, expected: str) -> InputError:
    value = printable(element.get(name), limit=_TEXT_MAX)
    return InputError(f'<{element.tag}> of the Omaha request has {name}="{value}"; expected {expected}')


def build_response(request: Request, answers: Mapping[str, Offer | Refusal | None]) -> bytes:
    """Return the answer: `answers` has an entry for each known application (by its id as requested), None for no update.

    As in Nebraska's, nothing comes after an unknown application or group.
    """
    import xml.etree.ElementTree as ET

    root = ET.Element("response", {"protocol": "3.0", "server": "flatkit"})
    ET.SubElement(root, "daystart", {"elapsed_seconds": "0"})
    for asked in request.apps:
        answer = answers.get(asked.appid, Refusal.UNKNOWN)
        status = str(answer) if isinstance(answer, Refusal) else "ok"
        app = ET.SubElement(root, "app", {"appid": asked.appid, "status": status})
        if answer is Refusal.UNKNOWN:
            ET.SubElement(app, "updatecheck", {"status": "error-internal"})
            break
        if asked.is_ping:
            ET.SubElement(app, "ping", {"status": "ok"})
        if asked.is_update_check:
            _add_update_check(app, answer)
        for _ in asked.events:
            ET.SubElement(app, "event", {"status": "ok"})
    for element in root.iter():
        for name, value in element.items():
            element.set(name, _NOT_XML.sub("\ufffd", value))
    ET.indent(root, " ")
    text: str = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()


def _add_update_check(app: ET.Element, offer: Offer | Refusal | None) -> None:
    import xml.etree.ElementTree as ET

    if not isinstance(offer, Offer):
        ET.SubElement(app, "updatecheck", {"status": "error-internal" if offer else "noupdate"})
        return
    check = ET.SubElement(app, "updatecheck", {"status": "ok"})
    ET.SubElement(ET.SubElement(check, "urls"), "url", {"codebase": offer.codebase})
    manifest = ET.SubElement(check, "manifest", {"version": offer.version})
    packages = ET.SubElement(manifest, "packages")
    for index, package in enumerate(offer.packages):
        values = {
            "name": package.name,
            "hash": _base64(package.sha1),
            "hash_sha256": package.sha256,
            "size": str(package.size),
            "required": "false" if index else "true",
        }
        ET.SubElement(packages, "package", values)
    # Without DisablePayloadBackoff a client waits longer after each failure, too long for a lesson.
    action = {"event": "postinstall", "sha256": _base64(offer.packages[0].sha256), "DisablePayloadBackoff": "true"}
    ET.SubElement(ET.SubElement(manifest, "actions"), "action", action)


def _base64(digest: str) -> str:
    return base64.b64encode(bytes.fromhex(digest)).decode("ascii")
