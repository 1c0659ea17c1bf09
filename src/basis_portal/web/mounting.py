"""Where an app stands in a host: its root, its headers, and two apps under one roof."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

Environ = dict[str, Any]
WSGIApp = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


def split_path(path: str, root: str) -> str | None:
    """What follows ``root`` in a path, or None where it does not begin with it."""
    if not root or path == root or path.startswith(f"{root}/"):
        return path[len(root) :]
    return None


class FixedRoot:
    """Tells an app where it stands, however it was mounted.

    Addresses on a page come from ``SCRIPT_NAME``. Dispatchers set it; a proxy that strips
    the path, or none of both, do not. The path of ``base_url`` is known, so it is set here.
    """

    def __init__(self, app: WSGIApp, root: str) -> None:
        self._app, self._root = app, root

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        below = environ.get("PATH_INFO", "")
        rest = split_path(environ.get("SCRIPT_NAME", "") + below, self._root)
        if rest is None:
            rest = below  # the proxy in front took the root away
        return self._app({**environ, "SCRIPT_NAME": self._root, "PATH_INFO": rest}, start_response)


class Headers:
    """Adds headers to every answer that has not set them itself; errors of the app included."""

    def __init__(self, app: WSGIApp, headers: Mapping[str, str]) -> None:
        self._app = app
        self._headers = {name.lower(): (name, value) for name, value in headers.items()}

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            given = {name.lower() for name, _ in headers}
            added = [pair for name, pair in self._headers.items() if name not in given]
            return start_response(status, [*headers, *added], *more)

        return self._app(environ, start)


class Both:
    """The customers' app at the path of ``base_url``, the staff's at its own, for a host's root."""

    def __init__(
        self, customers: WSGIApp, staff: WSGIApp, *, base_path: str, staff_path: str
    ) -> None:
        self._customers, self._staff = customers, staff
        self._base_path, self._staff_path = base_path, staff_path

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        script, path = environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", "")
        rest = split_path(path, self._staff_path)
        if rest is not None:
            moved = {"SCRIPT_NAME": script + self._staff_path, "PATH_INFO": rest}
            return self._staff({**environ, **moved}, start_response)
        whole = split_path(script + path, self._base_path) is not None
        if whole or split_path(path, self._base_path) is not None:
            return self._customers(environ, start_response)
        start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
        return [b"Not found. The customer portal is elsewhere on this server.\n"]
