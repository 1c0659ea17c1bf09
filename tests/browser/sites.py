"""WSGI applications, served for a real browser while a test lasts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


class Site:
    """A server of its own on a free port.

    Attributes:
        url: its address, without a slash at the end.
        app: what it serves; it may be set when `url` is known, and changed.
    """

    def __init__(self, app: Wsgi | None) -> None:
        self.app = app or _nothing
        self._server = make_server(
            "127.0.0.1", 0, self._serve, threaded=True, request_handler=_Quiet
        )
        self.url = f"http://127.0.0.1:{self._server.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs=_POLL)
        self._thread.start()

    def _serve(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        return self.app(environ, start_response)

    def close(self) -> None:
        """Answer nobody any more."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Serve:
    """Serves one application more with each call.

    Attributes:
        sites: the sites that are served.
    """

    def __init__(self) -> None:
        self.sites: list[Site] = []

    def __call__(self, app: Wsgi | None = None) -> Site:
        """Start a site; without ``app`` it answers 404 until its `Site.app` is set."""
        self.sites.append(Site(app))
        return self.sites[-1]

    def close(self) -> None:
        """Stop them all."""
        while self.sites:
            self.sites.pop().close()


def _nothing(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("404 Not Found", [("Content-Type", "text/plain")])
    return [b"nothing is served here yet"]


_POLL = {"poll_interval": 0.02}
