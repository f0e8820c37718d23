"""Headers of every answer (security 7.1). This release serves no script at all, so none is allowed."""

from __future__ import annotations

from typing import Final

from flask import Flask, Response, request

from trading.web.permissions import permission_of

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
# Everything a browser offers to pages and we do not use; sign-in pages will need publickey-credentials-*.
PERMISSIONS_POLICY: Final = ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer", "autoplay", "camera", "display-capture", "encrypted-media", "fullscreen", "geolocation",
        "gyroscope", "hid", "identity-credentials-get", "idle-detection", "magnetometer", "microphone", "midi",
        "payment", "picture-in-picture", "publickey-credentials-create", "publickey-credentials-get",
        "screen-wake-lock", "serial", "usb", "web-share", "xr-spatial-tracking",
    )
)  # fmt: skip
FIXED: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": PERMISSIONS_POLICY,
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
TRANSPORT_SECURITY: Final = "max-age=31536000; includeSubDomains"
PUBLIC_CACHE: Final = "public, max-age=5, must-revalidate"


def _harden(response: Response) -> Response:
    for name, value in FIXED.items():
        response.headers.setdefault(name, value)
    if request.is_secure:
        response.headers.setdefault("Strict-Transport-Security", TRANSPORT_SECURITY)
    if response.mimetype == "text/html":
        response.vary.update(("Accept-Language", "Cookie"))
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = PUBLIC_CACHE if _is_public(response) else "no-store"
    return response


def _is_public(response: Response) -> bool:
    """Whether any cache may keep the answer: a readable page of a public route that sets no cookie."""
    permission = permission_of(request.endpoint)
    cookies = "Set-Cookie" in response.headers
    return permission is not None and permission.public and response.status_code == 200 and not cookies  # noqa: PLR2004 - a status


def install(app: Flask) -> None:
    """Put the headers on every answer of ``app``, errors included."""
    app.after_request(_harden)
