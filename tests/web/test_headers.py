"""Headers of every answer, the cookie of the language, and what caches may keep (security 7)."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.build.gallery import gallery

PATHS = (
    "/gallery/home-heavy",
    "/gallery/home-heavy?lang=en",
    "/help",
    "/static/mingbiao.css",
    "/static/seal.svg",
    "/static/seal/page.js",
    "/livez",
    "/readyz",
    "/nothing-here",
    "/log/tile/0/000",
    "/verify/verify.py",
    "/procedures/x/documents/y.json",
)
DIRECTIVES = {
    "default-src 'none'",
    "script-src 'self'",
    "connect-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
}


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_is_hardened(samples_client: FlaskClient, path: str) -> None:
    with samples_client.get(path) as answer:
        headers = answer.headers
    assert set(headers["Content-Security-Policy"].split("; ")) == DIRECTIVES, (
        "nothing more is allowed, no script in a page above all"
    )
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert "Cache-Control" in headers


def test_the_sealing_worker_alone_may_run_web_assembly(samples_client: FlaskClient) -> None:
    allowed = {}
    for path in ("seal/worker.js", "seal/page.js", "seal/libraries.js", "reopen/worker.js", "verify/worker.js"):
        with samples_client.get(f"/static/{path}") as answer:
            allowed[path] = set(answer.headers["Content-Security-Policy"].split("; ")) ^ DIRECTIVES
    more = {"script-src 'self'", "script-src 'self' 'wasm-unsafe-eval'"}
    assert {path: found for path, found in allowed.items() if found} == {"seal/worker.js": more}


def test_transport_security_only_over_https(samples_client: FlaskClient) -> None:
    assert "Strict-Transport-Security" not in samples_client.get("/help").headers
    secure = samples_client.get("/help", base_url="https://example.test")
    assert secure.headers["Strict-Transport-Security"].startswith("max-age=31536000")


def test_pages_may_be_cached_but_not_with_a_cookie(samples_client: FlaskClient) -> None:
    plain = samples_client.get("/help")
    assert plain.headers["Cache-Control"].startswith("public")
    assert {"accept-language", "cookie"} <= {each.lower() for each in plain.vary}
    assert "Set-Cookie" not in plain.headers
    chosen = samples_client.get("/help?lang=en")
    assert chosen.headers["Cache-Control"] == "no-store"
    cookie = chosen.headers["Set-Cookie"]
    assert all(part in cookie for part in ("mb_lang=en", "HttpOnly", "SameSite=Lax"))
    assert "Secure" not in cookie
    assert "Secure" in samples_client.get("/help?lang=zh", base_url="https://example.test").headers["Set-Cookie"]


@pytest.mark.parametrize(
    ("query", "cookie", "accept", "language"),
    [
        ("", None, None, "zh"),
        ("", None, "en-GB,en;q=0.8", "en"),
        ("", None, "fr,de", "zh"),
        ("", None, "en;q=0.5,zh-CN;q=0.9", "zh"),
        ("", "en", "zh-CN", "en"),
        ("?lang=zh", "en", "en", "zh"),
        ("?lang=xx", "en", "zh-CN", "en"),
    ],
)
def test_which_language(
    samples_client: FlaskClient, query: str, cookie: str | None, accept: str | None, language: str
) -> None:
    if cookie is not None:
        samples_client.set_cookie("mb_lang", cookie)
    answer = samples_client.get(f"/help{query}", headers={"Accept-Language": accept} if accept else {})
    assert ('<html lang="en">' in answer.text) == (language == "en")


def test_the_switch_keeps_the_address(samples_client: FlaskClient) -> None:
    text = samples_client.get("/gallery/search-filtered?q=临江&stage=open&lang=zh").text
    assert 'href="/gallery/search-filtered?q=%E4%B8%B4%E6%B1%9F&amp;stage=open&amp;lang=en"' in text


def test_outside_demo_mode_there_is_no_banner(tmp_path: Path) -> None:
    text = gallery(tmp_path, demo=False).test_client().get("/gallery/home-heavy").text
    assert "演示模式" not in text
    assert "演示时间" not in text


def test_health(samples_client: FlaskClient) -> None:
    assert samples_client.get("/livez").get_json() == {"alive": True}
    ready = samples_client.get("/readyz")
    assert (ready.status_code, ready.get_json()["ready"]) == (503, False), "no database answers here"
    assert samples_client.get("/healthz").status_code == 503
