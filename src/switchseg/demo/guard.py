"""What a request must be to reach Gradio at all: the page needs little of what Gradio can do."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import socket
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from switchseg.demo.storage import Storage

# A request for labels is a few hundred bytes; uploads have a limit of their own.
_MOST_BYTES = 1 << 20
"""Of a request that is no upload."""

_NO_NAME = re.compile("[\0\ud800-\udfff]")  # what JSON can hold and no file's name
_FILE = "/gradio_api/file="

_PAGE = (
    *("/config", "/theme.css", "/favicon.ico", "/manifest.json", "/robots.txt", "/assets/", "/static/", "/svelte/"),
    *(f"/gradio_api/{name}" for name in ("info", "app_id", "theme.css", "startup-events", "heartbeat/")),
    _FILE,
    *(
        f"/gradio_api/{name}"
        for name in ("upload", "upload_progress", "queue/join", "queue/data", "run/", "call/", "cancel")
    ),
    "/gradio_api/reset",
)

Scope = dict[str, Any]
Receive = Callable[[], Any]
Send = Callable[[dict[str, Any]], Any]


class Guard:
    """Passes on requests for the page from visitors who address it by its name; all others are answered here.

    No file is named by an address, so that none is ever fetched; uploads wait until there is room for them; and where
    files lie is told to nobody: in requests and answers, the folder is called by a name of equal length.

    Args:
        app: The application behind.
        storage: Where the uploads lie.
        hosts: The names that the page may be addressed by, besides this machine's and numbers: a page elsewhere
            could otherwise give itself an address here and read the answers.
    """

    def __init__(self, app: Any, storage: Storage, hosts: Iterable[str]) -> None:
        self._app, self._storage = app, storage
        self._hosts = {"localhost", socket.gethostname().lower(), *(host.lower() for host in hosts)}
        self._folder = str(storage.folder).encode()
        # Of equal length, so that lengths that were announced stay true when one replaces the other.
        self._public = b"/" + b"uploads-".ljust(len(self._folder) - 1, b"-")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        # Startup and shutdown pass; a websocket is not answered, which closes it: the page uses none.
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return None
        headers = {key.lower(): value for key, value in scope["headers"]}
        # 421 is "misdirected request". Numbers are safe: a name is what rebinding needs to get a page's origin here.
        if not self._knows(headers.get(b"host", b"").decode("latin-1")):
            return await _refuse(send, 421, "this page is not known by that name")
        path = scope["path"]
        # A list of what is allowed, for Gradio adds routes with each version.
        if path != "/" and not path.startswith(_PAGE):
            return await _refuse(send, 404, "there is no such page")
        if path.startswith(_FILE):
            file = path.removeprefix(_FILE).replace(self._public.decode(), str(self._storage.folder))
            if not self._holds(file):
                return await _refuse(send, 404, "there is no such file")
            scope = {**scope, "path": _FILE + file}
        elif path == "/gradio_api/upload":
            length = headers.get(b"content-length", b"")
            # Without it the room cannot be looked at before the body is written to the disk.
            if not length.isdigit():
                return await _refuse(send, 411, "the length of an upload must be told")
            with self._storage.room_for(int(length)) as there_is:
                if not there_is:
                    return await _refuse(send, 503, "there are too many images at the moment; try again in a minute")
                await self._app(scope, receive, self._masked(send))
                return None
        elif scope["method"] == "POST":
            try:
                receive = await self._checked(receive)
            except ValueError as error:
                return await _refuse(send, 400, str(error))
            scope = {**scope, "headers": [(k, v) for k, v in scope["headers"] if k.lower() != b"content-length"]}
        await self._app(scope, receive, self._masked(send))
        return None

    def _knows(self, host: str) -> bool:
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        name = name.strip("[]").lower()
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in self._hosts
        return True

    async def _checked(self, receive: Receive) -> Receive:
        """Read the whole request, and return how to receive it again.

        Raises:
            ValueError: it is too long, no JSON, or names a file that was not uploaded.
        """
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
            # While it is read, since a length that was announced may be a lie.
            if len(body) > _MOST_BYTES:
                raise ValueError("the request is too long")
        try:
            content = json.loads(body.replace(self._public, self._folder) or b"null")
            # What is passed on is what was looked at, however another parser would have read the request.
            body = json.dumps(content).encode()
        except (RecursionError, ValueError):
            raise ValueError("the request is no JSON") from None
        # Gradio would fetch an address or open a path that the visitor made up, wherever it stands in the data.
        for path in _paths(content):
            if not isinstance(path, str) or not self._holds(path):
                raise ValueError("a file must be uploaded first")
            self._storage.await_answer(path)
        sent = False

        async def again() -> dict[str, Any]:
            nonlocal sent
            # After the body, Gradio listens here for the visitor to go away.
            if sent:
                return dict(await receive())
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        return again

    def _masked(self, send: Send) -> Send:
        async def masked(message: dict[str, Any]) -> None:
            if "body" in message:
                message = {**message, "body": bytes(message["body"]).replace(self._folder, self._public)}
            await send(message)

        return masked

    def _holds(self, path: str) -> bool:
        """Return whether a path, absolute, is that of a file below the folder, without a way out of it."""
        steps = path.replace("\\", "/").split("/")
        return path.startswith(f"{self._storage.folder}{os.sep}") and ".." not in steps and not _NO_NAME.search(path)


def _paths(content: Any) -> Iterator[Any]:
    """Yield what is said to be the path of a file, wherever it stands."""
    # A list instead of recursion: JSON may be nested deeper than Python's stack is.
    waiting = [content]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if "path" in value and value["path"] is not None:
                yield value["path"]
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


async def _refuse(send: Send, status: int, reason: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": reason.encode()})
