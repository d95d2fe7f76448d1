"""`python -m tools.accept [--dry] stable`: every demo and golden command on a real Flatcar image, compared with docs/fidelity.md.

Writes a dated report and the answers in the golden form. Where the machine itself says that it is Flatcar, it also fills in the
table of docs/fidelity.md. With --dry the lab image is served by a local release server in Flatcar's place: the whole way is
tried, nothing is accepted as evidence. `--demo NAME` (repeated) plays some demos alone, `--without-update` makes a short run.
Exit status: 0 everything went as expected, 1 something did not, 2 the call was wrong, 3 the image is not available.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from flatkit import paths
from flatkit.cli.show import Terminal
from flatkit.demos import DEMOS, get_demo
from flatkit.errors import FlatkitError, UsageError
from flatkit.events import Observer, Said
from flatkit.images import Image, find_image
from flatkit.images.mirrors import OFFICIAL, find_mirror, release_server
from flatkit.images.releases import Channel, Wanted, find_wanted
from flatkit.images.signing import find_trust
from flatkit.testing.flatcar_site import FlatcarSite
from flatkit.testing.signing import SigningKey
from flatkit.updates.server import UpdateServer
from tools.accept import fidelity
from tools.accept.golden import FRESH, STAGED
from tools.accept.report import say_sighting, write_report
from tools.accept.run import Run, boots_by, capture_all, find_obstacle, play_demo, try_host
from tools.accept.update import NEWER, Update, find_update

ROOT = Path(__file__).resolve().parents[2]
PAYLOAD = "flatcar_production_update.gz"


@contextmanager
def pretended(observer: Observer, *, with_update: bool) -> Iterator[Image]:
    """Serve the lab image in each channel from local servers, with a cache of their own; yield the lab image as built here."""
    lab = find_image("lab", observer=observer)
    real = paths.cache_dir()
    with ExitStack() as undo:
        folder = Path(tempfile.mkdtemp(prefix="flatkit-accept-", dir="/var/tmp"))
        undo.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o755)  # libvirt's user reads the images in it
        key = undo.enter_context(SigningKey())
        site = undo.enter_context(FlatcarSite(folder / "site", key=key))
        updates = undo.enter_context(UpdateServer())
        (folder / "cache").mkdir()
        (folder / "cache/lab").symlink_to(real / "lab")
        shutil.copyfile(lab.disk, folder / "lab.img")
        for channel, version in numbers().items():
            site.add(version, folder / "lab.img", channel=str(channel))
        if with_update:
            publish_updates(updates, observer)
        values = {
            **site.environment(folder / "key.asc"),
            "FLATKIT_CACHE": str(folder / "cache"),
            "FLATKIT_UPDATE_SERVER": updates.url,
            "FLATKIT_MIRROR": "",
        }
        undo.enter_context(environment(values))
        yield lab


def numbers() -> dict[Channel, str]:
    """The version of each channel's lab release: the one lab disk is called by all of them, so that any can be accepted."""
    from flatkit.images.lab.recipe import RELEASES

    return {Channel(each.channel): each.version for each in RELEASES.values() if each.name != "lab-broken"}


