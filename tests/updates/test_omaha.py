from __future__ import annotations

import base64
import hashlib
import xml.etree.ElementTree as ET
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatkit.errors import InputError
from flatkit.updates.omaha import Offer, Package, Refusal, UpdateEvent, build_response, parse_request

GOLDEN = Path(__file__).resolve().parent / "golden"
APPID = "{e96281a6-d1af-4bde-9a0a-97b76e56dc57}"


def golden(name: str) -> bytes:
    return (GOLDEN / name).read_bytes()


def package(name: str, data: bytes) -> Package:
    return Package(
        name=name, size=len(data), sha1=hashlib.sha1(data).hexdigest(), sha256=hashlib.sha256(data).hexdigest()
    )


OFFER = Offer(
    version="4593.2.5",
    codebase="http://10.0.2.2:8080/amd64-usr/4593.2.5/",
    packages=(package("flatcar_production_update.gz", b"hello"), package("oem-qemu.gz", b"world!")),
)


def test_a_check_as_flatcars_client_sends_it() -> None:
    request = parse_request(golden("check.request.xml"))
    assert request.is_on_demand
    (app,) = request.apps
    assert app.appid == APPID
    assert app.is_flatcar
    assert (app.version, app.track, app.group, app.aleph_version) == ("4593.2.4", "stable", "stable", "4593.2.0")
    assert app.machine_id == "0123456789abcdef0123456789abcdef"
    assert app.boot_id == "{6a4e2b1c-0d5f-4c43-9b0e-1f2a3b4c5d6e}"
    assert (app.board, app.oem, app.alias) == ("amd64-usr", "qemu", "")
    assert app.is_update_check
    assert app.is_ping
    assert app.events == (UpdateEvent(type=3, result=2, previous_version="0.0.0.0"),)


def test_an_event_tells_of_a_rollback() -> None:
    request = parse_request(golden("event.request.xml"))
    (app,) = request.apps
    assert not request.is_on_demand
    assert not app.is_update_check
    assert not app.is_ping
    assert [event.is_rollback for event in app.events] == [True]
    assert (
        str(app.events[0])
        == "update complete: error 44: rolled back: the old version is still running after the update"
    )


@pytest.mark.parametrize(
    ("request_name", "offers", "response_name"),
    [
        ("check.request.xml", {APPID: OFFER}, "offer.response.xml"),
        ("check.request.xml", {APPID: None}, "noupdate.response.xml"),
        ("check.request.xml", {}, "unknown.response.xml"),
        ("check.request.xml", {APPID: Refusal.UNKNOWN}, "unknown.response.xml"),
        ("check.request.xml", {APPID: Refusal.PAUSED}, "paused.response.xml"),
        ("event.request.xml", {APPID: OFFER}, "event.response.xml"),
    ],
)
def test_the_answers(request_name: str, offers, response_name: str) -> None:
    request = parse_request(golden(request_name))
    assert build_response(request, offers).decode() == golden(response_name).decode()


def test_the_answer_has_what_the_client_reads_where_it_reads_it() -> None:
    """The paths are those of update_engine's omaha_request_action."""
    root = ET.fromstring(build_response(parse_request(golden("check.request.xml")), {APPID: OFFER}))
    check = root.find("./app/updatecheck")
    assert check is not None
    assert check.get("status") == "ok"
    assert [url.get("codebase") for url in check.iterfind("urls/url")] == [OFFER.codebase]
    assert check.find("manifest").get("version") == "4593.2.5"
    first, second = check.iterfind("manifest/packages/package")
    assert (first.get("name"), first.get("size")) == ("flatcar_production_update.gz", "5")
    assert base64.b64decode(first.get("hash")) == hashlib.sha1(b"hello").digest()
    assert (second.get("hash_sha256"), second.get("required")) == (hashlib.sha256(b"world!").hexdigest(), "false")
    action = check.find("manifest/actions/action[@event='postinstall']")
    assert base64.b64decode(action.get("sha256")) == hashlib.sha256(b"hello").digest()


def flat(element: ET.Element, path: str = "") -> list[tuple[str, dict[str, str]]]:
    """Each element in order: its path, and what it says."""
    here = f"{path}/{element.tag}"
    return [(here, dict(element.attrib)), *(row for child in element for row in flat(child, here))]


