"""Language catalogues: gather the source strings, keep both catalogues complete, compile them.

``python -m trading.web.catalogues update`` after a template changed, ``compile`` at build, ``check`` in tests. The
source strings are the English texts; the English catalogue repeats them, so that both are complete in the same way.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from trading.web.locale import LANGUAGES

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = ROOT / "translations"
DOMAIN: Final = "messages"
SOURCES: Final = (
    (ROOT / "templates", [("**.html", "jinja2")]),
    (ROOT / "trading" / "web", [("**.py", "python")]),
    (ROOT / "trading", [("**/forms.py", "python"), ("**/views.py", "python"), ("**/views/**.py", "python")]),
)
OPTIONS: Final = {"jinja2": {"trimmed": "true", "silent": "false", "encoding": "utf-8"}}
SOURCE_LANGUAGE: Final = "en"
HEADER_DATE: Final = datetime(2026, 1, 1, tzinfo=UTC)


def po_path(locale: str, folder: Path = FOLDER) -> Path:
    """Return where the editable catalogue of ``locale`` stands."""
    return folder / locale / "LC_MESSAGES" / f"{DOMAIN}.po"


def extract() -> Catalog:
    """Return every string that a template or the web's plumbing marks for translation."""
    template = Catalog(project="mingbiao", copyright_holder="Mingbiao", charset="utf-8")
    for folder, methods in SOURCES:
        options = {pattern: OPTIONS.get(method, {}) for pattern, method in methods}
        for _file, _line, message, comments, context in extract_from_dir(folder, methods, options):
            template.add(message, auto_comments=comments, context=context)
    return template


def read(locale: str, folder: Path = FOLDER) -> Catalog:
    """Return the editable catalogue of ``locale``; empty if it does not exist yet."""
    path = po_path(locale, folder)
    if not path.exists():
        return Catalog(locale=locale, domain=DOMAIN)
    with path.open("rb") as file:
        return read_po(file, locale=locale, domain=DOMAIN)


def update(folder: Path = FOLDER) -> None:
    """Bring both catalogues in line with the sources. New Chinese texts are left empty; ``check`` names them."""
    template = extract()
    for locale in LANGUAGES.values():
        known = {_key(message.id): message.string for message in read(locale, folder) if message.id}
        catalogue = _fresh(locale)
        for message in template:
            if message.id:
                text = message.id if locale == SOURCE_LANGUAGE else known.get(_key(message.id))
                catalogue.add(message.id, text, flags=message.flags, context=message.context)
        path = po_path(locale, folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            write_po(file, catalogue, width=120, sort_output=True, no_location=True)


def _fresh(locale: str) -> Catalog:
    """Return an empty catalogue whose header never changes by itself, so that a difference is always a text."""
    return Catalog(
        locale=locale,
        domain=DOMAIN,
        header_comment="# Texts of the pages. See trading/web/catalogues.py.",
        project="mingbiao",
        version="1",
        msgid_bugs_address="see CONTRIBUTING.md",
        creation_date=HEADER_DATE,
        revision_date=HEADER_DATE,
        last_translator="Mingbiao",
        language_team="Mingbiao",
        fuzzy=False,
    )


def problems(folder: Path = FOLDER) -> Iterator[str]:
    """Yield one line per missing, fuzzy or superfluous text; nothing means that both catalogues are complete."""
    wanted = {_key(message.id) for message in extract() if message.id}
    for locale in LANGUAGES.values():
        known = {_key(message.id): message for message in read(locale, folder) if message.id}
        for key in sorted(wanted - known.keys()):
            yield f"{locale}: not in the catalogue: {key}"
        for key in sorted(known.keys() - wanted):
            yield f"{locale}: no longer used: {key}"
        for key, message in known.items():
            texts = message.string if isinstance(message.string, list | tuple) else (message.string,)
            if message.fuzzy or not texts or not all(texts):
                yield f"{locale}: not translated: {key}"


def _key(message: str | list[str] | tuple[str, ...]) -> str:
    return message if isinstance(message, str) else message[0]


def compile_all(folder: Path = FOLDER) -> None:
    """Write the compiled catalogue beside each editable one where it is missing or older; atomic, safe to run twice."""
    for locale in LANGUAGES.values():
        source = po_path(locale, folder)
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
            continue
        fresh = target.with_suffix(f".mo.{os.getpid()}")
        with fresh.open("wb") as file:
            write_mo(file, read(locale, folder))
        fresh.replace(target)


def main(arguments: list[str]) -> int:
    """Run ``update``, ``compile`` or ``check``; 1 when ``check`` found something, 2 for anything else."""
    match arguments:
        case ["update"]:
            update()
        case ["compile"]:
            compile_all()
        case ["check"]:
            found = list(problems())
            sys.stdout.write("".join(f"{line}\n" for line in found))
            return 1 if found else 0
        case _:
            sys.stderr.write("usage: python -m trading.web.catalogues update|compile|check\n")
            return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
