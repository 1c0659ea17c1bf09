"""A member of staff who reads pages, fills in forms and presses buttons as a browser does."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from typing import Any

import attrs
from werkzeug.test import Client

STAFF_PATH = "/settings/portal"


@attrs.define
class Form:
    """A form of a page.

    Attributes:
        method: get or post.
        action: where it is sent, without what follows ``#``.
        fields: what a browser would send, by name, if the button were pressed now.
        names: the names of all its controls, be they sent or not.
        buttons: the words on its enabled buttons.
        disabled: the names of its disabled controls.
    """

    method: str
    action: str
    fields: dict[str, str] = attrs.field(factory=dict)
    names: list[str] = attrs.field(factory=list)
    buttons: list[str] = attrs.field(factory=list)
    disabled: list[str] = attrs.field(factory=list)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.form: Form | None = None
        self.fieldsets: list[bool] = []
        self.open: dict[str, Any] | None = None  # the textarea, select or button one is in

    def handle_starttag(self, tag: str, given: list[tuple[str, str | None]]) -> None:
        values = dict(given)
        if tag == "form":
            action = (values.get("action") or "").partition("#")[0]
            self.form = Form(values.get("method") or "get", action)
            self.forms.append(self.form)
        elif tag == "fieldset":
            self.fieldsets.append("disabled" in values)
        elif tag == "option" and self.open is not None:
            if self.open["value"] is None or "selected" in values:
                self.open["value"] = values.get("value") or ""
        elif self.form is not None and tag in ("input", "textarea", "select", "button"):
            self._control(tag, values)

    def _control(self, tag: str, values: dict[str, str | None]) -> None:
        name, off = values.get("name"), "disabled" in values or any(self.fieldsets)
        if tag != "input":
            text = None if tag == "select" else ""
            self.open = {"tag": tag, "name": name, "off": off, "value": text}
        elif name:
            ticked = values.get("type") not in ("checkbox", "radio") or "checked" in values
            self._note(name, values.get("value") or "", off=off, sent=ticked)

    def _note(self, name: str, value: str, *, off: bool, sent: bool = True) -> None:
        assert self.form is not None
        self.form.names.append(name)
        if off:
            self.form.disabled.append(name)
        elif sent:
            self.form.fields[name] = value

    def handle_data(self, data: str) -> None:
        if self.open is not None and self.open["tag"] != "select":
            self.open["value"] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.form = None
        elif tag == "fieldset":
            self.fieldsets.pop()
        elif self.open is not None and tag == self.open["tag"] and self.form is not None:
            found, self.open = self.open, None
            if tag == "button":
                if not found["off"]:
                    self.form.buttons.append(" ".join(found["value"].split()))
            elif found["name"]:
                # A line break that comes first in a textarea is none; a browser sends CRLF.
                text = re.sub(r"\r\n?", "\n", found["value"] or "").removeprefix("\n")
                self._note(found["name"], text.replace("\n", "\r\n"), off=found["off"])


@attrs.define
class Page:
    """An answer.

    Attributes:
        status: its status.
        html: its content.
        location: where a redirect leads, or None.
    """

    status: int
    html: str
    location: str | None = None

    @property
    def text(self) -> str:
        """What is read, space folded."""
        body = self.html.partition("<body")[2]
        return " ".join(unescape(re.sub(r"<[^>]*>", " ", f"<body{body}")).split())

    @property
    def title(self) -> str:
        """The title, without the seller's name."""
        found = re.search(r"<title>(.*?)</title>", self.html, re.DOTALL)
        assert found
        return " ".join(unescape(found[1]).split()).removesuffix(" - Nordlicht Kaffee GmbH")

    @property
    def heading(self) -> str:
        """The one h1."""
        (found,) = re.findall(r"<h1>(.*?)</h1>", self.html, re.DOTALL)
        return unescape(found)

    @property
    def status_line(self) -> str | None:
        """What is said of the last action directly under the heading, or None."""
        found = re.search(
            r'</h1>\s*<p class="done" role="status"[^>]*>(.*?)</p>', self.html, re.DOTALL
        )
        return unescape(found[1]) if found else None

    @property
    def alert(self) -> str:
        """What is told at once, read as text; empty where nothing is."""
        found = re.search(r'<(p|div) class="error" role="alert"[^>]*>(.*?)</\1>', self.html, re.S)
        return " ".join(unescape(re.sub(r"<[^>]*>", " ", found[2])).split()) if found else ""

    @property
    def forms(self) -> list[Form]:
        """All forms."""
        reader = _Reader()
        reader.feed(self.html)
        return reader.forms

    def form(self, button: str) -> Form:
        """The one form with such a button."""
        (found,) = [form for form in self.forms if button in form.buttons]
        return found

    def links(self) -> dict[str, str]:
        """Where the links lead, by their words."""
        found = re.findall(r'<a [^>]*?href="([^"]*)"[^>]*>(.*?)</a>', self.html, re.DOTALL)
        plain = ((" ".join(re.sub(r"<[^>]*>", "", words).split()), to) for to, words in found)
        return {unescape(words).strip("‹› "): unescape(to) for words, to in plain}


class Desk:
    """A member of staff, who has signed in by this name; nobody where it is empty."""

    def __init__(self, client: Client, name: str = "ana") -> None:
        self.client = client
        self.headers = {"X-Staff": name} if name else {}

    def open(self, path: str = "", method: str = "GET", **more: Any) -> Page:
        """Ask for a page below the path of the staff's pages, or for a whole path."""
        path = path if path.startswith(STAFF_PATH) else STAFF_PATH + path
        headers = {**self.headers, **more.pop("headers", {})}
        answer = self.client.open(path, method=method, headers=headers, **more)
        location = answer.headers.get("Location")
        return Page(answer.status_code, answer.get_data().decode(errors="replace"), location)

    def send(self, form: Form, headers: dict[str, str] | None = None, /, **changes: Any) -> Page:
        """Send a form with what is changed in it; what is None is not sent. Redirects are kept."""
        given = {**form.fields, **changes}
        data = {name: value for name, value in given.items() if value is not None}
        return self.open(form.action, form.method.upper(), data=data, headers=headers or {})

    def do(self, form: Form, /, **changes: Any) -> Page:
        """Send a form that is accepted, and go where it leads."""
        answer = self.send(form, **changes)
        assert answer.status == 303, (answer.status, answer.text)
        assert answer.location
        return self.open(answer.location)
