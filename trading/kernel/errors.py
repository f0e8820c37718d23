"""The six errors. A refusal is evidence, a bug is an incident: never one for the other (style: Errors)."""

from __future__ import annotations


class MingbiaoError(Exception):
    """Base of every error that the product raises on purpose."""

    code = "error"


class RuleBroken(MingbiaoError):
    """The law, the documents or a protocol refuse the act. Recorded as an entry of kind ``<noun>.refused``.

    Args:
        code: Stable dotted refusal code, e.g. ``bid.late``.
        rule_id: Id in the rule book or section of a protocol, e.g. ``SUB-01`` or ``SB1 S7.3``.
        facts: Values that the text in the catalogue names; instants in ms, money in minor units.
    """

    def __init__(self, code: str, rule_id: str | None = None, **facts: object) -> None:
        super().__init__(code if rule_id is None else f"{code} ({rule_id})")
        self.code = code
        self.rule_id = rule_id
        self.facts = facts


class NotPermitted(MingbiaoError):
    """This actor may not do this. Recorded."""

    code = "not_permitted"


class NotFound(MingbiaoError):
    """No such thing, or nothing this actor may see."""

    code = "not_found"


class Conflict(MingbiaoError):
    """Somebody moved it first; nothing was changed."""

    code = "conflict"


class InvalidInput(MingbiaoError):
    """Malformed input. ``code`` is a common code of P11 such as ``doc.not_canonical``."""

    def __init__(self, code: str, detail: str = "", **facts: object) -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail
        self.facts = facts


class IntegrityFailure(MingbiaoError):
    """Stored evidence does not verify. Never caught below the edge."""

    code = "integrity"
