"""A hub that knows one seat, and a learner who runs a cell in it: programs for a place with a network of its own.

They run there by Python alone, with what the seat's environment has.

seat_client.py hub            answer what a seat's server asks its hub
seat_client.py cell CODE      wait for the server, run the code in a kernel of it, print the output; 1 if the cell failed
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HUB_PORT, SEAT_PORT, NAME, TOKEN = 8081, 8888, "ada", "a-token-of-this-test-alone"
SCOPES = [f"access:servers!server={NAME}/", f"access:servers!user={NAME}"]
# What KubeSpawner gives a pod beside the image's variables (jupyterhub/spawner.py, get_env).
VARIABLES = {
    "JUPYTERHUB_API_TOKEN": TOKEN, "JUPYTERHUB_API_URL": f"http://127.0.0.1:{HUB_PORT}/hub/api", "JUPYTERHUB_BASE_URL": "/",
    "JUPYTERHUB_CLIENT_ID": f"jupyterhub-user-{NAME}", "JUPYTERHUB_HOST": "", "JUPYTERHUB_USER": NAME,
    "JUPYTERHUB_ACTIVITY_URL": f"http://127.0.0.1:{HUB_PORT}/hub/api/users/{NAME}/activity",
    "JUPYTERHUB_OAUTH_ACCESS_SCOPES": json.dumps(SCOPES), "JUPYTERHUB_OAUTH_SCOPES": json.dumps(SCOPES),
    "JUPYTERHUB_OAUTH_CALLBACK_URL": f"/user/{NAME}/oauth_callback", "JUPYTERHUB_SERVER_NAME": "",
    "JUPYTERHUB_SERVICE_PREFIX": f"/user/{NAME}/", "JUPYTERHUB_SERVICE_URL": f"http://127.0.0.1:{SEAT_PORT}/user/{NAME}/",
}  # fmt: skip
_SERVER = f"127.0.0.1:{SEAT_PORT}/user/{NAME}"
_HEADERS = {"Authorization": f"token {TOKEN}"}


class Hub(BaseHTTPRequestHandler):
    """Says its version, and who has the token."""

    def do_GET(self) -> None:
        from jupyterhub._version import __version__

        user = {"kind": "user", "name": NAME, "admin": False, "groups": [], "scopes": SCOPES, "session_id": None}
        is_ours = self.headers.get("Authorization") == _HEADERS["Authorization"]
        body = user if self.path.startswith("/hub/api/user") else {"version": __version__}
        self._answer(200 if is_ours or "version" in body else 403, json.dumps(body).encode(), __version__)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self._answer(200, b"{}", "")

    def _answer(self, status: int, body: bytes, version: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-JupyterHub-Version", version)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (its name there)
        """Print nothing."""


async def run_cell(code: str, *, seconds: float = 60.0) -> bool:
    """Run a cell in a new kernel, print what it prints, and say whether it ended well."""
    from tornado.httpclient import AsyncHTTPClient, HTTPRequest
    from tornado.websocket import websocket_connect

    client, deadline = AsyncHTTPClient(), time.monotonic() + seconds
    while True:
        try:
            await client.fetch(f"http://{_SERVER}/api/status", headers=_HEADERS)
            break
        except OSError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)
    asked = await client.fetch(f"http://{_SERVER}/api/kernels", method="POST", body="{}", headers=_HEADERS)
    kernel = json.loads(asked.body)["id"]
    socket = await websocket_connect(HTTPRequest(f"ws://{_SERVER}/api/kernels/{kernel}/channels", headers=_HEADERS))
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": "execute_request",
        "session": "s",
        "username": "",
        "version": "5.3",
    }
    content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
    message = {
        "header": header,
        "parent_header": {},
        "metadata": {},
        "content": content,
        "channel": "shell",
        "buffers": [],
    }
    await socket.write_message(json.dumps(message))
    while (said := await socket.read_message()) is not None:
        found = json.loads(said)
        if found["parent_header"].get("msg_id") != header["msg_id"]:
            continue
        if found["msg_type"] == "stream":
            print(found["content"]["text"], end="", flush=True)
        elif found["msg_type"] == "error":
            print("\n".join(found["content"]["traceback"]), file=sys.stderr)
        elif found["msg_type"] == "display_data":  # flatkit's own errors, and progress
            print(found["content"]["data"].get("text/plain", ""), file=sys.stderr)
        elif found["msg_type"] == "execute_reply":
            return bool(found["content"]["status"] == "ok")
    return False


if __name__ == "__main__":
    os.chdir("/")
    if sys.argv[1] == "hub":
        ThreadingHTTPServer(("127.0.0.1", HUB_PORT), Hub).serve_forever()
    sys.exit(0 if asyncio.run(run_cell(sys.argv[2])) else 1)
