"""A server for ASGI applications, by the specification, that a WSGI client can ask."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from tests.hosts.visitor import Wsgi


def served(app: Any, *, root_path: str = "", adds_root: bool = True) -> Wsgi:
    """An ASGI application as a server would ask it.

    Args:
        app: the application.
        root_path: what the server was told to stand below.
        adds_root: True for servers that put ``root_path`` before the path of the request, as
            the specification wants; False for those that leave it as the proxy sent it.
    """

    def answer(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        sent: list[dict[str, Any]] = []
        body = environ["wsgi.input"].read()
        asyncio.run(_converse(app, _scope(environ, root_path, adds_root), body, sent))
        first, rest = sent[0], sent[1:]
        assert (first["type"], rest[-1].get("more_body", False)) == ("http.response.start", False)
        status = HTTPStatus(first["status"])
        headers = [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in first["headers"]
        ]
        start_response(f"{status.value} {status.phrase}", headers)
        return [message.get("body", b"") for message in rest]

    return answer


def _scope(environ: dict[str, Any], root_path: str, adds_root: bool) -> dict[str, Any]:
    path = environ["PATH_INFO"].encode("latin-1").decode(errors="replace")
    named = {name[5:]: value for name, value in environ.items() if name.startswith("HTTP_")}
    named |= {name: environ[name] for name in ("CONTENT_TYPE", "CONTENT_LENGTH") if name in environ}
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": environ["REQUEST_METHOD"],
        "scheme": "http",
        "path": root_path + path if adds_root else path,
        "raw_path": quote(path).encode(),
        "query_string": environ["QUERY_STRING"].encode("latin-1"),
        "root_path": root_path,
        "headers": [
            (name.lower().replace("_", "-").encode("latin-1"), value.encode("latin-1"))
            for name, value in named.items()
        ],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
    }


async def _converse(app: Any, scope: Any, body: bytes, sent: list[dict[str, Any]]) -> None:
    """Hand over the body in two parts, and take what is sent."""
    half = len(body) // 2
    parts = [(body[:half], True), (body[half:], False)]
    last = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if not parts:
            await last.wait()
            return {"type": "http.disconnect"}
        part, more = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": more}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            last.set()

    await app(scope, receive, send)
