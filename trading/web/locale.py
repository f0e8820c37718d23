"""The language of an answer: ``?lang=`` decides, then the cookie, then Accept-Language, then Chinese.

Both languages are complete; the Chinese text of a notice prevails and the pages say so (ux 3.5). Switching keeps the
address and everything in its query. Flask-Babel owns locale and catalogues; templates take the catalogue once per
request, because looking it up for each of several hundred strings would cost more than the page itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from flask import Flask, Response, g, request
from flask_babel import Babel, get_translations  # type: ignore[import-untyped]  # it ships no types
from flask_babel.speaklater import LazyString  # type: ignore[import-untyped]

LANGUAGES: Final = {"zh": "zh_Hans_CN", "en": "en"}
HTML_LANG: Final = {"zh": "zh-Hans-CN", "en": "en"}
DEFAULT: Final = "zh"
COOKIE: Final = "mb_lang"
COOKIE_SECONDS: Final = 365 * 24 * 3600


def current_language() -> str:
    """Return ``zh`` or ``en`` for the request in hand; chosen once."""
    if "language" not in g:
        g.language = _choose()
    return str(g.language)


def _choose() -> str:
    for wish in (request.args.get("lang"), request.cookies.get(COOKIE)):
        if wish in LANGUAGES:
            return wish
    for tag, _quality in request.accept_languages:
        primary = tag.split("-")[0].lower()
        if primary in LANGUAGES:
            return primary
    return DEFAULT


def pick(zh: str, en: str) -> str:
    """Return the text in the reader's language; the other one when that text does not exist."""
    return (zh or en) if current_language() == "zh" else (en or zh)


def switch_url(language: str) -> str:
    """Return the address of this very page in ``language``, every other part of the query kept."""
    pairs = [(key, value) for key, value in request.args.items(multi=True) if key != "lang"]
    return f"{request.path}?{urlencode([*pairs, ('lang', language)])}"


def gettext(message: str) -> str:
    """Return ``message`` in the reader's language."""
    if "catalogue" not in g:
        g.catalogue = get_translations()
    return str(g.catalogue.gettext(message))


def ngettext(singular: str, plural: str, number: int) -> str:
    """Return the form of the message for ``number`` in the reader's language."""
    if "catalogue" not in g:
        g.catalogue = get_translations()
    return str(g.catalogue.ngettext(singular, plural, number))


def lazy(message: str) -> LazyString:
    """Return a text that becomes the reader's language when a page shows it: for labels of forms."""
    return LazyString(gettext, message)


def _context() -> dict[str, Any]:
    return {"language": current_language(), "html_lang": HTML_LANG[current_language()], "switch_url": switch_url}


def _remember(response: Response) -> Response:
    wish = request.args.get("lang")
    if wish in LANGUAGES and request.cookies.get(COOKIE) != wish:
        response.set_cookie(
            COOKIE, wish, max_age=COOKIE_SECONDS, secure=request.is_secure, httponly=True, samesite="Lax"
        )
    return response


def install(app: Flask, *, catalogues: Path) -> None:
    """Give ``app`` its two languages; ``catalogues`` is the folder of compiled catalogues."""
    Babel(
        app,
        default_locale=LANGUAGES[DEFAULT],
        default_timezone="Asia/Shanghai",
        default_translation_directories=str(catalogues),
        locale_selector=lambda: LANGUAGES[current_language()],
    )
    # Jinja's i18n extension adds this method to the environment when Flask-Babel loads it.
    install_callables: Any = app.jinja_env.install_gettext_callables  # type: ignore[attr-defined]
    install_callables(gettext, ngettext, newstyle=True)
    app.jinja_env.globals["pick"] = pick
    app.context_processor(_context)
    app.after_request(_remember)
