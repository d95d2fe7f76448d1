"""Channels and releases from the feed, on line and off line, and `flatkit images` around them."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from unittest.mock import Mock

import pytest
from flatcar_parts import DATA, QUICK, SOFTWARE, STABLE

from flatkit.cli import main
from flatkit.errors import FetchError
from flatkit.images import catalogue, store
from flatkit.images.mirrors import PACK_FOLDER
from flatkit.images.pack_manifest import MANIFEST
from flatkit.images.releases import Board, Channel, Version
from flatkit.testing.flatcar_site import IMAGE, Misdeed

FEED = {
    "4593.2.4": {
        "channel": "stable", "architectures": ["amd64", "arm64"], "release_date": "2026-07-13 09:00:00 +0000",
        "major_software": {"kernel": ["6.12.90"], "systemd": ["257"], "docker": ["28.0.4"]}, "release_notes": "x",
    },
    "4593.2.5": {
        "channel": "stable", "architectures": ["amd64"], "release_date": "2026-08-13 09:00:00 +0000",
        "major_software": {"kernel": ["6.12.102"], "systemd": ["257"]}, "release_notes": "y",
    },
    "current": {
        "channel": "stable", "architectures": ["amd64", "arm64"], "release_date": "2026-07-13 09:00:00 +0000",
        "major_software": {"kernel": ["6.12.90"], "systemd": ["257"], "docker": ["28.0.4"]}, "release_notes": "x",
    },
}  # fmt: skip


def get(channel: Channel = Channel.STABLE, **values):
    return catalogue.get_feed(channel, patience=QUICK, **values)


def test_a_feed_is_read():
    releases, current = catalogue.parse_feed(json.dumps(FEED), Channel.STABLE)
    assert [str(release.version) for release in releases] == ["4593.2.5", "4593.2.4"]
    assert current == Version(4593, 2, 4)  # the entry that `current` is a copy of
    assert releases[1].boards == (Board.AMD64, Board.ARM64)
    assert (releases[0].released, releases[0].software_version("kernel")) == ("2026-08-13", "6.12.102")
    assert releases[0].software_version("docker") == ""


@pytest.mark.parametrize(
    "feed",
    [
        {},
        {"4593.2.5": {}},
        {"4593.2.5": {"channel": "stable", "major_software": None, "architectures": None, "release_date": None}},
        {"4593.2.5": None, "current": 7, "x": []},
    ],
)
def test_feeds_with_holes_are_read_as_far_as_they_go(feed):
    releases, _ = catalogue.parse_feed(json.dumps(feed), Channel.STABLE)
    assert len(releases) <= 1


@pytest.mark.parametrize("text", ["", "[]", "{", '"x"'])
def test_what_is_no_feed(text):
    with pytest.raises(FetchError, match="not understood"):
        catalogue.parse_feed(text, Channel.STABLE)


def test_a_feed_is_kept_for_a_while_and_outlives_the_network(site, monkeypatch):
    feed = get()
    assert (feed.current, feed.current_release.released) == (Version(4593, 2, 5), "2026-08-13")
    site.asked.clear()
    assert get().releases == feed.releases
    assert site.asked == []
    kept = store.flatcar_dir() / "stable/releases-stable.json"
    os.utime(kept, (1_700_000_000, 1_700_000_000))
    monkeypatch.setenv("FLATKIT_RELEASE_SERVER", "http://127.0.0.1:1/{channel}")
    old = get()
    assert old.releases == feed.releases
    assert "nothing listens there" in old.trouble
    assert old.age > 86400
    monkeypatch.setenv("FLATKIT_RELEASE_SERVER", site.release_server)
    assert get().trouble == ""


def test_a_server_without_a_feed_still_tells_its_version(site):
    (site.folder / "stable/releases-stable.json").unlink()
    feed = get()
    assert (feed.current, feed.releases, feed.trouble) == (Version(4593, 2, 5), (), "")
    assert get(Channel.BETA).trouble == "not offered"


def test_a_portal_in_place_of_the_feed(site):
    site.inject(Misdeed(path="releases-stable.json", page=True, times=0))
    assert "web page" in get().trouble


# The command.


def lines(capsys) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_list_shows_channels_purpose_and_cache(site, fetcher, capsys):
    site.add("4757.1.0", b"beta", channel="beta", software=SOFTWARE)
    fetcher.fetch(STABLE)
    assert main(["images", "list"]) == 0
    out = capsys.readouterr().out
    line = next(line for line in out.splitlines() if line.startswith("  stable   4593.2.5"))
    assert re.search(r" 2026-08-13, -?\d+ days? old ", line)
    assert line.endswith("kernel 6.12.102  systemd 257  docker 28.0.4")
    assert "beta     4757.1.0" in out
    for words in ("for production", "alpha -> beta -> stable -> lts", "not offered", "FLATKIT_SIGNING_KEY"):
        assert words in out
    assert "stable 4593.2.5        3 MB  verified, fetched just now" in out


def test_list_as_json(site, fetcher, capsys):
    image = fetcher.fetch(STABLE)
    assert main(["images", "list", "--channel", "stable", "--arch", "amd64", "--json"]) == 0
    channel, cached, *_, result = lines(capsys)
    assert (channel["event"], channel["current"], channel["software"]["kernel"]) == ("channel", "4593.2.5", "6.12.102")
    assert (cached["event"], cached["disk"], cached["verified"]) == ("image", str(image.path), True)
    assert (result["ok"], result["channels"]) == (True, 1)


def test_list_offline_says_how_old_everything_is(site, fetcher, capsys, monkeypatch):
    fetcher.fetch(STABLE)
    main(["images", "list"])
    long_ago = 1_700_000_000
    os.utime(store.flatcar_dir() / "stable/releases-stable.json", (long_ago, long_ago))
    monkeypatch.setenv("FLATKIT_RELEASE_SERVER", "http://127.0.0.1:1/{channel}")
    monkeypatch.setattr("flatkit.images.mirrors.Timeouts.wait", lambda *_: None)
    capsys.readouterr()
    assert main(["images", "list", "--channel", "stable"]) == 0
    out = capsys.readouterr().out
    assert "nothing listens there" in out
    assert "as seen" in out
    assert "days ago" in out
    assert "stable 4593.2.5        3 MB  verified" in out


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["list", "--channel", "stabel"], 2, "did you mean stable?"),
        (["list", "--arch", "mips"], 2, "amd64 or arm64"),
        (["fetch", "stabel"], 2, "did you mean stable?"),
        (["fetch", "4593.2.6"], 1, "near it are 4593.2.5, 4593.2.4"),
        (["fetch", "lts"], 1, 'no Flatcar "lts"'),
        (["verify", "beta"], 1, 'no Flatcar image "beta" is in the cache'),
        (["rm", "beta"], 1, 'no Flatcar image "beta" is in the cache'),
        (["rm", "nonsense"], 2, '"nonsense" is not a Flatcar image'),
        (["verify", "/no/such.img"], 1, "is not there"),
        (["verify", "/"], 1, "is a folder; expected a disk image"),
    ],
)
def test_calls_that_cannot_be_served(site, capsys, words, status, said):
    assert main(["images", *words]) == status
    assert said in capsys.readouterr().err


def test_fetch_verify_and_remove(site, capsys):
    assert main(["images", "fetch"]) == 0
    assert "Flatcar stable 4593.2.5 is ready" in capsys.readouterr().out
    assert main(["images", "fetch", "4593.2.4", "stable", "--json"]) == 0
    assert [one["version"] for one in lines(capsys)[-1]["fetched"]] == ["4593.2.4", "4593.2.5"]
    assert main(["images", "verify"]) == 0
    out = capsys.readouterr().out
    assert out.count("verified:") == 2
    assert site.key.primary in out
    path = str(site.folder / "stable/amd64-usr/4593.2.5" / IMAGE)
    assert main(["images", "verify", path, "--json"]) == 0
    assert lines(capsys)[-1]["verified"] == [path]
    assert main(["images", "rm", "4593.2.4", "--json"]) == 0
    assert lines(capsys)[-1]["freed"] > 0
    assert [str(image.version) for image in store.list_cached()] == ["4593.2.5"]
    assert main(["images", "rm", "all"]) == 0
    assert store.list_cached() == []
    assert main(["images", "verify"]) == 0


def test_what_was_refused_is_shown_and_can_be_removed(site, capsys):
    (site.folder / "stable/amd64-usr/4593.2.5" / IMAGE).write_bytes(b"x" * len(DATA))
    assert main(["images", "fetch", "--json"]) == 1
    assert "not the file that was signed" in lines(capsys)[-1]["error"]
    main(["images", "list"])
    assert "flatkit images rm refused removes it" in capsys.readouterr().out
    assert main(["images", "rm", "refused"]) == 0
    assert store.find_leftovers() == []


def test_an_image_that_a_machine_rests_on_stays(site, fetcher, capsys, monkeypatch):
    fetcher.fetch(STABLE)
    monkeypatch.setattr("flatkit.machines.cleanup.find_users", lambda folder: ["web"])
    assert main(["images", "rm", "stable"]) == 1
    err = capsys.readouterr().err
    assert "in use by web" in err
    assert "flatkit down web" in err
    assert len(store.list_cached()) == 1


def test_doctor_says_whom_images_are_trusted_from(site, fetcher, monkeypatch, tmp_path):
    from flatkit import host

    fetcher.fetch(STABLE)
    trust = host.check_trust()
    assert (trust.state, "FLATKIT_SIGNING_KEY" in trust.found) == (host.Health.WARN, True)
    assert "Flatcar stable 4593.2.5" in host.check_image().found
    monkeypatch.setenv("FLATKIT_SIGNING_KEY", str(tmp_path / "none"))
    assert "cannot be read" in host._guarded("trust", host.check_trust).found
    monkeypatch.delenv("FLATKIT_SIGNING_KEY")
    assert host.check_trust().state is host.Health.OK
    assert "E25D9AED0593B34A, pinned" in host.check_trust().found


def test_a_leftover_that_is_no_file_is_passed_over(site, capsys):
    folder = store.flatcar_dir() / "stable"
    folder.mkdir(parents=True)
    (folder / "x.part").symlink_to("nowhere")
    (folder / "y.refused").mkdir()
    assert main(["images", "list"]) == 0
    assert main(["images", "rm", "refused"]) == 0
    assert (folder / "y.refused").is_dir()


@pytest.mark.parametrize("data", [b"[" * 50_000, b"[]", b"null", b'{"size": "x"}', b"\xff", b'{"file": "\\ud800"}'])
def test_a_damaged_record_is_no_image(site, fetcher, data, capsys):
    image = fetcher.fetch(STABLE)
    (image.folder / "image.json").write_bytes(data)
    assert store.list_cached() == []
    assert main(["images", "list"]) == 0
    assert fetcher.fetch(STABLE).is_whole


@pytest.mark.parametrize(("name", "value"), [("size", 10**400), ("size", -1), ("signed", 2**63), ("changed_ns", -1)])
def test_a_number_that_no_file_has_makes_no_record(site, fetcher, name, value):
    image = fetcher.fetch(STABLE)
    record = json.loads((image.folder / "image.json").read_text())
    (image.folder / "image.json").write_text(json.dumps({**record, name: value}))
    assert store.list_cached() == []
    assert main(["images", "list"]) == 0


def test_a_pack_that_merely_lies_here_says_nothing_about_channels(site, tmp_path, monkeypatch, capsys):
    """Nobody signs a release feed or lts-info: what is shown and kept comes from elsewhere."""
    pack = tmp_path / "here" / PACK_FOLDER
    for inside, text in (
        (MANIFEST, "{}"),
        ("flatcar/stable/releases-stable.json", '{"9999.2.0": {"channel": "stable", "architectures": ["amd64"]}}'),
        ("flatcar/stable/amd64-usr/current/version.txt", "FLATCAR_VERSION=9998.2.0\n"),
        ("flatcar/lts/lts-info", "9997:2024:supported\n"),
        ("flatcar/lts/amd64-usr/current-2024/version.txt", "FLATCAR_VERSION=9997.3.0\n"),
    ):
        (pack / inside).parent.mkdir(parents=True, exist_ok=True)
        (pack / inside).write_text(text)
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert get(Channel.STABLE).current == Version(4593, 2, 5)
    assert main(["images", "list"]) == 0
    assert "999" not in capsys.readouterr().out
    assert main(["images", "fetch", "lts-2024"]) == 1
    assert store.stream_major("2024") == 4081


def test_a_removed_folder_and_a_home_that_nobody_has(site, tmp_path, monkeypatch, capsys):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    monkeypatch.setattr(Path, "home", Mock(side_effect=RuntimeError("Could not determine home directory.")))
    gone.rmdir()
    assert main(["images", "fetch", "stable"]) == 0
    assert main(["images", "list"]) == 0
    assert main(["images", "verify", "./x"]) == 3
    assert "the current folder was removed" in capsys.readouterr().err
