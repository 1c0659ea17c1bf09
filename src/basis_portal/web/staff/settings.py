"""The page of the settings: how they stand, and what is answered when they are saved."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import attrs
from flask import Response, request

from ...domain.checks import check_lines, plain_text
from ...domain.config import EXPIRY_DAYS, WELCOME_LIMIT, PortalConfig, StoredSettings
from ...domain.portal_token import TokenStatus
from ...errors import InvalidValue, PortalNotAvailable, SettingsConflict
from ..answering import _, language, site
from .frame import Answer, form_accepted, me, show, to, typed

SWITCHES = (
    "enabled",
    "show_sales_orders",
    "show_credit_notes",
    "show_statement",
    "allow_messages",
)
_SHOWN = 40  # characters of a wrong number that are repeated


@attrs.define(frozen=True)
class SettingsForm:
    """What the form holds, as stored or as typed.

    Attributes:
        on: names of the switches that are ticked.
        token_expiry_days: what stands in that field.
        welcome_message: what stands in that field.
        version: the version of the settings that the form was made from.
    """

    on: frozenset[str]
    token_expiry_days: str
    welcome_message: str
    version: int

    @classmethod
    def of(cls, stored: StoredSettings) -> SettingsForm:
        """The form of the settings as they are."""
        config = stored.config
        on = frozenset(name for name in SWITCHES if getattr(config, name))
        return cls(on, str(config.token_expiry_days), config.welcome_message, stored.version)

    @classmethod
    def sent(cls) -> SettingsForm:
        """The form as it was sent."""
        sent = request.form
        version = sent.get("version", "")
        return cls(
            frozenset(name for name in SWITCHES if name in sent),
            sent.get("token_expiry_days", ""),
            sent.get("welcome_message", ""),
            int(version) if version.isascii() and version.isdigit() and len(version) < 19 else 0,
        )

    def errors(self) -> dict[str, str]:
        """What is to be corrected, by field, in the order of the page."""
        found = {
            "token_expiry_days": _wrong_days(self.token_expiry_days),
            "welcome_message": _wrong_welcome(self.welcome_message),
        }
        return {field: words for field, words in found.items() if words}

    def config(self) -> PortalConfig:
        """The settings it stands for, once there are no `errors`."""
        return PortalConfig(
            token_expiry_days=int(self.token_expiry_days),
            welcome_message=self.welcome_message,
            **{name: name in self.on for name in SWITCHES},
        )


@attrs.define(frozen=True)
class Conflict:
    """Somebody saved meanwhile.

    Attributes:
        text: who, when.
        owner: whose values the others are, as a label before them.
        theirs: the present values of the fields that differ from what was typed.
    """

    text: str
    owner: str
    theirs: Mapping[str, str]


def show_settings() -> Response:
    """The settings as they are."""
    stored = site().portal.settings.get()
    return _page(SettingsForm.of(stored), stored, code=request.args.get("done", ""))


def save_settings() -> Response:
    """Save what was typed; whatever is refused comes back with it."""
    portal, typed = site().portal, SettingsForm.sent()
    before = portal.settings.get()
    if not form_accepted():
        return _page(typed, before, 403, refused=_("Please press Save settings once more."))
    if errors := typed.errors():
        return _page(typed, before, 400, errors=errors)
    config = typed.config()
    try:
        portal.settings.save(config, by=me().name, if_version=typed.version)
    except SettingsConflict as refused:
        return _conflict(typed, config, refused.current)
    # The save succeeded, so ``before`` is what the form was made from.
    return to("show_settings", done=_code(before.config, config))


def not_available(_: PortalNotAvailable) -> Response:
    """What all pages of staff show where edition or feature gives no portal."""
    because = site().portal.unavailable_because()
    return show("staff/not_available.html", 403, because=because, typed=typed())


def _conflict(typed: SettingsForm, config: PortalConfig, present: StoredSettings) -> Response:
    theirs = _differences(config, present.config)
    if not theirs:  # both wanted the same
        return to("show_settings", done="unchanged")
    again = attrs.evolve(typed, version=present.version)
    owner = _("Value saved meanwhile:")
    if present.changed_by not in (None, me().name):
        owner = _("%(name)s's value:", name=present.changed_by)
    return _page(again, present, 409, conflict=Conflict(_who_saved(present), owner, theirs))


def _page(
    form: SettingsForm,
    stored: StoredSettings,
    status: int = 200,
    *,
    code: str = "",
    refused: str = "",
    errors: Mapping[str, str] | None = None,
    conflict: Conflict | None = None,
) -> Response:
    portal = site().portal
    active = portal.tokens.count(TokenStatus.ACTIVE)
    left = WELCOME_LIMIT - len(plain_text(form.welcome_message))
    return show(
        "staff/settings.html",
        status,
        section="settings",
        form=form,
        stored=stored,
        active=active,
        would_expire=portal.now() + dt.timedelta(stored.config.token_expiry_days),
        done=_answer(code, stored.config, active),
        refused=refused,
        errors=errors or {},
        conflict=conflict,
        limit=WELCOME_LIMIT,
        left=left,
        counter=_counter,
    )


# --- what is said ---------------------------------------------------------------------------


def _code(before: PortalConfig, after: PortalConfig) -> str:
    """What became of a save, as the next page's address tells it."""
    if before == after:
        return "unchanged"
    off = "-off" if before.enabled and not after.enabled else ""
    expiry = "-expiry" if before.token_expiry_days != after.token_expiry_days else ""
    return f"saved{off}{expiry}"


