"""The proxy: traefik, as JupyterHub's own class runs it, made steady against seats that end and a proxy that dies."""

from __future__ import annotations

import asyncio
from typing import Any

from jupyterhub_traefik_proxy.fileprovider import TraefikFileProviderProxy

_LOOK_SECONDS = 1.0


class SteadyProxy(TraefikFileProviderProxy):
    """Traefik with its routes in a file."""

    _watcher: asyncio.Task[None] | None = None

    async def check_routes(self, *args: Any, **kwargs: Any) -> None:
        """Compare routes with running servers. A seat that ends meanwhile is not a reason to end the hub.

        Without this, the hub exits when a seat stops while the hub starts again: its route never appears.
        """
        try:
            await super().check_routes(*args, **kwargs)  # type: ignore[no-untyped-call]
        except TimeoutError:
            self.log.warning("a route did not appear in time: its seat may have ended; the next check looks again")

    async def start(self) -> None:
        """Start traefik, and start it again whenever it ends. Routes are in a file, so nothing is lost.

        Also while it begins: the hub would wait for its answer for 30 s, and then exit.
        """
        self._watcher = asyncio.create_task(self._watch())
        await super().start()  # type: ignore[no-untyped-call]

    async def stop(self) -> None:
        """End traefik."""
        if self._watcher:
            self._watcher.cancel()
        await super().stop()  # type: ignore[no-untyped-call]

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if self.traefik_process and self.traefik_process.poll() is not None:
                self.log.warning(
                    "the proxy has ended (status %s): it is started again", self.traefik_process.returncode
                )
                self._start_traefik()  # type: ignore[no-untyped-call]
