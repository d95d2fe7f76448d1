"""Pages of a seat's machines under the hub's address: /user/NAME/flatkit/page/PORT/..., an extension of the seat's server.

Only the seat's user reaches it, and only ports of this user's machines. A page comes from a machine, so it is sandboxed: it
runs in an origin of its own and cannot use the learner's JupyterLab.
"""

from __future__ import annotations

from typing import Any

from jupyter_server.base.handlers import JupyterHandler
from tornado import httpclient, web

from flatkit.errors import FlatkitError
from flatkit.machines.store import folders

_BODY_MAX = 32 * 2**20
_SECONDS = 20.0
# Nothing of the hub's or of Lab's goes to a machine, and nothing of these comes back from one.
_ASKED = ("Accept", "Accept-Language", "Content-Type", "Range", "If-None-Match", "If-Modified-Since")
_ANSWERED = ("Content-Type", "Content-Range", "Accept-Ranges", "ETag", "Last-Modified", "Content-Disposition")
_POLICY = "sandbox allow-scripts allow-forms allow-popups"


def ports() -> set[int]:
    """Return the host ports that lead to this user's machines."""
    found = set()
    for folder in folders():
        if record := folder.peek():
            found |= {forward.host for forward in record.forwards if forward.guest != 22}
    return found


class PageHandler(JupyterHandler):
    """Hands a request on to a machine's port."""

    def check_xsrf_cookie(self) -> None:
        """Accept a form of a machine's page: it is in an origin without cookies, and reaches the machine alone."""

    @web.authenticated
    async def get(self, port: str, path: str) -> None:
        """Fetch a page."""
        await self._pass_on(port, path)

    @web.authenticated
    async def head(self, port: str, path: str) -> None:
        """Fetch a page's headers."""
        await self._pass_on(port, path)

    @web.authenticated
    async def post(self, port: str, path: str) -> None:
        """Send a form."""
        await self._pass_on(port, path)

    async def _pass_on(self, port: str, path: str) -> None:
        try:
            known = ports()
        except FlatkitError as error:
            raise web.HTTPError(500, error.message) from None
        if int(port) not in known:
            raise web.HTTPError(404, f"port {int(port)} leads to none of your machines: flatkit list")
        query = f"?{self.request.query}" if self.request.query else ""
        request = httpclient.HTTPRequest(
            f"http://127.0.0.1:{int(port)}/{path}{query}", method=self.request.method or "GET", follow_redirects=False,
            body=self.request.body if self.request.method == "POST" else None, request_timeout=_SECONDS,
            headers={name: self.request.headers[name] for name in _ASKED if name in self.request.headers},
        )  # fmt: skip
        client = httpclient.AsyncHTTPClient(force_instance=True, max_body_size=_BODY_MAX)
        try:
            answer = await client.fetch(request, raise_error=False)
        finally:
            client.close()
        if answer.code >= 590:  # tornado's own: no answer
            raise web.HTTPError(
                502, f"the machine's page on port {int(port)} does not answer: {type(answer.error).__name__}"
            )
        self.set_status(answer.code)
        for name in _ANSWERED:
            if name in answer.headers:
                self.set_header(name, answer.headers[name])
        if "Location" in answer.headers:
            place = answer.headers["Location"]
            self.set_header("Location", self._own(port, place))
        self.set_header("Content-Security-Policy", _POLICY)
        self.set_header("X-Content-Type-Options", "nosniff")
        await self.finish(answer.body or b"")

    def _own(self, port: str, place: str) -> str:
        """Return a machine's redirection under this address, if it leads to the machine itself; else as it is."""
        machine = f"http://127.0.0.1:{int(port)}"
        place = place.removeprefix(machine) or "/"
        if not place.startswith("/") or place.startswith("//"):
            return place
        return f"{self.base_url}flatkit/page/{int(port)}{place}"


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "flatkit.seats.page_proxy"}]


def _load_jupyter_server_extension(app: Any) -> None:
    rule = rf"{app.web_app.settings['base_url']}flatkit/page/([0-9]{{1,5}})/(.*)"
    app.web_app.add_handlers(".*$", [(rule, PageHandler)])