def _answer(code: str, config: PortalConfig, active: int) -> Answer | None:
    """The words for a code; codes that nobody gave, and what is not true any more, say less."""
    if code == "unchanged":
        return Answer(_("Nothing was changed"), _("Nothing was changed."))
    first, *more = code.split("-")
    if first != "saved":
        return None
    text = _("Settings saved. They apply from now on.")
    if "off" in more and not config.enabled:
        text = _switched_off(active)
    if "expiry" in more and active:
        kept = language().ngettext(
            "%(count)s existing token keeps its date.",
            "%(count)s existing tokens keep their dates.",
            active,
        )
        text = f"{text} {kept}"
    return Answer(_("Settings saved"), text)


def _switched_off(active: int) -> str:
    if not active:
        return _("Settings saved. The portal is off.")
    return language().ngettext(
        "Settings saved. The portal is off: %(count)s link now shows 'Portal not available'. "
        "It works again when you switch it on.",
        "Settings saved. The portal is off: %(count)s links now show 'Portal not available'. "
        "They work again when you switch it on.",
        active,
    )


def _who_saved(present: StoredSettings) -> str:
    """Who changed the settings and when, to who wanted to change them."""
    who, at = present.changed_by, present.changed_at
    if who is None or at is None:
        return _("These settings were changed while you were editing. Nothing has been saved.")
    if who == me().name:
        return _("You changed these settings in another window meanwhile. Nothing has been saved.")
    portal = site().portal
    zone = portal.timezone
    if at.astimezone(zone).date() != portal.today():
        return _(
            "%(name)s changed these settings on %(instant)s while you were editing. "
            "Nothing has been saved.",
            name=who,
            instant=language().short_instant(at, zone),
        )
    return _(
        "%(name)s changed these settings at %(time)s while you were editing. "
        "Nothing has been saved.",
        name=who,
        time=language().time(at, zone),
    )


def _differences(typed: PortalConfig, present: PortalConfig) -> dict[str, str]:
    """The present values, in words, of the fields in which both differ."""
    names = (field.name for field in attrs.fields(PortalConfig))
    return {
        name: _in_words(getattr(present, name))
        for name in names
        if getattr(typed, name) != getattr(present, name)
    }


def _in_words(value: bool | int | str) -> str:
    if isinstance(value, bool):
        return _("on") if value else _("off")
    return str(value) or _("empty")


def _counter(left: int, number: str | None = None) -> str:
    """How many characters are left, or too many; ``number`` stands for the figure."""
    shown = number or language().count(abs(left))
    if left < 0:
        return language().ngettext(
            "%(number)s character too many", "%(number)s characters too many", -left, number=shown
        )
    return language().ngettext(
        "You have %(number)s character left",
        "You have %(number)s characters left",
        left,
        number=shown,
    )


# --- what is to be corrected ----------------------------------------------------------------


def _wrong_days(text: str) -> str:
    number = text.strip()
    low, high = EXPIRY_DAYS
    digits = number.isascii() and number.isdigit() and len(number) <= len(str(high))
    if digits and low <= int(number) <= high:
        return ""
    rule = _(
        "Token Expiry (days) must be a whole number from %(low)s to %(high)s.", low=low, high=high
    )
    if not number:
        return rule
    shown = number if len(number) <= _SHOWN else f"{number[:_SHOWN]}…"
    entered = _('You entered "%(entered)s".', entered=shown)
    return f"{rule} {entered}"


def _wrong_welcome(text: str) -> str:
    length = len(plain_text(text))
    if length > WELCOME_LIMIT:
        return _(
            "Welcome Message is %(length)s characters long. The limit is %(limit)s.",
            length=language().count(length),
            limit=WELCOME_LIMIT,
        )
    at = _control_character(text)
    if at is None:
        return ""
    return _("Welcome Message contains a control character (position %(position)s).", position=at)


def _control_character(text: str) -> int | None:
    """The place, as people count, of the first character that no text of ours may hold."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    ahead = len(lines) - len(lines.lstrip())  # the ends are trimmed, whatever they hold
    for place, character in enumerate(lines.strip(), ahead + 1):
        try:
            check_lines("welcome_message", character, limit=1)
        except InvalidValue:
            return place
    return None


PAGES = (("/", show_settings, ["GET"]), ("/", save_settings, ["POST"]))
