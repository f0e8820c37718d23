"""The web application: a table of contents of what it is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from flask import Flask

from trading.audit.ledger import Ledger
from trading.audit.runtime import Runtime
from trading.config import Settings
from trading.crypto.keyfiles import load_es256
from trading.db import open_engine
from trading.kernel.events import Registry
from trading.rulebook import loader
from trading.rulebook.model import Rule
from trading.storage.local import LocalStore
from trading.storage.tiles import CHECKPOINT
from trading.web import banner, catalogues, errors, filters, headers, limits, locale, permissions
from trading.web.permissions import ActorLoader
from trading.wiring import BLUEPRINTS, EVENTS

ROOT: Final = Path(__file__).resolve().parents[1]
# At least the threads of one web process (gunicorn.conf.py); connections are opened as they are needed.
POOL_SIZE: Final = 64
KINDS: Final = {kind.name: kind for kind in EVENTS}


def create_app(settings: Settings, runtime: Runtime | None = None, *, load_actor: ActorLoader | None = None) -> Flask:
    """Return the application for ``settings``.

    Args:
        settings: Of the process ``web``.
        runtime: Ledger, stores and clock; made from the settings unless given, as tests do.
        load_actor: Returns who makes the request in hand; None while the process has pages only.
    """
    app = Flask("mingbiao", root_path=str(ROOT), template_folder="templates", static_folder="static")
    app.config.update(SECRET_KEY=settings.secret_key, SESSION_COOKIE_SAMESITE="Strict")
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.extensions["settings"] = settings
    app.extensions["runtime"] = runtime = runtime or open_runtime(settings)
    app.extensions["readiness"] = {"database": lambda: _ask(runtime.ledger), "log": lambda: _look(runtime.log_dir)}

    catalogues.compile_all()
    locale.install(app, catalogues=catalogues.FOLDER)
    filters.install(app)
    banner.install(app, demo=runtime.demo)
    limits.install(app)
    permissions.install(app, load_actor=load_actor)
    headers.install(app)
    errors.install(app, article_of=article_of)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    app.jinja_env.globals.update(rule_of=rule_of, kind_title=kind_title)
    return app


def open_runtime(settings: Settings) -> Runtime:
    """Return ledger, stores and clock of this process; nothing is connected before the first request."""
    if settings.log_dir is None or settings.object_store is None:
        raise ValueError("the web process reads the log and the object store: its settings name both")
    writer = open_engine(settings.database_url, pool_size=POOL_SIZE, application="web")
    reader = None
    if settings.database_read_url is not None:
        reader = open_engine(settings.database_read_url, pool_size=POOL_SIZE, application="web-read")
    return Runtime(
        ledger=Ledger(writer, registry=Registry(EVENTS), reader=reader),
        objects=LocalStore(settings.object_store),
        log_dir=settings.log_dir,
        origin=settings.log_origin,
        demo=settings.demo,
        clock=settings.clock(),
        ack=load_es256(settings.ack_key_file, None) if settings.ack_key_file is not None else None,
        witness_policy=settings.witness_policy.read_text() if settings.witness_policy is not None else "",
    )


def article_of(rule_id: str) -> str | None:
    """Return the printed article of a rule, or None for an id of a protocol section."""
    rule = rule_of(rule_id)
    return rule.article if rule is not None else None


def rule_of(rule_id: str) -> Rule | None:
    """Return a rule of the rule book, or None for an id of a protocol section."""
    return loader.builtin().rules.get(rule_id)


def kind_title(name: str) -> str:
    """Return the title of a kind of record in the reader's language."""
    kind = KINDS.get(name)
    return locale.pick(kind.title_zh, kind.title_en) if kind is not None else name


def _ask(ledger: Ledger) -> None:
    with ledger.read() as connection:
        connection.exec_driver_sql("SELECT 1")


def _look(log_dir: Path) -> None:
    if not (log_dir / CHECKPOINT).is_file():
        raise FileNotFoundError(CHECKPOINT)