def test_the_answer_is_nebraskas_but_for_the_servers_name_and_one_more_hash() -> None:
    """Nebraska's order and attributes (its omaha.go and the example in ue-rs); an OS payload may have both hashes."""
    ours = flat(ET.fromstring(build_response(parse_request(golden("check.request.xml")), {APPID: OFFER})))
    theirs = flat(ET.fromstring(golden("nebraska.response.xml")))
    assert (ours[0][1].pop("server"), theirs[0][1].pop("server")) == ("flatkit", "nebraska")
    (first,) = [values for path, values in ours if values.get("required") == "true"]
    assert first.pop("hash_sha256") == hashlib.sha256(b"hello").hexdigest()
    assert ours == theirs


def test_a_check_as_ue_rs_sends_it() -> None:
    """It says less than update_engine: no ping, no board, no boot id, and another word for "a person asked"."""
    request = parse_request(golden("ue-rs.request.xml"))
    (app,) = request.apps
    assert request.is_on_demand
    assert (app.version, app.group, app.known_board, app.machine_id[:4]) == ("0.0.0", "stable", "amd64-usr", "fedc")
    assert (app.is_flatcar, app.is_update_check, app.is_ping, app.events) == (True, True, False, ())
    root = ET.fromstring(build_response(request, {APPID: OFFER}))
    # ue-rs reads nothing else, and has no answer without them.
    for needed in ("app[@appid][@status]", "app/updatecheck/urls/url[@codebase]", "app/updatecheck/manifest[@version]"):
        assert root.find(needed) is not None


def app_xml(attributes: str = "", inside: str = "") -> bytes:
    return f'<request protocol="3.0"><app appid="{APPID}" {attributes}>{inside}</app></request>'.encode()


@pytest.mark.parametrize(
    ("track", "group"),
    [
        ("beta", "beta"),
        ("", ""),
        ("LTS-2024", "LTS-2024"),
        (" stable", " stable"),
        ("5b810680-e36a-4879-b98a-4f989e80b899", "alpha"),
        ("9a2deb70-37be-4026-853f-bfdd6b347bbe", "stable"),
        ("{9a2deb70-37be-4026-853f-bfdd6b347bbe}", "{9a2deb70-37be-4026-853f-bfdd6b347bbe}"),
        ("9A2DEB70-37BE-4026-853F-BFDD6B347BBE", "9A2DEB70-37BE-4026-853F-BFDD6B347BBE"),
        ("d112ec01-ba34-4a9e-9d4b-9814a685f266", "beta"),
    ],
)
def test_a_track_is_a_name_or_a_groups_identifier(track: str, group: str) -> None:
    assert parse_request(app_xml(f'track="{track}"')).apps[0].group == group


@pytest.mark.parametrize(
    ("board", "known"), [("arm64-usr", "arm64-usr"), ("amd64-usr", "amd64-usr"), ("", "amd64-usr"), ("pi", "amd64-usr")]
)
def test_the_board_decides_whose_releases_fit(board: str, known: str) -> None:
    assert parse_request(app_xml(f'board="{board}"')).apps[0].known_board == known


def test_a_lab_machine_says_so() -> None:
    lab = app_xml().replace(b'protocol="3.0"', b'protocol="3.0" updaterversion="flatcar-lab-110.2.0"')
    assert parse_request(lab).apps[0].is_lab
    assert not parse_request(golden("check.request.xml")).apps[0].is_lab


def test_what_is_not_said_is_empty() -> None:
    (app,) = parse_request(app_xml()).apps
    assert (app.version, app.machine_id, app.is_update_check, app.is_ping, app.events) == ("", "", False, False, ())
    assert parse_request(app_xml(inside='<ping active="0"/>')).apps[0].is_ping  # Nebraska answers it


@pytest.mark.parametrize(
    "value",
    ["", "1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False", " true\t", "\u00a0f\u2003"],
)
def test_yes_or_no_as_go_reads_it(value: str) -> None:
    assert parse_request(app_xml(f'delta_okay="{value}"')).apps


@pytest.mark.parametrize(
    ("text", "number"), [("+7", 7), ("007", 7), ("0" * 30 + "7", 7), ("\u00a07 ", 7), ("-7", -7), ("", 0)]
)
def test_a_number_as_go_reads_it(text: str, number: int) -> None:
    inside = f'<event eventtype="{text}" eventresult="1"/><ping active="{text}"/>'
    assert parse_request(app_xml(inside=inside)).apps[0].events[0].type == number


