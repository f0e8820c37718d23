"""The specification of a procedure: what the drafter enters, the reviewer reads and the notice is made of.

``parse_spec`` checks form only and reports every bad field by its path. What the law says about the numbers is asked by
the guards at publication, because it depends on the instant and the edition. ``ProcedureSpec.document`` returns the
canonical text whose SHA-256 the records name (``spec_sha256``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from trading.kernel import canonical
from trading.kernel.canonical import MAX_INTEGER
from trading.kernel.credit_code import is_credit_code
from trading.procedures.rules.abnormal_shares import AbnormalShares, read_abnormal
from trading.procedures.rules.criteria import Criterion, Preference, read_category, read_criteria, read_preference
from trading.procedures.rules.extension import ExtensionRule, read_extension_rule
from trading.procedures.rules.fields import Fields
from trading.procedures.rules.formula_terms import FormulaTerms, formula_json, read_formula
from trading.procedures.rules.policies import Category, Method, TieRule

_LOT: Final = re.compile(r"[1-9][0-9]{0,3}\Z")
_CURRENCY: Final = re.compile(r"[A-Z]{3}\Z")
_QUANTITY: Final = re.compile(r"(?!0+(\.0+)?\Z)[0-9]{1,12}(\.[0-9]{1,6})?\Z")
_CODE: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,39}\Z")
_NAME: Final = re.compile(r"[a-z][a-z0-9._]{0,63}\Z")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}\Z")
_MEDIA: Final = re.compile(r"[a-z]+/[a-z0-9.+-]{1,100}\Z")
_TITLE: Final = 200
_TEXT: Final = 30_000  # both texts of a notice and of its correction fit in one document (P12)
_LOTS: Final = 200
_ITEMS: Final = 2_000
_DOCUMENTS: Final = 50
_LONGEST_VALIDITY_DAYS: Final = 1_000

# Bounds of the protocols, not of law: SB1 S3.1, S3.3 and TE1 T2.
_MAX_CUSTODIANS: Final = 16
_PRICE_BLOCK: Final = 4_096
_MAX_PRICE_BYTES: Final = 524_288
_SECOND_MS: Final = 1_000
_LONGEST_WINDOW_MS: Final = 7 * 86_400_000
_MIN_THRESHOLD_WITHOUT_FACTOR: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """Lengths of the opening's windows in ms; the defaults are those of TE1 T2."""

    factor_window_ms: int = 1_800_000
    objection_ms: int = 600_000
    share_check_ms: int = 600_000
    release_window_ms: int = 900_000
    rescue_ms: int = 900_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealing:
    """Mode, threshold ``k`` of ``n`` custodians and size of the price part (SB1 S3.3)."""

    bidder_factor: bool = True
    k: int = 3
    n: int = 5
    price_bytes: int = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemSpec:
    """One item of a lot; ``quantity`` is a decimal string, exact as entered."""

    code: str
    name_zh: str
    name_en: str
    quantity: str
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentSpec:
    """One tender document: its name is data and no path, ``size`` in bytes, ``media`` its checked media type."""

    name: str
    sha256: str
    size: int
    media: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LotSpec:
    """One lot; ``ceiling`` and ``budget`` in minor units of ``currency``.

    ``masked``: members see letters instead of bidders until their scores are in (暗标).
    """

    lot: str
    title_zh: str
    title_en: str
    items: tuple[ItemSpec, ...]
    ceiling: int | None
    currency: str
    method: Method
    tie_rule: TieRule
    budget: int | None = None
    category: Category = Category.GOODS
    criteria: tuple[Criterion, ...] | None = None
    preference: Preference | None = None
    formula: FormulaTerms | None = None
    abnormal: AbnormalShares | None = None
    masked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcedureSpec:
    """A whole procedure; instants in ms, organisations by their unified social credit code.

    ``questions_until`` is the instant until which questions are taken (None: until the deadline);
    ``bid_validity_days`` runs from the deadline (DOC-07); without an ``extension_rule`` no deadline moves by itself;
    ``intake`` says whether the schedules name the supervisor's intake (SB1 S7.6).
    """

    kind: str
    jurisdiction: str
    title_zh: str
    title_en: str
    text_zh: str
    text_en: str
    buyer: str
    agency: str
    supervisor: str
    close: int
    supply_ends_at: int | None
    windows: Windows
    sealing: Sealing
    lots: tuple[LotSpec, ...]
    documents: tuple[DocumentSpec, ...] = ()
    questions_until: int | None = None
    bid_validity_days: int | None = None
    extension_rule: ExtensionRule | None = None
    intake: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the structure that ``parse_spec`` reads."""
        return {
            "agency": self.agency,
            "bid_validity_days": self.bid_validity_days,
            "buyer": self.buyer,
            "close": self.close,
            "documents": [_plain(document) for document in self.documents],
            "extension_rule": None if self.extension_rule is None else self.extension_rule.to_json(),
            **({"intake": True} if self.intake else {}),
            "jurisdiction": self.jurisdiction,
            "kind": self.kind,
            "lots": [_lot_json(lot) for lot in self.lots],
            "questions_until": self.questions_until,
            "sealing": _plain(self.sealing),
            "supervisor": self.supervisor,
            "supply_ends_at": self.supply_ends_at,
            "text_en": self.text_en,
            "text_zh": self.text_zh,
            "title_en": self.title_en,
            "title_zh": self.title_zh,
            "windows": _plain(self.windows),
        }

    def document(self) -> bytes:
        """Return the canonical bytes that are stored and hashed."""
        return canonical.dumps(self.to_json())


def _plain(value: Windows | Sealing | ItemSpec | DocumentSpec) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}


def _lot_json(lot: LotSpec) -> dict[str, Any]:
    return {
        "budget": lot.budget,
        "category": lot.category.value,
        "ceiling": lot.ceiling,
        "criteria": criteria_json(lot),
        "currency": lot.currency,
        "items": [_plain(item) for item in lot.items],
        "lot": lot.lot,
        "method": lot.method.value,
        "preference": preference_json(lot),
        "tie_rule": lot.tie_rule.value,
        "title_en": lot.title_en,
        "title_zh": lot.title_zh,
        **chosen_json(lot),
    }


def chosen_json(lot: LotSpec) -> dict[str, Any]:
    """Return what the documents choose of formula, price check and masking; absent where they say nothing."""
    return {
        **({} if lot.formula is None else {"formula": formula_json(lot.formula)}),
        **({} if lot.abnormal is None else {"abnormal": lot.abnormal.to_json()}),
        **({"masked": True} if lot.masked else {}),
    }


def criteria_json(lot: LotSpec) -> list[dict[str, Any]] | None:
    """Return the criteria of a lot as specifications and notices show them."""
    return None if lot.criteria is None else [criterion.to_json() for criterion in lot.criteria]


def preference_json(lot: LotSpec) -> dict[str, str] | None:
    """Return the deductions of a lot as specifications and notices show them."""
    return None if lot.preference is None else lot.preference.to_json()


def parse_spec(value: object) -> ProcedureSpec:
    """Read a specification as ``to_json`` writes it.

    Raises:
        InvalidFields: Every bad field with its path and a code: ``required``, ``unknown``, ``not_object``,
            ``not_array``, ``not_text``, ``not_integer``, ``not_boolean``, ``not_a_choice``, ``blank``, ``too_long``,
            ``bad_characters``, ``bad_form``, ``out_of_range``, ``bad_credit_code``, ``not_whole_second``,
            ``duplicate``, ``out_of_order``, ``bad_threshold``, ``bad_size``.
    """
    fields = Fields(value)
    spec = ProcedureSpec(
        kind=fields.text("kind", _TITLE, _NAME),
        jurisdiction=fields.text("jurisdiction", _TITLE, _NAME),
        title_zh=fields.text("title_zh", _TITLE),
        title_en=fields.text("title_en", _TITLE),
        text_zh=fields.text("text_zh", _TEXT),
        text_en=fields.text("text_en", _TEXT),
        buyer=_organisation(fields, "buyer"),
        agency=_organisation(fields, "agency"),
        supervisor=_organisation(fields, "supervisor"),
        close=_whole_second(fields, "close"),
        supply_ends_at=fields.optional_integer("supply_ends_at", 0, MAX_INTEGER),
        windows=_windows(fields.child("windows")),
        sealing=_sealing(fields.child("sealing")),
        lots=_lots(fields),
        documents=_documents(fields),
        questions_until=_optional(fields, "questions_until", 0, MAX_INTEGER),
        bid_validity_days=_optional(fields, "bid_validity_days", 1, _LONGEST_VALIDITY_DAYS),
        extension_rule=read_extension_rule(fields),
        intake=fields.has("intake") and fields.flag("intake"),
    )
    fields.finish()
    return spec


def _optional(fields: Fields, name: str, low: int, high: int) -> int | None:
    """Read an integer of a later edition of the specification: null and absent mean the same."""
    return fields.optional_integer(name, low, high) if fields.has(name) else None


def _documents(fields: Fields) -> tuple[DocumentSpec, ...]:
    children = fields.children("documents", _DOCUMENTS, least=0) if fields.has("documents") else []
    documents = tuple(_document(child) for child in children)
    if len({document.name for document in documents}) != len(documents):
        fields.fail("documents", "duplicate")
    return documents


def _document(fields: Fields) -> DocumentSpec:
    return DocumentSpec(
        name=fields.text("name", _TITLE),
        sha256=fields.text("sha256", 64, _DIGEST),
        size=fields.integer("size", 1, MAX_INTEGER),
        media=fields.text("media", _TITLE, _MEDIA),
    )


def _organisation(fields: Fields, name: str) -> str:
    code = fields.text(name, 18)
    if code and not is_credit_code(code):
        fields.fail(name, "bad_credit_code")
    return code


def _whole_second(fields: Fields, name: str) -> int:
    value = fields.integer(name, 0, MAX_INTEGER)
    if value % _SECOND_MS:
        fields.fail(name, "not_whole_second")
    return value


def _windows(fields: Fields) -> Windows:
    return Windows(
        **{name: fields.integer(name, _SECOND_MS, _LONGEST_WINDOW_MS) for name in Windows.__slots__},
    )


def _sealing(fields: Fields) -> Sealing:
    sealing = Sealing(
        bidder_factor=fields.flag("bidder_factor"),
        k=fields.integer("k", 2, _MAX_CUSTODIANS),
        n=fields.integer("n", 2, _MAX_CUSTODIANS),
        price_bytes=fields.integer("price_bytes", _PRICE_BLOCK, _MAX_PRICE_BYTES),
    )
    if sealing.k >= sealing.n or (not sealing.bidder_factor and sealing.k < _MIN_THRESHOLD_WITHOUT_FACTOR):
        fields.fail("k", "bad_threshold")
    if sealing.price_bytes % _PRICE_BLOCK:
        fields.fail("price_bytes", "bad_size")
    return sealing


def _lots(fields: Fields) -> tuple[LotSpec, ...]:
    lots = tuple(_lot(child) for child in fields.children("lots", _LOTS))
    numbers = [int(lot.lot or 0) for lot in lots]
    if numbers != sorted(numbers):
        fields.fail("lots", "out_of_order")
    if len(set(numbers)) != len(numbers):
        fields.fail("lots", "duplicate")
    return lots


def _lot(fields: Fields) -> LotSpec:
    items = tuple(_item(child) for child in fields.children("items", _ITEMS))
    if len({item.code for item in items}) != len(items):
        fields.fail("items", "duplicate")
    method = fields.choice("method", Method)
    return LotSpec(
        lot=fields.text("lot", 4, _LOT),
        title_zh=fields.text("title_zh", _TITLE),
        title_en=fields.text("title_en", _TITLE),
        items=items,
        ceiling=fields.optional_integer("ceiling", 1, MAX_INTEGER),
        currency=fields.text("currency", 3, _CURRENCY),
        method=method,
        tie_rule=fields.choice("tie_rule", TieRule),
        budget=_optional(fields, "budget", 1, MAX_INTEGER),
        category=read_category(fields),
        criteria=read_criteria(fields),
        preference=read_preference(fields),
        formula=read_formula(fields, method),
        abnormal=read_abnormal(fields),
        masked=fields.has("masked") and fields.flag("masked"),
    )


def _item(fields: Fields) -> ItemSpec:
    return ItemSpec(
        code=fields.text("code", 40, _CODE),
        name_zh=fields.text("name_zh", _TITLE),
        name_en=fields.text("name_en", _TITLE),
        quantity=fields.text("quantity", 20, _QUANTITY),
        unit=fields.text("unit", 20),
    )
