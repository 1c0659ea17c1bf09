"""What a host says once about its pages: who sells, how they look, the way back, who is staff."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

import attrs

from ..domain.checks import check_line, check_member, checked
from ..domain.mail import Mail
from ..domain.portal_token import check_staff
from ..domain.seller import Seller
from ..errors import InvalidValue
from ..export import PdfFont
from ..portal import Portal
from .colours import check_colour

LOGO_LIMIT = 200_000  # bytes
_KINDS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"RIFF": "image/webp",
    b"<svg": "image/svg+xml",
    b"<?xml": "image/svg+xml",
}


def _check_address(field: str, value: object) -> None:
    """An address of the host's application: a path, or http(s). ``javascript:`` is none."""
    text = check_line(field, value, limit=2000)
    rule = "must be a path such as '/customers' or an http address"
    try:
        parts = urlsplit(text)
    except ValueError:
        raise InvalidValue.of(field, value, rule) from None
    is_path = not parts.scheme and text.startswith("/") and text[1:2] not in ("/", "\\")
    if not is_path and not (parts.scheme in ("http", "https") and parts.hostname):
        raise InvalidValue.of(field, value, rule)


ADDRESS = checked(_check_address, optional=True)


@attrs.define(frozen=True)
class HostLinks:
    """The ways from the staff pages back into the host's application.

    Attributes:
        name: what staff call the application.
        home: where "Back to" leads, or None.
        customer: address of a customer's record with ``{customer_id}`` in it, or None.
        feature_settings: where the feature is switched on, or None.
        email_settings: where e-mail is set up, or None.

    Raises:
        InvalidValue: an address is neither a path nor http.
    """

    name: str = attrs.field(default="ERP", validator=checked(check_line, limit=100))
    home: str | None = attrs.field(default=None, validator=ADDRESS)
    customer: str | None = attrs.field(default=None, validator=ADDRESS)
    feature_settings: str | None = attrs.field(default=None, validator=ADDRESS)
    email_settings: str | None = attrs.field(default=None, validator=ADDRESS)

    def customer_page(self, customer_id: str) -> str | None:
        """The address of a customer's record in the host's application, or None."""
        if self.customer is None:
            return None
        return self.customer.replace("{customer_id}", quote(customer_id, safe=""))


@attrs.define(frozen=True)
class Logo:
    """A picture the pages serve."""

    content: bytes = attrs.field(repr=False)
    media_type: str

    @property
    def version(self) -> str:
        """Changes with the picture."""
        return hashlib.sha256(self.content).hexdigest()[:12]


def _read_logo(value: Any) -> Any:
    if value is None or isinstance(value, Logo):
        return value
    if not isinstance(value, str | Path):
        raise InvalidValue.of("Theme.logo", value, "must be the path of a picture")
    try:
        content = Path(value).read_bytes()
    except OSError as error:
        raise InvalidValue(f"Theme.logo cannot be read: {error}", field="logo") from None
    start = content.lstrip(b"\xef\xbb\xbf \r\n\t")
    kinds = [kind for first, kind in _KINDS.items() if start.startswith(first)]
    if not kinds or len(content) > LOGO_LIMIT:
        rule = f"must be a PNG, JPEG, GIF, WebP or SVG of at most {LOGO_LIMIT:,} bytes"
        raise InvalidValue.of("Theme.logo", str(value), rule)
    return Logo(content, kinds[0])


def _folder(value: Any) -> Any:
    return Path(value) if isinstance(value, str) else value


def _check_folder(field: str, value: object) -> None:
    if not isinstance(value, Path) or not value.is_dir():
        raise InvalidValue.of(field, value, "must be a folder with templates")


@attrs.define(frozen=True)
class Theme:
    """How the pages look.

    Attributes:
        logo: path of a picture shown in place of the seller's name, or None.
        colour: the seller's colour as ``#rrggbb``, or None. It cannot make a page unreadable:
            where its contrast is too weak it becomes a stripe only.
        templates: folder with a ``theme.html`` that overrides blocks of the base template
            (head, header, nav, footer, contact), or None.
        pdf_font: the font of statements as PDF, for customers who write other than Latin, Greek
            and Cyrillic letters; or None for ours.

    Raises:
        InvalidValue: a field breaks its rule.
    """

    logo: Logo | None = attrs.field(default=None, converter=_read_logo)
    colour: str | None = attrs.field(default=None, validator=checked(check_colour, optional=True))
    templates: Path | None = attrs.field(
        default=None, converter=_folder, validator=checked(_check_folder, optional=True)
    )
    pdf_font: PdfFont | None = attrs.field(
        default=None, validator=checked(check_member, PdfFont, optional=True)
    )


@attrs.define(frozen=True)
class Staff:
    """A member of staff, as ``authorize`` names them.

    Attributes:
        name: who acts, in the audit trail.
        read_only: True for who may look but change nothing, nor see or copy a link.
        language: language tag, or None for that of the browser.

    Raises:
        InvalidValue: the name is no single line of 1 to 255 characters.
    """

    name: str = attrs.field(validator=checked(check_staff))
    read_only: bool = attrs.field(default=False, validator=checked(check_member, bool))
    language: str | None = attrs.field(
        default=None, validator=checked(check_line, limit=35, optional=True)
    )


Authorize = Callable[[dict[str, Any]], "Staff | str | None"]
"""Given the WSGI environ: who asks, by name or as `Staff`, or None for nobody."""


def nobody(_: dict[str, Any]) -> None:
    """The default of ``authorize``: nobody is staff."""


class LinkMailer(Protocol):
    """What the pages ask of a mailer, such as `basis_portal.mail.Mailer`."""

    @property
    def portal(self) -> Portal:
        """Whose e-mails it sends."""
        ...

    def send_link(
        self, customer_id: str, *, by: str | None = None, mail_id: str | None = None
    ) -> Mail:
        """E-mail the link of the customer's active token to the address on file, and wait.

        Asked for twice with one ``mail_id``, as by a form that is sent twice, it is sent once.
        """
        ...


@attrs.define(frozen=True, eq=False)
class Site:
    """All of it, for the pages."""

    portal: Portal
    seller: Seller
    theme: Theme
    host: HostLinks
    mailer: LinkMailer | None = None
    renewals: bool = False

    @classmethod
    def of(
        cls,
        portal: Portal,
        *,
        seller: Seller | None = None,
        theme: Theme | None = None,
        host: HostLinks | None = None,
        mailer: LinkMailer | None = None,
        renewals: bool = False,
    ) -> Site:
        """A site; without a seller it is named by the address of the portal."""
        if seller is None:
            seller = Seller(urlsplit(portal.base_url).hostname or portal.base_url)
        if mailer is not None and getattr(mailer, "portal", None) is not portal:
            raise InvalidValue.of("mailer", mailer, "must be a mailer of this portal")
        if check_member("renewals", renewals, bool) and mailer is None:
            raise InvalidValue("renewals need a mailer: give mailer= as well", field="renewals")
        return cls(
            portal,
            check_member("seller", seller, Seller),
            check_member("theme", theme or Theme(), Theme),
            check_member("host", host or HostLinks(), HostLinks),
            mailer,
            renewals,
        )