# What XML may contain, and Go's isInCharacterRange accepts.
CHARACTERS = st.characters(exclude_categories=["Cs"]).filter(
    lambda one: one in "\t\n\r" or " " <= one not in "\ufffe\uffff"
)


@given(
    st.text(CHARACTERS, max_size=40), st.sampled_from(["version", "oem", "machineid", "machinealias", "track", "board"])
)
def test_any_text_of_a_machine_is_answered(text: str, name: str) -> None:
    """As Nebraska answers it: as characters and as references."""
    for written in (escape(text, {'"': "&quot;"}), "".join(f"&#{ord(one)};" for one in text)):
        request = parse_request(app_xml(f'{name}="{written}"', inside="<updatecheck/>"))
        assert b"<updatecheck status=" in build_response(request, {app.appid: None for app in request.apps})


def test_other_applications_and_two_at_once() -> None:
    request = parse_request(
        b'<request protocol="3.0"><app appid="one"><updatecheck/></app><app appid="two"/></request>'
    )
    assert [app.is_flatcar for app in request.apps] == [False, False]
    root = ET.fromstring(build_response(request, {"one": None}))
    assert [app.get("status") for app in root.iterfind("app")] == ["ok", "error-failedToRetrieveUpdatePackageInfo"]


def test_odd_text_is_escaped() -> None:
    request = parse_request(b'<request protocol="3.0"><app appid="&lt;&quot;&amp;&#10;"><updatecheck/></app></request>')
    root = ET.fromstring(build_response(request, {}))
    assert root.find("app").get("appid") == '<"&\n'


BOMB = b"""<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>
<request protocol="3.0"><app appid="&b;"/></request>"""
REFUSED = [
    (b"", "is not XML: no element found"),
    (b"<request", "is not XML"),
    (b"{}", "is not XML"),
    (b'<?xml version="1.0" encoding="klingon"?><request protocol="3.0"/>', "is not XML: unknown encoding"),
    (BOMB, "has a document type declaration"),
    (BOMB.decode().replace("?>", ' encoding="utf-16"?>', 1).encode("utf-16"), "has a document type declaration"),
    (b'<!DOCTYPE r SYSTEM "file:///etc/passwd"><r/>', "has a document type declaration"),
    (b"<response/>", "<response> is not an Omaha request; expected <request>"),
    (app_xml(inside='<event eventtype="x" eventresult="1"/>'), 'has eventtype="x"; expected a number'),
    (app_xml(inside='<event eventtype="3" eventresult="one"/>'), 'has eventresult="one"; expected a number'),
    (app_xml(inside='<event eventtype="3" eventresult="0" errorcode="-1.5"/>'), 'has errorcode="-1.5"'),
    (
        app_xml(inside='<event eventtype="3" eventresult="0" errorcode=" "/>'),
        '<event> of the Omaha request has errorcode=" "',
    ),
    (
        app_xml(inside='<event eventtype="3" eventresult="9223372036854775808"/>'),
        'has eventresult="9223372036854775808"',
    ),
    (app_xml('delta_okay="maybe"'), '<app> of the Omaha request has delta_okay="maybe"; expected true or false'),
    (app_xml('delta_okay=" "'), 'has delta_okay=" "'),
    (app_xml('delta_okay="tRue"'), 'has delta_okay="tRue"'),
    (app_xml('multi_manifest_ok="yes"'), 'has multi_manifest_ok="yes"'),
    (app_xml(inside='<ping active="yes"/>'), '<ping> of the Omaha request has active="yes"; expected a number'),
    (app_xml(inside='<ping a="1_0"/>'), 'has a="1_0"'),
    (
        app_xml().replace(b"<request ", b'<request ismachine="true" '),
        '<request> of the Omaha request has ismachine="true"',
    ),
    (b'<request protocol="3.0">' + b" " * 70000 + b"</request>", "has 70034 bytes; expected at most 65536"),
    (b'<request protocol="3.0"><app appid="&undefined;"/></request>', "is not XML: undefined entity"),
]


@pytest.mark.parametrize(("data", "expected"), REFUSED)
def test_what_is_no_request_is_refused(data: bytes, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_request(data)
    assert expected in caught.value.message


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        parse_request(data)


def test_unknown_numbers_of_events_are_told_as_numbers() -> None:
    assert str(UpdateEvent(type=99, result=7, error_code=99)) == "event 99: result 7 99: see update_engine"
    assert str(UpdateEvent(type=13, result=1)) == "download started: success"
