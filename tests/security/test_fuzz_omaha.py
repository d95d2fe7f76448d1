"""Made-up Omaha requests and made-up bytes: an answer or a hang-up, and never a traceback."""

from __future__ import annotations

import logging
import socket
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import suppress
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flatkit.errors import InputError
from flatkit.untrusted import printable
from flatkit.updates.channels import Channels
from flatkit.updates.connection_limits import Limits
from flatkit.updates.omaha import FLATCAR_APPID, Offer, Package, Refusal, Request, build_response, parse_request
from flatkit.updates.server import UpdateServer

PACKAGE = Package(name="\x00\x1b\ud800 .gz", size=1, sha1="00" * 20, sha256="00" * 32)
XML = st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters="\ufffe\uffff")
NAMES = [
    "appid", "version", "track", "machineid", "bootid", "board", "oem", "machinealias", "alephversion", "eventtype",
    "eventresult", "errorcode", "previousversion", "active",
]  # fmt: skip
VALUES = st.one_of(
    st.sampled_from([FLATCAR_APPID, "1.2.3", "stable", "{x}", "3", "٣", "²", "-1", "1" * 30, "0x1", "1e9", " 3"]),
    st.text(XML, max_size=100),
)


TAGS = st.sampled_from(["app", "app", "event", "ping", "updatecheck", "request"])
ATTRIBUTES = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4).map(
    lambda values: "".join(f" {key}={quoteattr(value)}" for key, value in values.items())
)
LEAVES = st.builds("<{0}{1}/>".format, TAGS, ATTRIBUTES)
APPS = st.builds("<{0}{1}>{2}</{0}>".format, TAGS, ATTRIBUTES, st.lists(LEAVES, max_size=3).map("".join))
requests = st.lists(APPS, max_size=5).map(lambda found: f'<request protocol="3.0">{"".join(found)}</request>'.encode())


def parsed(data: bytes) -> Request | InputError:
    try:
        return parse_request(data)
    except InputError as error:
        return error


@given(requests)
def test_any_request_is_answered_in_xml_or_refused(data: bytes) -> None:
    request = parsed(data)
    if isinstance(request, InputError):
        assert request.message == printable(request.message, limit=1000)
        return
    offer = Offer(version="\x01\ufffe", codebase="http://\x0b/", packages=(PACKAGE,))
    answer = ET.fromstring(build_response(request, {app.appid: offer for app in request.apps}))
    assert len(answer.findall("app")) == len(request.apps)
    for app in request.apps:
        texts = (app.version, app.track, app.machine_id, app.alias, app.oem, app.board, app.aleph_version)
        assert all(text == printable(text, limit=300) for text in texts)
        Channels().answer(app)


def app_xml(attributes: str = "", inside: str = "") -> str:
    return f'<app appid="{FLATCAR_APPID}" {attributes}>{inside}</app>'


REFUSED = [
    (app_xml() * 17, "has 17 <app> elements; expected at most 16"),
    (app_xml('machineid="a"') + app_xml('machineid="b"'), "names several machines"),
    (app_xml(inside='<event eventtype="3" eventresult="1"/>' * 33), "too many events; expected at most 32"),
    (app_xml(inside="<x/>" * 300), "is too large; expected at most 256 elements"),
    ("<x>" * 1000 + "</x>" * 1000, "8 deep"),
    (app_xml('version="1" version="2"'), "duplicate attribute"),
    (app_xml(inside='<event eventtype="٣" eventresult="1"/>'), "expected a number"),
    (app_xml(inside='<event eventtype="33333333333333333333" eventresult="1"/>'), "expected a number"),
]


@pytest.mark.parametrize(("inside", "expected"), REFUSED)
def test_what_no_machine_sends_is_refused(inside: str, expected: str) -> None:
    with pytest.raises(InputError, match=expected) as caught:
        parse_request(f'<request protocol="3.0">{inside}</request>'.encode())
    assert caught.value.message == printable(caught.value.message, limit=1000)


