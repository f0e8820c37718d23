"""Documents that the person who is signed in signs with the device key of this browser, or with a program (P7.1).

A page offers documents inside its form; what comes back is joined to exactly the bytes that were offered: the form
carries them under a seal of this server, bound to the account, so that nobody can slip in others. Whether a signature
verifies, and whose key it is, the use case decides.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flask import current_app
from itsdangerous import BadData, URLSafeTimedSerializer
from wtforms import HiddenField, MultipleFileField

from trading.kernel import canonical
from trading.kernel.digests import sha256_hex
from trading.kernel.encoding import b64u, b64u_decode
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.kernel.signed import SignedDocument, read_signature_object
from trading.web.forms import Form
from trading.web.instants import local
from trading.web.limits import MIB, body_limit
from trading.web.locale import lazy as _
from trading.web.permissions import current_actor

OFFER_SECONDS: Final = 2 * 3600  # how long a page may lie open before it is signed
SIGNING_BODY: Final = 8 * MIB
_INSTANTS: Final = ("close", "created", "issued", "published_at", "open_at", "ends_at")
_LONG: Final = 160
_MANY: Final = 12
#: Decorator for a route that takes signed documents: larger bodies than a plain form.
takes_documents = body_limit(SIGNING_BODY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """One document to be signed: its title for the person and its exact bytes."""

    title: str
    doc: bytes

    @property
    def sha256(self) -> str:
        """Return the name of the document."""
        return sha256_hex(self.doc)

    @property
    def b64u(self) -> str:
        """Return the bytes for the script that signs them."""
        return b64u(self.doc)

    @property
    def address(self) -> str:
        """Return the bytes as an address, so that they can be saved without asking the server again."""
        return "data:application/json;base64," + base64.b64encode(self.doc).decode()

    @property
    def name(self) -> str:
        """Return a file name: its type and the beginning of its hash."""
        content = canonical.loads_object(self.doc)
        return f"{str(content.get('typ', 'document')).replace('.', '-')}-{self.sha256[:8]}.json"

    @property
    def words(self) -> list[tuple[str, str]]:
        """Return (field, value) of what the document says, long values shortened, instants in the platform's zone."""
        return list(_words(canonical.loads_object(self.doc)))


class SigningForm(Form):
    """A form whose act is signing. Further fields come by inheriting; combine with ``StepUpForm`` where needed."""

    offer = HiddenField()
    signatures = HiddenField()
    files = MultipleFileField(_("Signed files (*.signed.json)"))

    offered: tuple[Offered, ...] = ()

    def put(self, documents: Sequence[tuple[str, bytes]]) -> None:
        """Offer (title, canonical bytes), in the order in which they come back."""
        self.offered = signable(documents)
        self.offer.data = _serializer().dumps([[each.title, each.b64u] for each in self.offered])
        self.signatures.data = ""

    def again(self) -> None:
        """Offer the same documents once more, when the form is shown again."""
        self.offered = _opened(self.offer.data)
        self.signatures.data = ""


def signable(documents: Sequence[tuple[str, bytes]]) -> tuple[Offered, ...]:
    """Return (title, canonical bytes) as a page shows them.

    Raises:
        InvalidInput: Bytes that are no canonical document. A bug of the caller.
    """
    for _title, doc in documents:
        canonical.loads_object(doc)
    return tuple(Offered(title=title, doc=doc) for title, doc in documents)


def signed_documents(form: SigningForm) -> list[SignedDocument]:
    """Return the offered documents with the signatures that came back, in the order in which they were offered.

    Signatures come from the script of the page, or in files signed by ``mingbiao sign``; both may be mixed.

    Raises:
        RuleBroken: ``signing.expired``: the page is too old, or was offered to somebody else; ``signing.missing``: a
            document came back without a signature; ``signing.other_document``: a file holds other bytes.
        InvalidInput: ``doc.…``: what came back is malformed.
    """
    offered = _opened(form.offer.data)
    form.offered = offered
    signed = {each.sha256: SignedDocument(each.doc) for each in offered}
    for index, signature in _from_script(form.signatures.data):
        if not 0 <= index < len(offered):
            raise InvalidInput("doc.bad_field", "signatures")
        name = offered[index].sha256
        signed[name] = signed[name].with_signature(read_signature_object(signature))
    for raw in _from_files(form):
        document = SignedDocument.from_wire(raw)
        if document.sha256 not in signed:
            raise RuleBroken("signing.other_document", "P7.1", sha256=document.sha256)
        for signature in document.sigs:
            signed[document.sha256] = signed[document.sha256].with_signature(signature)
    found = [signed[each.sha256] for each in offered]
    if not all(each.sigs for each in found):
        raise RuleBroken("signing.missing", "P7.1")
    return found


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(str(current_app.secret_key), salt=f"offer/{current_actor().account}")


def _opened(sealed: str | None) -> tuple[Offered, ...]:
    try:
        rows = _serializer().loads(sealed or "", max_age=OFFER_SECONDS)
    except BadData as error:
        raise RuleBroken("signing.expired", "P7.1") from error
    return tuple(Offered(title=title, doc=b64u_decode(text)) for title, text in rows)


def _from_script(text: str | None) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (place of the document, signature object) of what the script wrote; several signers may follow."""
    if not text:
        return
    try:
        rows = json.loads(text)
        yield from ((int(index), dict(signature)) for index, signature in rows)
    except (ValueError, TypeError) as error:
        raise InvalidInput("doc.bad_field", "signatures") from error


def _from_files(form: SigningForm) -> Iterator[bytes]:
    for file in form.files.data or ():
        if not isinstance(file, str) and file.filename:
            yield file.read().strip()


def _words(content: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in content.items():
        if name in _INSTANTS and isinstance(value, int):
            yield name, local(value).isoformat(sep=" ", timespec="seconds")
        else:
            yield name, _shown(value)


def _shown(value: object) -> str:
    match value:
        case dict():
            return "; ".join(f"{name}: {_shown(item)}" for name, item in list(value.items())[:_MANY])[: 2 * _LONG]
        case list() if all(isinstance(item, str | int) for item in value):
            return ", ".join(str(item) for item in value[:_MANY])[: 2 * _LONG]
        case list():
            return f"({len(value)})"
        case None:
            return "–"
        case _:
            text = str(value)
            return text if len(text) <= _LONG else f"{text[:_LONG]}…"
