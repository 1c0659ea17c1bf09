"""Where an app stands in a host: its root, its headers, and two apps under one roof."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..errors import InvalidValue

Environ = dict[str, Any]
WSGIApp = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

# "//" would begin links to another host; the others a browser takes for something else.
_ROOT = re.compile(r"(/(?!\.{1,2}(/|\Z))[^/\\?#%\x00-\x1f\x7f\ud800-\udfff\ufffd]+)*")


def root_of(field: str, path: object) -> str:
    """The path an app stands at, without a final slash, as WSGI spells it.

    Raises `InvalidValue` for one below which links would lead elsewhere.
    """
    text = path.rstrip("/") if isinstance(path, str) else "?"
    if not _ROOT.fullmatch(text):
        rule = r"must lead to a path such as '/erp/portal', without '//', '..', ?, #, % or \ in it"
        raise InvalidValue.of(field, path, rule)
    return text.encode().decode("latin-1")


def split_path(path: str, root: str) -> str | None:
    """What follows ``root`` in a path, or None where it does not begin with it."""
    if not root or path == root or path.startswith(f"{root}/"):
        return path[len(root) :]
    return None


def below(path: str, root: str) -> str | None:
    """What follows in a path that begins with ``root``, or with an end of it; else None.

    Mounts and proxies take all of a root off a path, or its front, or nothing.
    """
    starts = [at for at, character in enumerate(root) if character == "/"] or [0]
    found = (split_path(path, root[at:]) for at in starts)
    return next((rest for rest in found if rest is not None), None)


class FixedRoot:
    """Tells an app where it stands, however it was mounted.

    Addresses on a page come from ``SCRIPT_NAME``. What it is depends on dispatchers, servers
    and proxies, and on whether they agree: a2wsgi below a FastAPI with a ``root_path`` puts
    there what it leaves in ``PATH_INFO`` as well. So where the root is known, it is not asked.
    """

    def __init__(self, app: WSGIApp, root: str) -> None:
        self._app, self._root = app, root

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """The app's answer."""
        path = environ.get("PATH_INFO", "")
        rest = below(path, self._root)
        moved = {"SCRIPT_NAME": self._root, "PATH_INFO": path if rest is None else rest}
        return self._app({**environ, **moved}, start_response)


class Headers:
    """Adds headers to every answer that has not set them itself; errors of the app included."""

    def __init__(self, app: WSGIApp, headers: Mapping[str, str]) -> None:
        self._app = app
        self._headers = {name.lower(): (name, value) for name, value in headers.items()}

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """The app's answer, with the headers."""

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            given = {name.lower() for name, _ in headers}
            added = [pair for name, pair in self._headers.items() if name not in given]
            return start_response(status, [*headers, *added], *more)

        return self._app(environ, start)


class Both:
    """The customers' app at the path of ``base_url``, the staff's at its own, else ``nowhere``."""

    def __init__(
        self,
        customers: WSGIApp,
        staff: WSGIApp,
        nowhere: WSGIApp,
        *,
        base_path: str,
        staff_path: str,
    ) -> None:
        self._customers, self._staff, self._nowhere = customers, staff, nowhere
        self._base_path, self._staff_path = base_path, staff_path

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """The answer of the one that is asked for."""
        path = environ.get("PATH_INFO", "")
        rest = split_path(path, self._staff_path)
        if rest is not None:
            script = environ.get("SCRIPT_NAME", "").rstrip("/") + self._staff_path
            moved = {"SCRIPT_NAME": script, "PATH_INFO": rest}
            return self._staff({**environ, **moved}, start_response)
        if below(path, self._base_path) is not None:
            return self._customers(environ, start_response)
        return self._nowhere(environ, start_response)


def not_found(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    """An app without any page."""
    body = b"Not found.\n"
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
    start_response("404 Not Found", headers)
    return [] if environ.get("REQUEST_METHOD") == "HEAD" else [body]
