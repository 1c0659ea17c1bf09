"""Portal links and the hidden values of forms. The only module that knows itsdangerous.

The text of a link is ``<token id>.<signature>``: 128 random bits and an HMAC-SHA-256 over
them, both in base64url. It holds no customer id, no e-mail and no date, because what
itsdangerous signs can be read by whoever has the link.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence

from itsdangerous import Signer
from itsdangerous.signer import SigningAlgorithm

from .errors import InvalidValue

KEY_LENGTH = 32  # bytes; what HMAC-SHA-256 can use of a key
_SALT = "basis_portal/link/v1/"
_FORM_SALT = "basis_portal/form/v1/"
_FORM = re.compile(r"[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}")
_TEXT_LENGTH = 66
_SURROGATE = re.compile("[\ud800-\udfff]")


def new_token_id() -> str:
    """128 random bits in base64url: 22 characters."""
    import secrets  # brings random and more: only where it is used

    return secrets.token_urlsafe(16)


def check_secret_keys(secret_keys: Sequence[str | bytes]) -> tuple[bytes, ...]:
    """The keys as bytes, oldest first.

    Raises `InvalidValue`, never repeating a key, for a bare string, an empty sequence, a
    key below 32 bytes and a key that stands there twice.
    """
    field = "secret_keys"
    if isinstance(secret_keys, str | bytes | bytearray) or not isinstance(secret_keys, Sequence):
        raise InvalidValue(
            f"{field} must be a sequence of keys, oldest first, such as [key]", field=field
        )
    if not secret_keys:
        raise InvalidValue(f"{field} must hold at least one key", field=field)
    keys = tuple(_key_bytes(f"{field}[{i}]", key) for i, key in enumerate(secret_keys))
    if len(set(keys)) != len(keys):
        raise InvalidValue(f"{field} must not hold the same key twice", field=field)
    return keys


def _key_bytes(field: str, key: object) -> bytes:
    if not isinstance(key, str | bytes):
        raise InvalidValue(f"{field} must be text or bytes, not {type(key).__name__}", field=field)
    # Looked for, not caught: a UnicodeEncodeError holds the key, also as a mere context.
    if isinstance(key, str) and _SURROGATE.search(key):
        raise InvalidValue(f"{field} must be text that UTF-8 can hold", field=field)
    raw = key.encode() if isinstance(key, str) else key
    if len(raw) < KEY_LENGTH:
        raise InvalidValue(
            f"{field} must have at least {KEY_LENGTH} bytes, not {len(raw)}; "
            "make one with: python -c 'import secrets; print(secrets.token_urlsafe(48))'",
            field=field,
        )
    return raw


def key_fingerprint(key: str | bytes) -> str:
    """What a token's row says of the key it was issued under: 16 hex digits, not the key.

    Raises `InvalidValue` for what cannot be a secret key.
    """
    return hmac.digest(_key_bytes("key", key), b"basis_portal/fingerprint", "sha256").hex()[:16]


class LinkSigner:
    """Makes the text of a link from a token id, and reads it back.

    The newest key (the last) signs, all verify.
    """

    def __init__(self, secret_keys: Sequence[str | bytes], tenant: str) -> None:
        keys = check_secret_keys(secret_keys)
        self._signers = [_signer(key, _SALT + tenant) for key in keys]
        self.fingerprints: tuple[str, ...] = tuple(key_fingerprint(key) for key in keys)

    def __reduce__(self) -> str:
        raise TypeError("LinkSigner holds secret keys and is not pickled")

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the key that signs."""
        return self.fingerprints[-1]

    def sign(self, token_id: str) -> str:
        """The text of the link of a token."""
        return self._signers[-1].sign(token_id).decode()

    def read(self, text: object) -> str | None:
        """The token id of a text that one of the keys signed, else None.

        Exactly one spelling of a token is read: itsdangerous would accept four spellings of
        the last character and a trailing ``=``, so the text is signed anew and compared.
        """
        if not isinstance(text, str) or len(text) != _TEXT_LENGTH or not _FORM.fullmatch(text):
            return None
        token_id, given = text[:22], text.encode()
        for signer in reversed(self._signers):
            if hmac.compare_digest(signer.sign(token_id), given):
                return token_id
        return None


class FormSigner:
    """The hidden values of forms: they show that a form came from a page of the portal.

    A value is bound to what the form is for and to whom it was shown. The newest key makes
    it, all accept it. No clock is in it: a page left open over night still sends its form.
    """

    def __init__(self, secret_keys: Sequence[str | bytes], tenant: str) -> None:
        keys = check_secret_keys(secret_keys)
        self._signers = [_signer(key, _FORM_SALT + tenant) for key in keys]

    def __reduce__(self) -> str:
        raise TypeError("FormSigner holds secret keys and is not pickled")

    def value(self, purpose: str, subject: str) -> str:
        """The hidden value of a form.

        Args:
            purpose: what the form is for, such as ``"message"``; without NUL.
            subject: whom it is shown to: a token id, or the name of a member of staff.
        """
        return _form_value(self._signers[-1], purpose, subject)

    def accepts(self, purpose: str, subject: str, value: object) -> bool:
        """True where `value` made this for the same purpose and subject."""
        if not isinstance(value, str) or not value.isascii():
            return False
        values = [_form_value(signer, purpose, subject) for signer in self._signers]
        return any(hmac.compare_digest(one, value) for one in values)


def _form_value(signer: Signer, purpose: str, subject: str) -> str:
    return signer.get_signature(f"{purpose}\0{subject}".encode()).decode()


class _PreparedHMAC(SigningAlgorithm):
    """HMAC-SHA-256 that has taken in its key: half of the work of each signature."""

    def __init__(self, key: bytes) -> None:
        self._prepared = hmac.new(key, digestmod=hashlib.sha256)

    def get_signature(self, key: bytes, value: bytes) -> bytes:  # noqa: ARG002 (it has its key)
        """The signature of ``value``."""
        mac = self._prepared.copy()
        mac.update(value)
        return mac.digest()


def _signer(key: bytes, named: str) -> Signer:
    """A signer whose key is derived once; itsdangerous would derive it for every signature."""
    naming = Signer(key, named.encode(), key_derivation="hmac", digest_method=hashlib.sha256)
    derived = naming.derive_key()
    return Signer(derived, key_derivation="none", algorithm=_PreparedHMAC(derived))
