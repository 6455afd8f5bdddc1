"""Requests that are not for the page are answered before Gradio sees them."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from switchseg.demo.guard import Guard
from switchseg.demo.storage import Storage


class Behind:
    """An application that tells what it was asked, and answers with a path."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bodies, self.paths = folder, [], []

    async def __call__(self, scope: dict, receive: Any, send: Any) -> None:
        self.paths.append(scope["path"])
        self.bodies.append((await receive())["body"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": f"in {self.folder}/x".encode()})


def ask(tmp_path: Path, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes, Behind]:
    behind = Behind(tmp_path)
    guard = Guard(behind, Storage(tmp_path, 1000), ["name.example"])
    sent: list[dict] = []

    async def receive() -> dict:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict) -> None:
        sent.append(message)

    pairs = {"host": "127.0.0.1:7860", "content-length": str(len(body)), **headers}
    lines = [(key.replace("_", "-").encode(), value.encode()) for key, value in pairs.items()]
    method = "POST" if body else "GET"
    asyncio.run(guard({"type": "http", "method": method, "path": path, "headers": lines}, receive, send))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent), behind


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:99", "10.1.2.3:80", "[::1]:80", "[::1]", "NAME.example:1"])
def test_names_that_are_its_own(tmp_path: Path, host: str) -> None:
    assert ask(tmp_path, "/", host=host)[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "localhost.evil", "a b"])
def test_names_that_are_not(tmp_path: Path, host: str) -> None:
    status, _, behind = ask(tmp_path, "/", host=host)
    assert (status, behind.paths) == (421, [])


@pytest.mark.parametrize("path", ["/gradio_api/proxy=http://x", "/gradio_api/stream/1", "/monitoring", "//config"])
def test_what_the_page_does_not_need_is_not_there(tmp_path: Path, path: str) -> None:
    status, _, behind = ask(tmp_path, path)
    assert (status, behind.paths) == (404, [])


def test_where_files_lie_is_told_to_nobody_and_understood_all_the_same(tmp_path: Path) -> None:
    _, said, _ = ask(tmp_path, "/config")
    assert str(tmp_path).encode() not in said
    public = said.decode().removeprefix("in ").removesuffix("/x")
    assert len(public) == len(str(tmp_path))
    body = json.dumps({"data": [{"path": f"{public}/x"}]}).encode()
    _, _, behind = ask(tmp_path, "/gradio_api/call/predict", body)
    assert json.loads(behind.bodies[0]) == {"data": [{"path": f"{tmp_path}/x"}]}
    _, _, behind = ask(tmp_path, f"/gradio_api/file={public}/x")
    assert behind.paths == [f"/gradio_api/file={tmp_path}/x"]


@pytest.mark.parametrize(
    "content",
    [
        {"data": [{"path": "http://example.org/x.png"}]},
        {"data": [{"path": "/etc/passwd"}]},
        {"a": {"b": [[{"path": 5}]]}},
        [{"path": ["x"]}],
        {"path": "FOLDER/../x"},
        {"path": "FOLDER/a\\..\\x"},
        {"path": "FOLDER/\0"},
        {"path": "FOLDER-of-another/x"},
        {"path": "FOLDER/\ud800"},
    ],
)
def test_only_uploads_are_files(tmp_path: Path, content: Any) -> None:
    status, said, behind = ask(
        tmp_path, "/gradio_api/queue/join", json.dumps(content).replace("FOLDER", str(tmp_path)).encode()
    )
    assert (status, said, behind.paths) == (400, b"a file must be uploaded first", [])


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/etc/passwd",
            "",
            "../x",
            "http://example.org/x",
            "file:///etc/passwd",
            "FOLDER",
            "FOLDER/../x",
            "FOLDER/a/..",
        ),
        *("FOLDER/..\\x", "FOLDER-of-another/x", "FOLDER/\0", "/FOLDER/x"),
    ],
)
def test_files_elsewhere_are_not_asked_for(tmp_path: Path, path: str) -> None:
    status, said, behind = ask(tmp_path, f"/gradio_api/file={path.replace('FOLDER', str(tmp_path))}")
    assert (status, said, behind.paths) == (404, b"there is no such file", [])


def test_what_was_looked_at_is_passed_on(tmp_path: Path) -> None:
    body = f'{{"path": "/etc/passwd", "path": "{tmp_path}/x"}}'
    _, _, behind = ask(tmp_path, "/gradio_api/queue/join", body.encode())
    assert b"/etc/passwd" not in behind.bodies[0]


@pytest.mark.parametrize("body", [b"{", b"[" * 100_000, bytes([255]), b'"' + b"x" * (1 << 20) + b'"'])
def test_requests_that_are_none_are_refused(tmp_path: Path, body: bytes) -> None:
    status, _, behind = ask(tmp_path, "/gradio_api/queue/join", body)
    assert (status, behind.paths) == (400, [])


def test_uploads_that_are_on_their_way_take_room(tmp_path: Path) -> None:
    statuses: list[int] = []
    headers = [(b"host", b"localhost"), (b"content-length", b"400")]
    scope = {"type": "http", "method": "POST", "path": "/gradio_api/upload", "headers": headers}

    async def receive() -> dict:
        return {"type": "http.request", "body": b"x", "more_body": False}

    async def send(message: dict) -> None:
        statuses.append(message.get("status", 0))

    async def upload_one_while_this_arrives(*_: Any) -> None:
        if len(statuses) < 3:
            await guard(scope, receive, send)

    guard = Guard(upload_one_while_this_arrives, Storage(tmp_path, 1000), [])
    asyncio.run(guard(scope, receive, send))
    assert statuses == [503, 0]  # the third, within the second, within the first
    asyncio.run(guard(scope, receive, send))
    assert statuses == [503, 0, 503, 0]


def test_uploads_need_room_and_a_length(tmp_path: Path) -> None:
    for length, status in (("1000", 200), ("1001", 503), ("x", 411), ("", 411)):
        assert ask(tmp_path, "/gradio_api/upload", b"x", content_length=length)[0] == status