@pytest.mark.parametrize(
    ("attributes", "field", "kept", "is_registrable"),
    [
        ('version="a b"', "version", "a b", False),
        (f'version="1.2.3-{"1" * 249}"', "version", "1.2.3-" + "1" * 249, True),
        (f'version="1.2.3-{"1" * 250}"', "version", "1.2.3-" + "1" * 249 + "...", False),
        ('version="1.2.3-rc.01"', "version", "1.2.3-rc.01", False),
        ('track="a&#10;&#x85;b"', "track", r"a\n\x85b", True),
        (f'track="{"x" * 65}"', "track", "x" * 64 + "...", True),
        ('machinealias="&#x202e;"', "alias", r"\u202e", True),
        ('machineid="../&lt;b> $(x)"', "machine_id", "../<b> $(x)", True),
        (f'machineid="{"x" * 51}"', "machine_id", "x" * 50 + "...", False),
        ('machineid=""', "machine_id", "", False),
        ('board="a;b"', "board", "a;b", True),
        ('oem="&lt;"', "oem", "<", True),
        (f'oem="{"x" * 257}"', "oem", "x" * 256 + "...", False),
    ],
)
def test_odd_texts_of_a_machine_stay_texts(attributes: str, field: str, kept: str, is_registrable: bool) -> None:
    """As in Nebraska a machine with such a text is answered; its table's lengths are the limits."""
    given = {"machineid": "m", "version": "1.2.3", "track": "stable"}
    rest = " ".join(f'{name}="{text}"' for name, text in given.items() if not attributes.startswith(f"{name}="))
    data = f'<request protocol="3.0">{app_xml(f"{rest} {attributes}", "<updatecheck/>")}</request>'
    (app,) = parse_request(data.encode()).apps
    assert getattr(app, field) == kept
    assert app.is_registrable is is_registrable
    channels = Channels()
    channels.set_group(app.track if app.track.isalpha() else "stable", channel="stable")
    answer = channels.answer(app)
    assert (answer is Refusal.REGISTRATION) is (not is_registrable)
    assert str(channels)


def test_a_request_needs_no_application_no_protocol_and_no_short_application() -> None:
    assert parse_request(b"<request/>").apps == ()
    assert b"<daystart" in build_response(parse_request(b'<request protocol="2.0"/>'), {})
    (app,) = parse_request(f'<request><app appid="{"x" * 1000}&#10;&lt;"/></request>'.encode()).apps
    (answered,) = ET.fromstring(build_response(Request(apps=(app,)), {})).findall("app")
    assert answered.get("appid") == "x" * 1000 + "\n<"


@pytest.fixture(scope="module")
def live() -> Iterator[UpdateServer]:
    with UpdateServer(limits=Limits(head_seconds=5, body_seconds=5, idle_seconds=5, stall_seconds=5)) as server:
        yield server


def say(server: UpdateServer, data: bytes) -> bytes:
    """What the server says to these bytes until it hangs up: that it does is a part of the test."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=120) as connection:
        found = b""
        with suppress(ConnectionError):
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65536):
                found += piece
        return found


LINES = st.sampled_from(
    [
        b"GET / HTTP/1.1", b"POST /v1/update/ HTTP/1.1", b"HEAD / HTTP/1.0", b"GET http://[zz]/ HTTP/1.1", b"PRI * HTTP/2.0",
        b"Host: x", b"Host: [::1]:5", b"Content-Length: 5", b"Content-Length: 00", b"Content-Length: x", b"Connection: close",
        b"Transfer-Encoding: chunked", b"Transfer-Encoding: x, chunked", b"Expect: 100-continue", b"Upgrade: h2c",
        b"Connection: Upgrade", b"Range: bytes=0-", b"Range: bytes=9-1", b"If-Range: \"x\"", b"If-None-Match: *", b"", b"5", b"0",
        b"hello", b'<request protocol="3.0"/>', b" folded", b"a" * 5000,
    ]
)  # fmt: skip
RAW = st.one_of(
    st.binary(max_size=300),
    st.lists(st.one_of(LINES, st.binary(max_size=20)), max_size=15).map(b"\r\n".join),
    st.lists(LINES, max_size=15).map(lambda lines: b"\r\n".join([b"GET / HTTP/1.1", *lines, b"", b""])),
    requests.map(lambda data: b"POST /v1/update/ HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(data) + data),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(RAW)
def test_any_bytes_are_answered_or_hung_up_on(
    live: UpdateServer, caplog: pytest.LogCaptureFixture, data: bytes
) -> None:
    said = say(live, data)
    assert said == b"" or said.startswith(b"HTTP/1.")
    assert b"Traceback" not in said
    assert b" 500 " not in said
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_the_server_still_answers(live: UpdateServer) -> None:
    assert say(live, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").startswith(b"HTTP/1.1 200 ")
