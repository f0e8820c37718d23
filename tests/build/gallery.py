"""The application with a page for every sample, to look at in a browser: ``python -m tests.build.gallery [PORT]``."""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path

from flask import Flask, render_template
from sqlalchemy import create_engine

from tests.build.pages import NOW
from tests.build.samples import samples
from trading.app import create_app
from trading.assembly import REGISTRY
from trading.audit.ledger import Ledger
from trading.audit.runtime import Runtime
from trading.config import Process, Settings
from trading.kernel.clock import FixedClock
from trading.notices import views
from trading.storage.local import LocalStore
from trading.web.permissions import ActorLoader, public

# An address that nothing answers: a page that asks the database by mistake fails at once.
NO_DATABASE = "postgresql+psycopg://nobody@/none?host=/nonexistent"


def gallery(folder: Path, *, demo: bool = True, load_actor: ActorLoader | None = None) -> Flask:
    """Return the application without servers, with ``/gallery/<name>`` for every sample."""
    engine = create_engine(NO_DATABASE)
    runtime = Runtime(
        ledger=Ledger(engine, registry=REGISTRY),
        objects=LocalStore(folder / "objects"),
        log_dir=folder,
        origin="demo.log.example/audit",
        demo=demo,
        clock=FixedClock(NOW),
    )
    settings = Settings(
        process=Process.WEB,
        demo=demo,
        data_dir=folder,
        database_url=NO_DATABASE,
        log_origin=runtime.origin,
        jurisdiction="CN",
    )
    app = create_app(settings, runtime, load_actor=load_actor)
    app.jinja_env.globals["active_keys"] = lambda role: f"no key for {role}"  # nobody is signed in here
    by_name = {sample.name: sample for sample in samples()}

    @app.get("/gallery/<name>")
    @public
    def sample(name: str) -> tuple[str, int]:
        shown = by_name[name]
        # A form lives in a request: what makes one is called here.
        context = {
            name: value() if isinstance(value, type | partial) else value for name, value in shown.context.items()
        }
        if "plot" in context:  # its labels are in the reader's language
            context["plot"] = views._plot(context["result"])
        return render_template(shown.template, **context), shown.status

    return app


if __name__ == "__main__":
    gallery(Path(tempfile.mkdtemp())).run("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8090)
