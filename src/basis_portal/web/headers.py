"""The headers of every answer."""

from __future__ import annotations

_OFF = (
    "accelerometer", "autoplay", "camera", "display-capture", "encrypted-media", "fullscreen",
    "geolocation", "gyroscope", "magnetometer", "microphone", "midi", "payment",
    "picture-in-picture", "publickey-credentials-get", "screen-wake-lock", "usb",
    "xr-spatial-tracking",
)  # fmt: skip
_POLICY = {
    "default-src": "'none'",
    "style-src": "'self'",
    "img-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
_SCRIPTS = {"script-src": "'self'", "connect-src": "'self'"}
YEAR = 31_536_000  # seconds


def security_headers(*, https: bool, scripts: bool) -> dict[str, str]:
    """What a browser is told: nothing from elsewhere, nothing kept, nothing passed on.

    Args:
        https: adds HSTS; over http browsers must ignore it.
        scripts: staff pages run one small script of ours and may write to the clipboard.
    """
    policy = {**_POLICY, **_SCRIPTS} if scripts else _POLICY
    clipboard = "(self)" if scripts else "()"
    headers = {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Referrer-Policy": "same-origin",
        "Cache-Control": "no-store, private",
        "X-Robots-Tag": "noindex, nofollow, noarchive",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": ", ".join(
            [*(f"{name}=()" for name in _OFF), "clipboard-read=()", f"clipboard-write={clipboard}"]
        ),
    }
    if https:
        headers["Strict-Transport-Security"] = f"max-age={2 * YEAR}"
    return headers
