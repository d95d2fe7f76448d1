"""What servers and networks do to a download: each against a real server that does just that."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from flatcar_parts import DATA, QUICK, STABLE, said

from flatkit.errors import FetchError, HostError, ImageError
from flatkit.events import Observer, Progressed, Tape
from flatkit.images import store
from flatkit.images.download import Download, DownloadProgress, say_seconds
from flatkit.images.fetch import Fetcher
from flatkit.images.mirrors import fetch_small
from flatkit.images.releases import Board, find_wanted
from flatkit.testing.flatcar_site import IMAGE, FlatcarSite, Misdeed


def ranges(site) -> list[str]:
    return [asked.range for asked in site.asked if asked.path.endswith(IMAGE)]


def is_clean(cache: Path) -> bool:
    """Nothing stands in the cache under an image's own name."""
    return not list(cache.rglob("*.img")) and store.list_cached() == []


def test_a_body_that_ends_early_is_gone_on_with(site, fetcher):
    site.inject(Misdeed(path=IMAGE, times=2, cut_after=1_000_000))
    assert fetcher.fetch(STABLE).path.read_bytes() == DATA
    assert ranges(site) == ["", "bytes=1000000-", "bytes=2000000-"]


def test_a_line_that_moves_on_is_not_given_up(site, fetcher):
    site.inject(Misdeed(path=IMAGE, times=20, cut_after=200_000))
    assert fetcher.fetch(STABLE).path.read_bytes() == DATA
    assert len(ranges(site)) > QUICK.tries


def test_a_server_that_never_sends_more_is_given_up_and_the_part_is_kept(site, fetcher, cache):
    site.inject(Misdeed(path=IMAGE, cut_after=1_500_000), Misdeed(path=IMAGE, times=0, cut_after=0))
    with pytest.raises(FetchError, match="ended after 1500000 of 3000000 bytes"):
        fetcher.fetch(STABLE)
    assert is_clean(cache)
    site.behave()
    site.asked.clear()
    assert fetcher.fetch(STABLE).path.read_bytes() == DATA
    assert ranges(site) == ["bytes=1500000-"]


def test_a_file_that_changes_between_two_parts_is_fetched_from_the_start(site, fetcher, tape):
    site.inject(Misdeed(path=IMAGE, cut_after=1_000_000, etag='"old"'))
    assert fetcher.fetch(STABLE).path.read_bytes() == DATA
    # The server sees by If-Range that it is another file, and sends the whole of it at once.
    assert ranges(site) == ["", "bytes=1000000-"]
    assert "has changed" in said(tape)


def test_a_server_that_ignores_if_range_is_noticed_by_the_entity_tag(site, fetcher, tape):
    site.inject(Misdeed(path=IMAGE, cut_after=1_000_000), Misdeed(path=IMAGE, etag='"new"'))
    assert fetcher.fetch(STABLE).path.read_bytes() == DATA
    assert ranges(site) == ["", "bytes=1000000-", ""]
    assert "changed meanwhile" in said(tape)


def test_a_mixture_without_entity_tags_is_noticed_by_the_digest(site, fetcher, tape):
    site.inject(Misdeed(path=IMAGE, cut_after=1_000_000, silent=True), Misdeed(path=IMAGE, silent=True, times=0))
    file = site.folder / "stable/amd64-usr/4593.2.5" / IMAGE
    file.write_bytes(b"\0" * len(DATA))

    class Mender(Tape):
        def notify(self, event):
            super().notify(event)
            if isinstance(event, Progressed) and event.done >= 0.1:
                # Another file in its place: an answer that is on its way goes on with the old one.
                file.with_name("new").write_bytes(DATA)
                file.with_name("new").replace(file)

    mender = Mender()
    assert replace(fetcher, observer=mender).fetch(STABLE).path.read_bytes() == DATA
    assert "do not fit together" in said(mender)


def test_a_server_without_ranges(site, fetcher, tape):
    site.inject(Misdeed(path=IMAGE, cut_after=1_000_000), Misdeed(path=IMAGE, no_range=True))
    assert fetcher.fetch(STABLE).path.read_bytes() == DATA
    assert "from the start" in said(tape)


def test_a_part_that_begins_elsewhere(site, fetcher):
    site.inject(Misdeed(path=IMAGE, cut_after=1_000_000), Misdeed(path=IMAGE, shift=5))
    assert fetcher.fetch(STABLE).path.read_bytes() == DATA
    assert ranges(site) == ["", "bytes=1000000-", ""]


