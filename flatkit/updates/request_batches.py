"""Answers Omaha requests in batches: those that arrive while the state is being written share the next write.

So the state is written a few times a second at most, however many machines ask. Each answer follows its write.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_SPACING_SECONDS = 0.05
_TOGETHER = 64


@dataclass(frozen=True, kw_only=True)
class UpdateRequest:
    """An Omaha request: its body, the client's name for this server, and the client's own address."""

    data: bytes
    host: str
    origin: str = ""


Answer = bytes | Exception
AnswerAll = Callable[[Sequence[UpdateRequest]], Sequence[Answer]]


class Desk:
    """A queue in front of a function that answers many requests at once. For one event loop."""

    def __init__(self, answer_all: AnswerAll) -> None:
        self._answer_all = answer_all
        self._waiting: asyncio.Queue[tuple[UpdateRequest, asyncio.Future[bytes]]] = asyncio.Queue()

    async def answer(self, asked: UpdateRequest) -> bytes:
        """Return the answer to a request. Raises the error of a refused one."""
        promise: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((asked, promise))
        return await promise

    async def work(self) -> None:
        """Answer requests until cancelled. This uses at most half of the time."""
        batch: list[tuple[UpdateRequest, asyncio.Future[bytes]]] = []
        try:
            while True:
                batch = [await self._waiting.get()]
                while len(batch) < _TOGETHER and not self._waiting.empty():
                    batch.append(self._waiting.get_nowait())
                began = time.monotonic()
                await self._answer_batch([(asked, promise) for asked, promise in batch if not promise.done()])
                await asyncio.sleep(max(_SPACING_SECONDS, time.monotonic() - began))
        finally:
            while not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            for _, promise in batch:
                promise.cancel()

    async def _answer_batch(self, batch: Sequence[tuple[UpdateRequest, asyncio.Future[bytes]]]) -> None:
        asked_all = [asked for asked, _ in batch]
        answers = await asyncio.get_running_loop().run_in_executor(None, self._answer_all, asked_all)
        for (_, promise), answer in zip(batch, answers, strict=True):
            if promise.done():  # the client is gone
                continue
            if isinstance(answer, Exception):
                promise.set_exception(answer)
            else:
                promise.set_result(answer)
