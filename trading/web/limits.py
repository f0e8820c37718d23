"""Sizes a request may have (security 6.3), and what its address may not contain.

A route that takes more, such as an upload, says so with ``body_limit``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from flask import Flask, current_app, request
from werkzeug.exceptions import BadRequest

MIB: Final = 1024 * 1024
MAX_BODY_BYTES: Final = MIB  # a document has at most 1 MiB (P12)
MAX_FORM_MEMORY_BYTES: Final = 256 * 1024
MAX_FORM_PARTS: Final = 100

View = TypeVar("View", bound=Callable[..., object])


def body_limit(size: int, *, parts: int = MAX_FORM_PARTS) -> Callable[[View], View]:
    """Let the decorated view take a body of at most ``size`` bytes, and a form of ``parts`` fields."""

    def mark(view: View) -> View:
        view.__body_limit__ = (size, parts)  # type: ignore[attr-defined]  # read below, by this module alone
        return view

    return mark


def _apply() -> None:
    view = current_app.view_functions.get(request.endpoint or "")
    limit = getattr(view, "__body_limit__", None)
    if limit is not None:
        request.max_content_length, request.max_form_parts = limit
        request.max_form_memory_size = min(limit[0], MAX_BODY_BYTES)  # files of a form are not kept in memory


def _refuse_null() -> None:
    """Refuse U+0000 in an address: PostgreSQL has no such text, so nothing of that name can be looked up."""
    if "\0" in request.path or any("\0" in f"{name}{value}" for name, value in request.args.items(multi=True)):
        raise BadRequest


def install(app: Flask) -> None:
    """Set the three limits that werkzeug knows; they are never absent. Refuse addresses that nothing can have."""
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.config["MAX_FORM_MEMORY_SIZE"] = MAX_FORM_MEMORY_BYTES
    app.config["MAX_FORM_PARTS"] = MAX_FORM_PARTS
    app.before_request(_refuse_null)
    app.before_request(_apply)