def test_a_part_that_is_longer_than_the_file_now(site, fetcher, tape):
    site.inject(Misdeed(path=IMAGE, cut_after=2_000_000, silent=True), Misdeed(path=IMAGE, times=0, status=503))
    with pytest.raises(FetchError, match="503"):
        fetcher.fetch(STABLE)
    site.behave()
    site.inject(Misdeed(path=IMAGE, times=0, silent=True))
    site.add("4593.2.5", DATA[:1_000_000])
    assert fetcher.fetch(STABLE).path.read_bytes() == DATA[:1_000_000]
    assert "no such part" in said(tape)


@pytest.mark.parametrize(
    ("claim", "says"),
    [(1000, f"ended after {len(DATA)} of {len(DATA) + 1000} bytes"), (-1000, "is not the file that was signed")],
)
def test_a_wrong_length(site, fetcher, cache, claim, says):
    site.inject(Misdeed(path=IMAGE, times=0, claim=claim))
    with pytest.raises((FetchError, ImageError), match=says):
        fetcher.fetch(STABLE)
    assert is_clean(cache)


def test_a_slow_drip(site, fetcher, cache):
    site.inject(Misdeed(path=IMAGE, times=0, drip=0.02))
    with pytest.raises(FetchError, match="too slow"):
        replace(fetcher, patience=replace(QUICK, stall=0.2)).fetch(STABLE)
    assert is_clean(cache)


@pytest.mark.parametrize(
    ("status", "words", "requests"), [(404, "not there", 1), (403, "is forbidden", 1), (500, "server error", 3)]
)
def test_statuses_of_the_image(site, fetcher, cache, status, words, requests):
    site.inject(Misdeed(path=IMAGE, times=0, status=status))
    with pytest.raises(FetchError, match=words):
        fetcher.fetch(STABLE)
    assert site.count(IMAGE) == requests
    assert is_clean(cache)


@pytest.mark.parametrize(
    ("status", "words"),
    [(404, 'no Flatcar "stable"'), (403, 'no Flatcar "stable"'), (500, "server error"), (407, "proxy wants")],
)
def test_statuses_of_the_pointer(site, fetcher, status, words):
    site.inject(Misdeed(path="version.txt", times=0, status=status))
    with pytest.raises(FetchError, match=words):
        fetcher.fetch(STABLE)


def test_a_server_in_trouble_for_a_moment(site, fetcher, tape):
    site.inject(Misdeed(path="version.txt", status=503), Misdeed(path=IMAGE, status=500))
    assert fetcher.fetch(STABLE).path.read_bytes() == DATA
    assert "trying again" in said(tape)


@pytest.mark.parametrize("file", ["version.txt", ".DIGESTS", ".DIGESTS.sig", IMAGE])
def test_the_page_of_a_captive_portal(site, fetcher, cache, file):
    site.inject(Misdeed(path=file, times=0, page=True))
    with pytest.raises(FetchError, match="gave a web page instead of the file") as caught:
        fetcher.fetch(STABLE)
    assert "log in" in caught.value.hint
    assert is_clean(cache)


def test_a_portal_that_answers_a_resumed_download(site, fetcher, cache):
    site.inject(Misdeed(path=IMAGE, cut_after=1_000_000), Misdeed(path=IMAGE, page=True, times=0))
    with pytest.raises(FetchError, match="web page"):
        fetcher.fetch(STABLE)
    assert is_clean(cache)


def test_a_redirect_to_another_host(site, fetcher, cache):
    url = site.url.replace("127.0.0.1", "localhost")
    path = f"/stable/amd64-usr/4593.2.5/{IMAGE}"
    # To a place that has the file: followed, since only the signature decides.
    site.inject(Misdeed(path=IMAGE, redirect=f"{url}{path}"))
    assert fetcher.fetch(STABLE).path.read_bytes() == DATA
    # To a portal: named.
    site.inject(Misdeed(path=IMAGE, redirect=f"{url}/portal{path}"), Misdeed(path=f"/portal{path}", page=True))
    with pytest.raises(FetchError, match='gave a web page from "localhost" instead'):
        fetcher.fetch(find_wanted("4593.2.4"))


def test_a_redirect_to_a_host_that_does_not_answer_names_it(site, fetcher, cache):
    site.inject(Misdeed(path=IMAGE, times=0, redirect="http://127.0.0.1:1/elsewhere"))
    with pytest.raises(FetchError, match=rf'{IMAGE}" leads on to "http://127.0.0.1:1/elsewhere", which gave no answer'):
        fetcher.fetch(STABLE)
    assert is_clean(cache)


