"""What every command needs: the runtime of this machine, actors by login, and refusals told in words."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

from trading.accounts import service as accounts
from trading.assembly import open_runtime
from trading.audit.runtime import Runtime
from trading.config import ConfigError, Settings
from trading.crypto.signatures import SignedDocument
from trading.kernel.errors import MingbiaoError
from trading.kernel.roles import Actor

P = ParamSpec("P")
T = TypeVar("T")


def telling(command: Callable[P, T]) -> Callable[P, T]:
    """Turn a refusal into one message and exit code 1: what was refused and why; nothing was changed."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return command(*args, **kwargs)
        except MingbiaoError as error:
            facts = {name: value for name, value in getattr(error, "facts", {}).items() if value is not None}
            detail = f" {json.dumps(facts, ensure_ascii=False, default=str)}" if facts else ""
            raise click.ClickException(f"{error}{detail}\n没有任何改动 / Nothing was changed.") from error
        except ConfigError as error:
            raise click.ClickException("\n".join(error.problems)) from error

    return run


@contextmanager
def runtime() -> Iterator[Runtime]:
    """Open the runtime of this machine with the worker's settings: the same database role as the web, no keys."""
    yield open_runtime(Settings.from_env("worker"), pool_size=2)


def actor(opened: Runtime, login: str) -> Actor:
    """Return the actor of a login."""
    with opened.ledger.upkeep() as conn:
        return accounts.actor_of(conn, login)


def read_signed(path: Path) -> SignedDocument:
    """Return a signed document from its wire form in a file."""
    return SignedDocument.from_wire(path.read_bytes().strip())
