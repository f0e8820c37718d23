"""Bodies of the API: JSON read strictly, signed documents in it, the process behind the request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NoReturn, cast

from flask import Response, current_app, jsonify, request

from trading.audit.runtime import Runtime
from trading.kernel.errors import InvalidInput
from trading.kernel.signed import SignedDocument

ENVELOPE_BODY: Final = 256 * 1024  # an envelope of 64 KiB in base64, its signature, and room for other layouts
DOCUMENT_BODY: Final = 2 * 1024 * 1024  # a document of 1 MiB in base64 with its signatures (P12)


def runtime() -> Runtime:
    """Return ledger, stores and clock of this process."""
    return cast("Runtime", current_app.extensions["runtime"])


def json_object(raw: bytes) -> dict[str, Any]:
    """Return a body as a JSON object; the same member twice, or a number that is no integer, is refused.

    So is U+0000 or half of a surrogate pair in a text: neither can be looked up or stored. How the body is laid out
    does not matter: what is signed are the bytes of the documents inside.

    Raises:
        InvalidInput: ``body.malformed``.
    """
    try:
        text = raw.decode()
        value = json.loads(text, object_pairs_hook=_object, parse_float=_no_number, parse_constant=_no_number)
        if "\\u" in text:  # only an escape can bring in what is refused
            _require_texts(value)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("body.malformed", "the body is not JSON of the expected form") from error
    if not isinstance(value, dict):
        raise InvalidInput("body.malformed", "the body is not a JSON object")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a member stands twice")
    return value


def _require_texts(value: object) -> None:
    match value:
        case str():
            if "\0" in value.encode().decode():  # an unpaired surrogate cannot be encoded
                raise ValueError("U+0000 in a text")
        case list():
            for item in value:
                _require_texts(item)
        case dict():
            for name, item in value.items():
                _require_texts(name)
                _require_texts(item)
        case _:
            pass


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not an integer")


def body() -> dict[str, Any]:
    """Return the body of the request in hand as a JSON object."""
    return json_object(request.get_data())


def signed_body() -> SignedDocument:
    """Return the body of the request in hand as a signed document in its wire form (P7.1)."""
    return SignedDocument.from_wire(body())


def text_member(content: Mapping[str, Any], name: str, default: str | None = None) -> str:
    """Return a text of a body.

    Raises:
        InvalidInput: ``body.malformed``.
    """
    value = content.get(name, default)
    if not isinstance(value, str):
        raise InvalidInput("body.malformed", f"{name} is missing or not a text")
    return value


def list_member(content: Mapping[str, Any], name: str) -> list[Any]:
    """Return an array of a body.

    Raises:
        InvalidInput: ``body.malformed``.
    """
    value = content.get(name)
    if not isinstance(value, list):
        raise InvalidInput("body.malformed", f"{name} is missing or not an array")
    return value


def answer(content: Mapping[str, Any], status: int = 200) -> Response:
    """Return a JSON answer that nobody keeps."""
    response = jsonify(dict(content))
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response
