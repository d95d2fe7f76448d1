"""`flatkit images`: bootable images, releases in Flatcar's channels, and maintenance of the cache."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from flatkit.cli.show import Json, fail_json, observer_for
from flatkit.errors import FlatkitError, ImageError, UsageError
from flatkit.untrusted import printable

if TYPE_CHECKING:
    from flatkit.events import Observer
    from flatkit.images.catalogue import Feed, ReleaseInfo
    from flatkit.images.store import CachedImage

_SOFTWARE = ("kernel", "systemd", "docker")


def run(argv: list[str]) -> int:
    """Run `list`, `fetch`, `verify`, `build-lab` or `rm`."""
    options = _parser().parse_args(argv[1:])
    actions = {"list": _list, "fetch": _fetch, "verify": _verify, "build-lab": _build, "rm": _rm}
    observer = observer_for(as_json=options.json)
    try:
        values = actions[options.command](options, observer)
    except FlatkitError as error:
        if isinstance(observer, Json):
            return fail_json(observer, error)
        raise
    if isinstance(observer, Json):
        observer.result(ok=True, **values)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="flatkit images", description="What can be booted.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, about in (
        ("list", "what Flatcar's channels offer, and what is in the cache"),
        ("fetch", "fetch and verify Flatcar images; looks for newer ones"),
        ("verify", "check images again, each against its signature"),
        ("build-lab", "build the lab image, unless it is there"),
        ("rm", "remove images from the cache"),
    ):
        command = commands.add_parser(name, help=about, description=about)
        command.add_argument("--json", action="store_true", help="one JSON object a line")
        if name in {"list", "fetch"}:
            command.add_argument("--arch", help="amd64 or arm64 (default: that of this host)")
        if name == "list":
            command.add_argument("--channel", help="alpha, beta, stable or lts (default: all)")
        if name == "fetch":
            command.add_argument(
                "names", nargs="*", default=["stable"], metavar="NAME",
                help="stable, beta, alpha, lts, lts-2024, or a version such as 4593.2.5 (default: stable)",
            )  # fmt: skip
        if name == "verify":
            command.add_argument("names", nargs="*", metavar="NAME", help="a name, or an image's path (default: all)")
        if name == "rm":
            command.add_argument(
                "names", nargs="*", default=["lab"], metavar="NAME",
                help="lab, a channel, a version, refused (what failed verification; partial downloads), "
                "seen (the newest versions that were here: older ones are refused) or all (default: lab)",
            )  # fmt: skip
    return parser


def _list(options: argparse.Namespace, observer: Observer) -> dict[str, Any]:
    from flatkit.images import catalogue, releases, store
    from flatkit.images.lab.build import list_lab_images

    board = releases.parse_board(options.arch) if options.arch else releases.host_board()
    feeds = catalogue.get_feeds(_channels(options.channel), board)
    cached = [image for image in store.list_cached(board=board) if image.channel in _channels(options.channel)]
    labs = list_lab_images()
    if isinstance(observer, Json):
        for feed in feeds:
            observer.row("channel", **_feed_values(feed))
        for image in cached:
            observer.row("image", **_image_values(image))
        for lab in labs:
            observer.row("image", name=f"lab {lab.version}", kind="lab", version=lab.version, disk=str(lab.disk))
        return {"images": len(cached) + len(labs), "channels": len(feeds)}
    print(_say_channels(feeds, board.arch))
    print(_say_cache(cached))
    for lab in labs:
        print(
            f"  {printable('lab ' + lab.version):<17} {store.folder_size(lab.folder) / 1e6:6.0f} MB  same mechanics, not Flatcar"
        )
    if not cached and not labs:
        print(
            "  nothing yet; flatkit images fetch stable fetches Flatcar, flatkit images build-lab builds the lab image"
        )
    for path in store.find_leftovers():
        print(f"  {path.stat().st_size / 1e6:.0f} MB in {printable(path)}; flatkit images rm refused removes it")
    return {}


def _channels(name: str | None) -> tuple[Any, ...]:
    from flatkit.images.releases import Channel, say_nearest

    if name is None:
        return tuple(Channel)
    if name not in {str(channel) for channel in Channel}:
        near = say_nearest(name, map(str, Channel))
        raise UsageError(
            f'there is no channel "{name}"; expected {", ".join(Channel)}{near}', hint="flatkit images list"
        )
    return (Channel(name),)


def _feed_values(feed: Feed) -> dict[str, Any]:
    now = feed.current_release
    return {
        "channel": str(feed.channel), "purpose": feed.channel.purpose, "current": str(feed.current) if feed.current else None,
        "date": now.released if now else None, "days": now.days if now else None, "software": dict(now.software) if now else {},
        "releases": [str(release.version) for release in feed.releases[:10]],
        "seen": round(feed.seen), "trouble": feed.trouble or None,
    }  # fmt: skip


def _image_values(image: CachedImage) -> dict[str, Any]:
    from flatkit.images.signing import find_trust

    return {
        "name": f"{image.channel} {image.version}", "kind": "flatcar", "channel": str(image.channel),
        "version": str(image.version), "arch": image.board.arch, "disk": str(image.path), "size": image.record.size,
        "age": round(image.age), "verified": image.is_ready(find_trust()), "sha512": image.record.sha512,
    }  # fmt: skip


def _say_channels(feeds: list[Feed], arch: str) -> str:
    from flatkit.images.releases import PROMOTION
    from flatkit.images.store import say_age

    rows = [f"Flatcar's channels ({arch})"]
    for feed in feeds:
        now = feed.current_release
        software = (
            "  ".join(f"{name} {printable(now.software_version(name) or '-')}" for name in _SOFTWARE) if now else ""
        )
        rows.append(f"  {feed.channel:<8} {feed.current or '-'!s:<11} {_say_day(now):<26} {software}".rstrip())
        rows.append(f"  {'':<8} {feed.channel.purpose}")
        if feed.trouble:
            rows.append(
                f"  {'':<8} ! {printable(feed.trouble)}" + (f"; as seen {say_age(feed.age)}" if feed.seen else "")
            )
    return "\n".join([*rows, f"  {PROMOTION}", ""])


def _say_day(release: ReleaseInfo | None) -> str:
    """Return the release date and its age in words."""
    if release is None or release.days is None:
        return printable(release.released) if release else ""
    return f"{printable(release.released)}, {release.days} day{'' if release.days == 1 else 's'} old"


def _say_cache(cached: list[CachedImage]) -> str:
    from flatkit.images.signing import find_trust
    from flatkit.images.store import say_age

    trust = find_trust()
    rows = [f"In the cache{f' ({printable(trust.words)})' if trust.is_replaced else ''}"]
    for image in cached:
        state = "verified" if image.is_ready(trust) else "not to be trusted as it is: flatkit images verify"
        name = f"{image.channel} {image.version}"
        rows.append(f"  {name:<17} {image.record.size / 1e6:6.0f} MB  {state}, fetched {say_age(image.age)}")
    return "\n".join(rows)


def _fetch(options: argparse.Namespace, observer: Observer) -> dict[str, Any]:
    from flatkit.images import releases
    from flatkit.images.fetch import Fetcher

    board = releases.parse_board(options.arch) if options.arch else releases.host_board()
    wanted = [_wanted(name) for name in options.names]
    fetched = [Fetcher(board=board, observer=observer).fetch(one) for one in wanted]
    if not isinstance(observer, Json):
        for image in fetched:
            print(f"Flatcar {image.channel} {image.version} is ready: {printable(image.path)}")
    return {"fetched": [_image_values(image) for image in fetched]}


def _wanted(name: str) -> Any:
    from flatkit.images.releases import Channel, find_wanted, say_nearest

    wanted = find_wanted(name)
    if wanted is None:
        expected = f"{', '.join(Channel)}, lts-2024, or a version such as 4593.2.5"
        raise UsageError(
            f'"{name}" is not a Flatcar image; expected {expected}{say_nearest(name, map(str, Channel))}',
            hint="flatkit images list",
        )
    return wanted


def _cached(name: str) -> list[CachedImage]:
    """Return the cached images that a name means. Raises UsageError for an invalid name, ImageError when there are none."""
    from flatkit.images.store import list_cached

    wanted = None if name == "all" else _wanted(name)
    found = [image for image in list_cached() if wanted is None or image.matches(wanted)]
    if not found and name != "all":
        raise ImageError(f'no Flatcar image "{name}" is in the cache', hint="flatkit images list")
    return found


def _verify(options: argparse.Namespace, observer: Observer) -> dict[str, Any]:
    from pathlib import Path

    from flatkit.images import mirrors
    from flatkit.images.keyring import KeyFinder
    from flatkit.images.releases import Channel
    from flatkit.images.signed import verify_cached, verify_file

    sources = mirrors.list_sources()
    done = []
    for name in options.names or ["all"]:
        if "/" in name or Path(name).is_file():
            finder = KeyFinder(channel=Channel.STABLE, sources=sources)
            done.append(verify_file(Path(name).absolute(), finder=finder, observer=observer))
            continue
        for image in _cached(name):
            finder = KeyFinder(channel=image.channel, sources=sources)
            done.append(verify_cached(image, finder=finder, observer=observer))
    if not isinstance(observer, Json):
        for one in done:
            print(f"verified: {printable(one.path)}")
            print(
                f"  {printable(finder.trust.words)}: {printable(one.signature.primary)}"
                + (f"; {printable(one.signature.note)}" if one.signature.note else "")
            )
        if not done:
            print("no Flatcar image is in the cache; flatkit images fetch stable")
    return {"verified": [str(one.path) for one in done]}


def _build(options: argparse.Namespace, observer: Observer) -> dict[str, Any]:  # noqa: ARG001
    from flatkit.images.lab.build import build_lab_image

    lab = build_lab_image(observer)
    if not isinstance(observer, Json):
        print(f"the lab image {printable(lab.version)} is ready: {printable(lab.disk)}")
    return {"version": lab.version, "disk": str(lab.disk)}


def _rm(options: argparse.Namespace, observer: Observer) -> dict[str, Any]:
    from flatkit.images import store
    from flatkit.images.lab.build import remove_lab_images
    from flatkit.images.lab.packages import lab_dir
    from flatkit.images.signed import forget_seen

    freed = forgotten = 0
    for name in options.names:
        if name in {"lab", "all"}:
            _check_unused(lab_dir())
            freed += remove_lab_images()
        if name in {"refused", "all"}:
            for path in store.find_leftovers():
                freed += path.stat().st_size
                path.unlink()
        if name == "seen":
            forgotten += forget_seen()
        if name not in {"lab", "refused", "seen"}:
            images = _cached(name)
            for image in images:
                _check_unused(image.folder)
            freed += store.remove_images(images)
    if not isinstance(observer, Json):
        print(
            f"{freed / 1e6:.0f} MB freed"
            + (f"; newest versions forgotten: {forgotten}" if "seen" in options.names else "")
        )
    return {"freed": freed, "forgotten": forgotten}


def _check_unused(folder: Any) -> None:
    """Raise ImageError when a machine's disk has its backing file in this folder: without it the machine is lost."""
    from flatkit.machines.cleanup import find_users
    from flatkit.machines.spec import is_name

    users = find_users(folder)
    if users:
        raise ImageError(
            f'"{folder}" is in use by {", ".join(users)}: without it a machine has no system',
            hint=f"flatkit down {users[0]}" if is_name(users[0]) else f"ps -fp {users[0].removeprefix('process ')}",
        )