def publish_updates(server: UpdateServer, observer: Observer) -> None:
    """The payload of every lab release under the number that the local channels give it."""
    from flatkit.images.lab.build import build_payload
    from flatkit.images.lab.recipe import RELEASES

    beta = RELEASES["lab-beta"]
    server.publish_release(beta.version, payload=build_payload(release=beta, observer=observer), name=PAYLOAD)


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """These variables, as long as the block lasts."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def get_wanted(name: str) -> Wanted:
    """Return the release to accept. Raises UsageError."""
    wanted = find_wanted(name)
    if wanted is None:
        raise UsageError(
            f'"{name}" cannot be accepted; expected stable, beta, alpha, lts, lts-2024 or a version of Flatcar',
            hint="make accept IMAGE=stable",
        )
    return wanted


def fetch_update(run: Run, wanted: Wanted, folder: Path, observer: Observer) -> Update | None:
    """The newer release that is offered; None, and said, where there is none."""
    if wanted.channel not in NEWER:
        run.left_out.append(f"updates: no channel has newer releases than {wanted.channel}")
        return None
    try:
        return find_update(wanted, folder, observer)
    except FlatkitError as error:
        run.left_out.append(f"updates: {error.message}")
        observer.notify(Said(text=str(error)))
        return None


def accept(options: argparse.Namespace, lab: Image | None, observer: Observer) -> tuple[Run, Path]:
    """The run itself; returns what it showed, and the folder of this run."""
    wanted = get_wanted(options.image)
    demos = [get_demo(name) for name in options.demo or DEMOS]
    is_real = release_server() is OFFICIAL and find_mirror() is None and not find_trust().is_replaced
    run = Run(name=str(wanted))
    commands = (f"flatkit images list --channel {wanted.channel}", f"flatkit images fetch {wanted}")
    run.host = try_host(commands, real=is_real, observer=observer)
    image = find_image(options.image, observer=observer)
    image = boots_by(image, lab) if lab else image
    run.badge = image.badge
    now = datetime.now(UTC)
    folder = options.folder / f"{now:%Y-%m-%d}-{'dry-' if lab else ''}{run.name}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="flatkit-accept-", dir="/var/tmp") as name, UpdateServer() as server:
        update = None if options.without_update else fetch_update(run, wanted, Path(name), observer)
        if update:
            update.offer(server, "beta")
        captures = (*FRESH, *STAGED) if update else FRESH
        capture_all(run, image, captures, server=server, folder=folder / "commands", observer=observer)
        for demo in demos:
            if reason := find_obstacle(demo, update, dry=lab is not None):
                run.left_out.append(f"the demo {demo.name}: {reason}")
                continue
            played = play_demo(
                demo, image, update=update, folder=folder / "demos", observer=observer, dry=lab is not None
            )
            run.demos.append(played)
    return run, folder


def tell(run: Run, folder: Path, *, table: Path, dry: bool) -> str:
    """Write the report, and docs/fidelity.md where the machine was Flatcar; returns the report's path."""
    from flatkit.host import find_obstacle as no_boot
    from flatkit.machines import Arch, choose

    date = f"{datetime.now(UTC):%Y-%m-%d}"
    text = table.read_text()
    judged = fidelity.judge(fidelity.parse_rows(text), run.evidence)
    obstacle = no_boot()
    host = (f"Host: {platform.system()} {platform.release()}", f"Machines: {obstacle or choose(Arch.of_host()).why}")
    report = folder / "report.md"
    report.write_text(write_report(run, judged, date=date, host=host, dry=dry))
    if run.is_flatcar:
        table.write_text(fidelity.fill_in(text, judged, words=say_sighting(run, date)))
    return str(report)


def main(argv: list[str] | None = None) -> int:
    """Run, report, return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.accept", description=__doc__)
    parser.add_argument("image", help="stable, beta, alpha, lts, or a version")
    parser.add_argument("--dry", action="store_true", help="against a local release server, with the lab image")
    parser.add_argument("--demo", action="append", help="this demo only (repeat it for more)")
    parser.add_argument("--without-update", action="store_true", help="fetch no update, and leave out what needs one")
    parser.add_argument("--folder", type=Path, default=ROOT / "accept", help="where the reports go")
    parser.add_argument("--fidelity", type=Path, default=ROOT / "docs/fidelity.md", help="the table that is filled in")
    options = parser.parse_args(argv)
    observer = Terminal(sys.stdout, verbose=True)
    try:
        get_wanted(options.image)
        with ExitStack() as undo:
            lab = None
            if options.dry:
                lab = undo.enter_context(pretended(observer, with_update=not options.without_update))
            run, folder = accept(options, lab, observer)
            report = tell(run, folder, table=options.fidelity, dry=options.dry)
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    except FlatkitError as error:
        print(error, file=sys.stderr)
        return 3
    print(Path(report).read_text())
    print(f"report: {report}")
    if not options.dry and not run.is_flatcar:
        print("this was no Flatcar machine: nothing is accepted", file=sys.stderr)
        return 1
    return 0 if run.ok else 1


if __name__ == "__main__":
    sys.exit(main())