def test_a_redirect_that_never_ends(site, fetcher):
    site.inject(Misdeed(path=IMAGE, times=0, redirect=f"{site.url}/stable/amd64-usr/4593.2.5/{IMAGE}"))
    with pytest.raises(FetchError, match="302"):
        fetcher.fetch(STABLE)


def test_a_full_disk_is_seen_before(site, fetcher, cache, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=65 * 2**20))
    with pytest.raises(HostError, match=r"\d+ MB free, and \d+ MB are needed") as caught:
        fetcher.fetch(STABLE)
    assert "images rm" in caught.value.hint
    assert is_clean(cache)


def test_a_disk_that_fills_up_meanwhile(site, tmp_path):
    # A part that leads to /dev/full: each write gives the kernel's own ENOSPC.
    part = tmp_path / "x.part"
    (tmp_path / "x.part.json").write_text("{}")

    class Full(Download):
        def _open_part(self):
            part.unlink(missing_ok=True)
            part.symlink_to("/dev/full")
            return part.open("ab")

    url = f"{site.url}/stable/amd64-usr/4593.2.5/{IMAGE}"
    with pytest.raises(HostError, match="No space left on device"):
        Full(url, part, observer=Observer(), patience=QUICK).run()


def test_a_record_that_cannot_be_read_means_a_fresh_start(site, fetcher):
    folder = store.image_folder(STABLE.channel, Board.AMD64, find_wanted("4593.2.5").version)
    folder.mkdir(parents=True)
    for text in ("", "{", '{"url": 1, "more": 2}', '{"url": "http://elsewhere/"}'):
        (folder / f"{IMAGE}.part").write_bytes(b"\0" * 1000)
        (folder / f"{IMAGE}.part.json").write_text(text)
        assert fetcher.fetch(STABLE).path.read_bytes() == DATA
        store.remove_images(store.list_cached())
        folder.mkdir(parents=True)
    assert ranges(site) == [""] * 4


# TLS and proxies.


@pytest.fixture(scope="module")
def tls(tmp_path_factory) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS context with a certificate that signs itself, and that certificate."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("tls")
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context, folder / "cert.pem"


def test_a_certificate_that_nobody_vouches_for(tls, tmp_path, cache, signing_key, monkeypatch):
    with FlatcarSite(tmp_path / "site", key=signing_key, tls=tls[0]) as site:
        site.add("4593.2.5", DATA)
        for name, value in site.environment(tmp_path / "key.asc").items():
            monkeypatch.setenv(name, value)
        fetcher = Fetcher(board=Board.AMD64, patience=QUICK)
        with pytest.raises(FetchError, match="cannot be trusted") as caught:
            fetcher.fetch(STABLE)
        assert "clock" in caught.value.hint
        assert site.asked == []
        # Vouched for, it works; and then it may not lead to a place without TLS.
        monkeypatch.setenv("SSL_CERT_FILE", str(tls[1]))
        site.inject(Misdeed(path=IMAGE, redirect="http://127.0.0.1:1/"))
        with pytest.raises(FetchError, match="not encrypted"):
            fetcher.fetch(STABLE)
        assert fetcher.fetch(STABLE).path.read_bytes() == DATA


def test_a_proxy_is_honoured(site, fetcher, monkeypatch):
    monkeypatch.setenv("FLATKIT_RELEASE_SERVER", "http://release.invalid/{channel}")
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, site.url)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert fetcher.fetch(STABLE).path.read_bytes() == DATA
    assert {asked.host for asked in site.asked} == {"release.invalid"}


def test_a_small_file_that_ends_early(site):
    site.inject(Misdeed(path="version.txt", times=0, claim=10))
    with pytest.raises(FetchError, match="too early"):
        fetch_small(f"{site.url}/stable/amd64-usr/current/version.txt", patience=QUICK)


# What a person sees of it.


def test_rate_and_time_left():
    tape = Tape()
    progress = DownloadProgress(tape, "fetch", total=100_000_000)
    for second in range(6):
        progress.move(second * 10_000_000, now=1000.0 + second)
    assert tape.events[-1].note == "10.0 MB/s, 5 s left"
    assert (tape.events[-1].done, tape.events[-1].total) == (50.0, 100.0)
    # Twice a second at most.
    for hundredth in range(100):
        progress.move(50_000_000, now=1005.0 + hundredth / 100)
    assert len(tape.events) <= 9


def test_times_in_words():
    assert [say_seconds(seconds) for seconds in (0.2, 61, 600)] == ["0 s", "61 s", "10 min"]
