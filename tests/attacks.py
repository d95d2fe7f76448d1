"""Clients that try to stop the room: for tests and the bench, against a server on this host alone.

Each attack is a coroutine that continues until it is cancelled. `attacking` runs many of them beside the caller.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from flatkit.updates.omaha import FLATCAR_APPID

_numbers = itertools.count()


@dataclass(frozen=True, kw_only=True)
class Target:
    """A server, and the address (127.0.0.x) that the attack comes from. `path` is a large file.

    Without `source` it comes from hundreds of addresses.
    """

    url: str
    source: str = "127.0.0.9"
    path: str = "/"

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """Connect, and hang up at the end."""
        place, number = urlsplit(self.url), next(_numbers)
        source = self.source or f"127.1.{number % 600 // 200}.{number % 200 + 1}"
        reader, writer = await asyncio.open_connection(place.hostname, place.port, local_addr=(source, 0))
        try:
            yield reader, writer
        finally:
            writer.transport.abort()


Attack = Callable[[Target], Awaitable[None]]


async def drip(target: Target) -> None:
    """Send a head, a byte at a time."""
    async with target.connect() as (_, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.2)


async def leave_head_open(target: Target) -> None:
    """Send as much of a head as the server takes, and never its end."""
    async with target.connect() as (_, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")
        for number in range(1000):
            writer.write(b"X-%d: %s\r\n" % (number, b"y" * 3000))
            await writer.drain()
        await asyncio.sleep(3600)


async def drip_body(target: Target) -> None:
    """Promise a body and send it a byte at a time."""
    async with target.connect() as (_, writer):
        writer.write(b"POST /v1/update/ HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.2)


async def read_nothing(target: Target) -> None:
    """Ask for a large file many times over and read nothing of it."""
    async with target.connect() as (reader, writer):
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        while True:
            writer.write(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % target.path.encode() * 500)
            await writer.drain()


async def post_many_apps(target: Target) -> None:
    """Send Omaha requests with as many applications as fit, each of another machine."""
    apps = "".join(f'<app appid="{FLATCAR_APPID}" machineid="{next(_numbers):x}"/>' for _ in range(650))
    await _post(target, f'<request protocol="3.0">{apps}</request>')


async def post_fake_machines(target: Target) -> None:
    """Send Omaha requests of machines that do not exist, one after another, each with many long events."""
    event = f'<event eventtype="13" eventresult="1" previousversion="{"1" * 64}"/>'
    for _ in range(20):
        machine = f'machineid="fake-{next(_numbers)}" version="{"1" * 64}" track="{"x" * 64}" machinealias="{"y" * 64}"'
        await _post(
            target,
            f'<request protocol="3.0"><app appid="{FLATCAR_APPID}" {machine}><updatecheck/>{event * 32}</app></request>',
        )


async def _post(target: Target, text: str) -> None:
    async with target.connect() as (reader, writer):
        writer.write(
            b"POST /v1/update/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(text)
        )
        writer.write(text.encode())
        while await reader.read(65536):
            pass


@contextmanager
def attacking(target: Target, attacks: Mapping[Attack, int]) -> Iterator[None]:
    """Run each attack on so many connections at once until the block ends; one that is over begins again."""
    loop = asyncio.new_event_loop()
    started = threading.Event()

    async def repeat(attack: Attack) -> None:
        while True:
            with suppress(OSError):
                await attack(target)
            await asyncio.sleep(0.05)

    async def run() -> None:
        tasks = [asyncio.create_task(repeat(attack)) for attack, count in attacks.items() for _ in range(count)]
        loop.call_later(0.5, started.set)
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks)

    task = loop.create_task(run())
    thread = threading.Thread(target=lambda: loop.run_until_complete(task), daemon=True)
    thread.start()
    started.wait(120)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(120)
        loop.close()
