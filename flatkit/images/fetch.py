"""From a requested image to a verified one in the cache: resolve the version, check the signature, fetch, compare.

The version is resolved first and then fetched from its numbered folder, so a release published meanwhile does no harm
(as flatcar-install does). The signed digests come first: an untrusted server then costs no large download.
"""

from __future__ import annotations

import json
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from flatkit.errors import FetchError, FlatkitError, ImageError
from flatkit.events import Observer, Said, phase
from flatkit.files import read_regular, write_atomic
from flatkit.images import mirrors as sources
from flatkit.images.cache import locked, make_folder
from flatkit.images.download import Download, Downloaded, disk_trouble, say_seconds
from flatkit.images.keyring import KeyFinder
from flatkit.images.mirrors import Source, Timeouts, fetch_small
from flatkit.images.releases import Board, Channel, Version, Wanted, nearest_versions, parse_version_file
from flatkit.images.signed import (
    DIGESTS_MAX,
    VERSION_FILE,
    VERSION_MAX,
    check_same_release,
    check_version,
    find_seen,
    get_sha512,
    note_seen,
)
from flatkit.images.signing import SIGNATURE_MAX, Signature, Trust, find_trust
from flatkit.images.store import (
    CachedImage,
    ImageRecord,
    find_ready,
    flatcar_dir,
    image_folder,
    list_cached,
    parse_lts_info,
    read_image,
    say_age,
    write_record,
)
from flatkit.untrusted import parse_json

# Bytes a second, assumed until a download has shown the real rate: 50 Mbit/s.
_USUAL_RATE = 6.25e6
_NEEDED_MIB = 64
_RATES_MAX = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Fetcher:
    """Fetches images of one board; `sources` are tried in order (default: mirror, release server)."""

    board: Board
    observer: Observer = field(default_factory=Observer)
    cancel: threading.Event | None = None
    patience: Timeouts = field(default_factory=Timeouts)
    trust: Trust = field(default_factory=find_trust)
    sources: tuple[Source, ...] = ()

    def fetch(self, wanted: Wanted) -> CachedImage:
        """Return the newest requested image, verified, from the cache if it is there.

        Raises FetchError (not available), ImageError (not to be trusted), HostError (no room), Cancelled.
        """
        if self.trust.is_replaced:
            self._say(f"images are trusted when {self.trust.words}")
        cached = find_ready(wanted, self.board, self.trust) if wanted.version else None
        if cached:
            self._say(f"Flatcar {wanted} is in the cache, verified, fetched {say_age(cached.age)}")
            return cached
        troubles: list[FetchError] = []
        for source in self.sources or tuple(sources.list_sources()):
            try:
                version = self.resolve(wanted, source)
                if version is None:
                    continue
                kept = self._refuse_downgrade(wanted, version, source)
                return kept or self._ensure(wanted, version, source)
            except FetchError as error:
                troubles.append(error)
                self._say(f"{source.name}: {error.message}")
        return self._without_sources(wanted, troubles)

    def resolve(self, wanted: Wanted, source: Source) -> Version | None:
        """Return the version that a source has for the request, None when it has none. Raises FetchError."""
        if wanted.channel is Channel.LTS and wanted.stream and not source.signed_only:
            self._note_streams(source)
        text = self._small(source.url(wanted.channel, f"{self.board}/{wanted.pointer}/version.txt"))
        if text is None:
            return None
        version = parse_version_file(text.decode(errors="replace"))
        if version is None:
            raise FetchError(f'{source.name} has a version.txt for "{wanted}" that names no version')
        if wanted.version not in {None, version}:
            raise ImageError(
                f'{source.name} says that its folder "{wanted.version}" holds version "{version}": it is not trusted',
                hint="report it to the server's operator",
            )
        if version.channel is not wanted.channel:
            raise ImageError(
                f'{source.name} offers "{version}" as {wanted}, and that number is not of this channel',
                hint="report it to the server's operator",
            )
        return version

    def _refuse_downgrade(self, wanted: Wanted, version: Version, source: Source) -> CachedImage | None:
        """Return the newer image to keep, when a mirror is older.

        Raises ImageError when a release server goes back in time, FetchError when a mirror is older than what was here.
        """
        cached = find_ready(wanted, self.board, self.trust)
        seen = find_seen(wanted, self.board)
        known = max((found for found in (seen, cached.version if cached else None) if found), default=version)
        if wanted.version or version >= known:
            return None
        if source.is_mirror and cached:
            self._say(f"{source.name} has {version}, older than {cached.version} in the cache: the cached one is taken")
            return cached
        if source.is_mirror:
            raise FetchError(f"it has {version}, older than the {known} that was here before")
        raise ImageError(
            f'{source.name} offers "{version}" as {wanted}, and "{known}" was there before: a step back is refused',
            hint=f"if you want the older one on purpose: --image {version}; if {known} was never released: "
            f"flatkit images rm seen{f' {cached.version}' if cached and cached.version > version else ''}",
        )

    def _note_streams(self, source: Source) -> None:
        data = self._small(source.url(Channel.LTS, "lts-info"))
        if data and parse_lts_info(data.decode(errors="replace")):
            folder = make_folder(flatcar_dir() / str(Channel.LTS), needed_mib=0, what="")
            (folder / "lts-info").write_bytes(data)

    def _without_sources(self, wanted: Wanted, troubles: list[FetchError]) -> CachedImage:
        """Return the cached image when no source has it, or raise the most helpful error."""
        cached = find_ready(wanted, self.board, self.trust)
        if cached:
            self._say(f"taking {cached.channel} {cached.version} from the cache, fetched {say_age(cached.age)}")
            return cached
        if troubles:
            raise FetchError(
                f"Flatcar {wanted} cannot be fetched: {troubles[-1].message}",
                hint=troubles[-1].hint or "flatkit images list   (what is here already; --image lab needs no download)",
                passing=troubles[-1].passing,
            )
        raise self._not_offered(wanted)

    def _not_offered(self, wanted: Wanted) -> FetchError:
        from flatkit.images.catalogue import get_feed

        known = [image.version for image in list_cached(board=self.board) if image.channel is wanted.channel]
        with suppress(FlatkitError):
            feed = get_feed(wanted.channel, patience=self.patience, cancel=self.cancel)
            known += [release.version for release in feed.releases if self.board in release.boards]
        near = nearest_versions(wanted.version, known) if wanted.version else sorted(set(known), reverse=True)[:3]
        offered = f"; near it are {', '.join(map(str, near))}" if near else ""
        return FetchError(f'there is no Flatcar "{wanted}" for {self.board.arch}{offered}', hint="flatkit images list")

    def _ensure(self, wanted: Wanted, version: Version, source: Source) -> CachedImage:
        """Return the verified image of an exact version: it exists already, or the first process fetches it."""
        folder = make_folder(image_folder(wanted.channel, self.board, version), needed_mib=_NEEDED_MIB, what="an image")
        name = f"Flatcar {wanted.channel} {version}"
        with locked(folder, self.observer, what=name, doing="fetching", cancel=self.cancel):
            image = read_image(folder)
            if image and image.is_ready(self.trust):
                self._say(f"{name} is in the cache, verified, fetched {say_age(image.age)}")
            else:
                image = self._fetch(folder, wanted, version, source)
            if not wanted.version:
                note_seen(wanted, self.board, version)
        return image

    def _fetch(self, folder: Path, wanted: Wanted, version: Version, source: Source) -> CachedImage:
        task = Task(fetcher=self, folder=folder, channel=wanted.channel, version=version, source=source)
        try:
            with phase(self.observer, "fetch", f"Fetching and verifying Flatcar {wanted.channel} {version}"):
                task.carry_out()
        except FlatkitError:  # some are OSErrors as well
            raise
        except OSError as error:
            raise disk_trouble(folder, error) from None
        image = read_image(folder)
        if image is None:
            raise ImageError(f'the image in "{folder}" was verified and is gone again')
        return image

    def _small(self, url: str) -> bytes | None:
        return fetch_small(url, patience=self.patience, cancel=self.cancel, observer=self.observer)

    def _say(self, text: str) -> None:
        self.observer.notify(Said(text=text))


