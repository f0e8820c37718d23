"""Headers of every answer (security 7.1). Scripts are files of our own; nothing inline, nothing foreign."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from flask import Flask, Response, current_app, request

from trading.web.permissions import permission_of

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# Sealing hashes in WebAssembly. A worker has the policy of its own answer, so that no page needs this.
SEALING_WORKER: Final = "seal/worker.js"
SEALING_POLICY: Final = CONTENT_SECURITY_POLICY.replace("script-src 'self'", "script-src 'self' 'wasm-unsafe-eval'")
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
SERVER_TIME: Final = "X-Server-Time"  # ms of the platform's clock, for countdowns that a page keeps running
PUBLIC_CACHE: Final = "public, max-age=5, must-revalidate"


def _harden(response: Response) -> Response:
    if request.endpoint == "static" and (request.view_args or {}).get("filename") == SEALING_WORKER:
        response.headers["Content-Security-Policy"] = _sealing_policy()
    for name, value in FIXED.items():
        response.headers.setdefault(name, value)
    if request.is_secure:
        response.headers.setdefault("Strict-Transport-Security", TRANSPORT_SECURITY)
    if response.mimetype == "text/html":
        response.vary.update(("Accept-Language", "Cookie"))
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = PUBLIC_CACHE if _is_public(response) else "no-store"
    return response


def _sealing_policy() -> str:
    """Return what the worker that seals and sends may do: also send to the bucket, where senders reach it."""
    runtime: Any = current_app.extensions.get("runtime")  # of trading.audit, which this package does not know
    origin = "" if runtime is None else runtime.objects.pieces.origin
    return SEALING_POLICY.replace("connect-src 'self'", f"connect-src 'self' {origin}") if origin else SEALING_POLICY


def _is_public(response: Response) -> bool:
    """Whether any cache may keep the answer: a page of a public route without a form and without a cookie to set."""
    permission = permission_of(request.endpoint)
    if permission is None or not permission.public or response.status_code != HTTPStatus.OK:
        return False
    has_form = request.url_rule is not None and "POST" in (request.url_rule.methods or ())
    return not has_form and "Set-Cookie" not in response.headers


def install(app: Flask) -> None:
    """Put the headers on every answer of ``app``, errors included."""
    app.after_request(_harden)
