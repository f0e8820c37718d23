"""The web application: a table of contents of what it is made of."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Final

from flask import Flask

from trading.accounts import service as accounts
from trading.api import tokens
from trading.assembly import EVENTS, open_runtime, trust_file
from trading.audit import scripts
from trading.audit.ledger import Ledger
from trading.audit.runtime import Runtime
from trading.config import Settings
from trading.experts.rules.strata import stratum_title
from trading.notices.queries.chain import corrections_of
from trading.parties import queries as parties
from trading.procedures.rules import catalogue
from trading.procedures.rules.labels import LOT_PHASES, PROCEDURE_PHASES
from trading.procedures.rules.lifecycle import LotPhase, ProcedurePhase
from trading.receipts.views.reasons import reason_text
from trading.rulebook import loader
from trading.rulebook.model import Rule
from trading.storage.tiles import CHECKPOINT
from trading.web import banner, catalogues, errors, filters, forms, headers, limits, locale, permissions, sessions
from trading.web.permissions import ActorLoader
from trading.wiring import API, BLUEPRINTS, DESKS
from verifier.build import single_file_source

ROOT: Final = Path(__file__).resolve().parents[1]
# At least the threads of one web process (gunicorn.conf.py); connections are opened as they are needed.
POOL_SIZE: Final = 64
PROCEDURE_KINDS: Final = {kind.code: kind for kind in catalogue.KINDS}
KINDS: Final = {kind.name: kind for kind in EVENTS}


def create_app(settings: Settings, runtime: Runtime | None = None, *, load_actor: ActorLoader | None = None) -> Flask:
    """Return the application for ``settings``.

    Args:
        settings: Of the process ``web``.
        runtime: Ledger, stores and clock; made from the settings unless given, as tests do.
        load_actor: Returns who makes the request in hand; None takes the token of the API or the session of a page.
    """
    app = Flask("mingbiao", root_path=str(ROOT), template_folder="templates", static_folder="static")
    # Without a secret of its own (tests, the gallery) the sessions of a process end with it.
    app.config.update(SECRET_KEY=settings.secret_key or secrets.token_urlsafe(32))
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.extensions["settings"] = settings
    app.extensions["runtime"] = runtime = runtime or open_runtime(settings, pool_size=POOL_SIZE)
    app.extensions["verifier"] = single_file_source
    app.extensions["trust_file"] = lambda: trust_file(settings.data_dir)
    app.extensions["bundles"] = settings.data_dir / "bundles"
    app.extensions["readiness"] = {"database": lambda: _ask(runtime.ledger), "log": lambda: _look(runtime.log_dir)}

    catalogues.compile_all()
    headers.install(app)  # first: what is done after a request runs in reverse order, and headers see the cookies set
    locale.install(app, catalogues=catalogues.FOLDER)
    filters.install(app)
    banner.install(app, demo=runtime.demo)
    limits.install(app)
    permissions.install(app, load_actor=load_actor or tokens.load_actor(runtime))
    forms.install(app, exempt=API)
    _keep_sessions(app, runtime.ledger, secure=(settings.public_url or "").startswith("https:"))
    errors.install(app, article_of=article_of)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    app.jinja_env.globals.update(
        stratum_title=stratum_title, rule_of=rule_of, kind_title=kind_title, procedure_kind_title=procedure_kind_title
    )
    app.jinja_env.globals["reason_text"] = reason_text
    app.jinja_env.globals.update(modules=scripts.modules, integrity=scripts.integrity, scripts_sha256=scripts.digest)
    app.jinja_env.globals.update(lot_phase_title=lot_phase_title, procedure_phase_title=procedure_phase_title)
    return app


def _keep_sessions(app: Flask, ledger: Ledger, *, secure: bool) -> None:
    """Join the plumbing of sessions and step-up to the use cases of accounts."""
    sessions.install(
        app,
        find=lambda token: accounts.session_of(ledger, token),
        renew=lambda token: accounts.renew_session(ledger, token),
        secure=secure,
    )
    app.extensions["confirm"] = lambda account, code: accounts.confirm(ledger, account, code)
    app.extensions["desks"] = DESKS
    app.extensions["corrections"] = corrections_of
    app.jinja_env.globals["active_keys"] = lambda role: _active_keys(ledger, role)


def _active_keys(ledger: Ledger, role: str) -> str:
    """Return the ids of the active keys of the signed-in person's organisation in one role, for sign.js."""
    organisation = permissions.current_actor().organisation
    with ledger.read() as conn:
        return " ".join(key.kid for key in parties.keys_of(conn, organisation or "", role))


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


def lot_phase_title(name: str) -> str:
    """Return the title of a phase of a lot in the reader's language."""
    label = LOT_PHASES[LotPhase(name)]
    return locale.pick(label.zh, label.en)


def procedure_phase_title(name: str) -> str:
    """Return the title of a phase of a procedure in the reader's language."""
    label = PROCEDURE_PHASES[ProcedurePhase(name)]
    return locale.pick(label.zh, label.en)


def procedure_kind_title(code: str) -> str:
    """Return the title of a kind of procedure in the reader's language."""
    kind = PROCEDURE_KINDS.get(code)
    return locale.pick(kind.title_zh, kind.title_en) if kind is not None else code


def _ask(ledger: Ledger) -> None:
    with ledger.read() as connection:
        connection.exec_driver_sql("SELECT 1")


def _look(log_dir: Path) -> None:
    if not (log_dir / CHECKPOINT).is_file():
        raise FileNotFoundError(CHECKPOINT)