@dataclass(frozen=True, kw_only=True)
class Task:
    """An image that is being fetched into its folder, while the folder's lock is held."""

    fetcher: Fetcher
    folder: Path
    channel: Channel
    version: Version
    source: Source

    def carry_out(self) -> None:
        """Check signatures, then fetch the file, then compare; only a verified file gets its final name."""
        name = self.fetcher.board.image_file
        number = self._check_version()
        digests = self._beside(f"{name}.DIGESTS", DIGESTS_MAX)
        signature = self._beside(f"{name}.DIGESTS.sig", SIGNATURE_MAX)
        if digests and signature:
            seal = self._check(signature, digests, name=f"{name}.DIGESTS")
            check_same_release(number, seal, self.version)
            expected = get_sha512(digests, name)
            self._refuse_known(expected)
            self._keep(f"{name}.DIGESTS", digests)
            self._keep(f"{name}.DIGESTS.sig", signature)
            self._place(name, self._download(name, expected), seal, expected)
            return
        signature = self._beside(f"{name}.sig", SIGNATURE_MAX)
        if signature is None:
            raise ImageError(
                f'{self.source.name} has no signature for "{name}" of {self.version}: what nobody has signed is refused',
                hint="flatkit images list",
            )
        done = self._download(name, "")
        try:
            seal = self._check(signature, done.part, name=name)
            check_same_release(number, seal, self.version)
            self._refuse_known(done.sha512)
        except ImageError:
            self._put_aside(name, done.part)
            raise
        self._keep(f"{name}.sig", signature)
        self._place(name, done, seal, done.sha512)

    def _check_version(self) -> Signature:
        """Check the signed version.txt of the folder. Raises ImageError when it is missing or names another version."""
        text = self._beside(VERSION_FILE, VERSION_MAX)
        signature = self._beside(f"{VERSION_FILE}.sig", SIGNATURE_MAX)
        if text is None or signature is None:
            raise ImageError(
                f'{self.source.name} has no signed {VERSION_FILE} of "{self.version}", so nothing says which version its image '
                "is: it is refused",
                hint="flatkit room pack DIR   (if it is a pack: makes it again, with the signatures)",
            )
        seal = check_version(text, signature, self.version, finder=self._finder)
        self._keep(VERSION_FILE, text)
        self._keep(f"{VERSION_FILE}.sig", signature)
        return seal

    def _refuse_known(self, sha512: str) -> None:
        """Raise ImageError when the cache has this very image as another version of the channel."""
        for image in list_cached(board=self.fetcher.board):
            if image.channel is self.channel and image.record.sha512 == sha512 and image.version != self.version:
                raise ImageError(
                    f'{self.source.name} offers as version "{self.version}" the image that is here as "{image.version}": '
                    "it is refused",
                    hint=f"flatkit images rm {image.version}   (if it is the one here that has the wrong number)",
                )

    def _url(self, file: str) -> str:
        return self.source.url(self.channel, f"{self.fetcher.board}/{self.version}/{file}")

    def _beside(self, file: str, limit: int) -> bytes | None:
        f = self.fetcher
        data = fetch_small(self._url(file), patience=f.patience, cancel=f.cancel, observer=f.observer)
        if data is not None and len(data) > limit:
            raise ImageError(
                f'"{file}" of {self.version} from {self.source.name} has {len(data)} bytes; expected at most {limit}',
                hint="report it to the server's operator",
            )
        return data

    def _keep(self, file: str, data: bytes) -> None:
        write_atomic(self.folder / file, data)

    @property
    def _finder(self) -> KeyFinder:
        f = self.fetcher
        return KeyFinder(
            channel=self.channel, trust=f.trust, sources=(self.source,), patience=f.patience, cancel=f.cancel
        )

    def _check(self, signature: bytes, data: bytes | Path, *, name: str) -> Signature:
        seal = self._finder.check(signature, data, name=name)
        if seal.note:
            self.fetcher.observer.notify(Said(text=seal.note))
        return seal

    def _download(self, name: str, expected: str) -> Downloaded:
        """Return the whole file under its partial name. A mixture of two releases is fetched again, once."""
        part = self.folder / f"{name}.part"
        f = self.fetcher
        for _ in range(2):
            download = Download(
                self._url(name), part, observer=f.observer, patience=f.patience, cancel=f.cancel, on_size=self._announce
            )
            done = download.run()
            _note_rate(self.source, done)
            if not expected or done.sha512 == expected or not done.resumed:
                break
            f.observer.notify(Said(text="the parts of the file do not fit together: fetching it from the start"))
            part.unlink()
        return done

    def _announce(self, have: int, total: int) -> None:
        rate = _known_rate(self.source)
        here = f", {have / 1e6:.0f} MB of it are here already" if have else ""
        size = f"{total / 1e6:.0f} MB{here}; about {say_seconds((total - have) / rate)} at {rate / 1e6:.1f} MB/s"
        what = f"Flatcar {self.channel} {self.version} ({self.fetcher.board.arch}) from {self.source.name}"
        self.fetcher.observer.notify(Said(text=f"{what}: {size if total else 'size not told'}"))

    def _place(self, name: str, done: Downloaded, seal: Signature, expected: str) -> None:
        """Give the file its name and record that it was verified. Raises ImageError when it differs from the signed one."""
        if done.sha512 != expected:
            self._put_aside(name, done.part)
            raise ImageError(
                f'"{name}" of {self.version} from {self.source.name} is not the file that was signed: its SHA-512 is '
                f'"{done.sha512[:16]}...", expected "{expected[:16]}..."; it was put aside and is not used',
                hint=f"flatkit images fetch {self.version}   (fetches it again; flatkit images rm refused frees the space)",
            )
        target = self.folder / name
        with done.part.open("rb") as file:
            os.fsync(file.fileno())
        done.part.chmod(0o444)
        done.part.replace(target)
        found = target.stat()
        record = ImageRecord(
            file=name, size=found.st_size, changed_ns=found.st_mtime_ns, sha512=done.sha512, subkey=seal.subkey,
            signed=seal.made, trust=self.fetcher.trust.identity, source=self._url(name), fetched=time.time(),
        )  # fmt: skip
        write_record(self.folder, record)

    def _put_aside(self, name: str, part: Path) -> None:
        part.replace(self.folder / f"{name}.refused")


def _rates() -> dict[str, float]:
    """Return the rates of the last downloads in bytes a second, by source."""
    try:
        values = parse_json(read_regular(_rate_file(), limit=_RATES_MAX))
    except (OSError, ValueError):
        return {}
    rates = values.items() if isinstance(values, dict) else ()
    return {name: max(float(rate), 1000.0) for name, rate in rates if type(rate) in {int, float} and 0 < rate < 1e12}


def _rate_file() -> Path:
    return flatcar_dir() / "rates.json"


def _known_rate(source: Source) -> float:
    return _rates().get(source.base, _USUAL_RATE)


def _note_rate(source: Source, done: Downloaded) -> None:
    if done.size >= 1_000_000:  # the time of a smaller file is mostly connection setup
        write_atomic(_rate_file(), json.dumps({**_rates(), source.base: round(done.rate)}) + "\n")
