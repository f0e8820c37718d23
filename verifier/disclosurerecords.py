"""Bodies of the records about disclosure on application and the annual table: counts, days and digests, no names."""

from __future__ import annotations

from verifier.fields import COUNT, HEX32, NAME, SEQ, TEXT, FieldRule, choice, nullable, shape

_REPLIES = ("granted", "other", "partly_granted", "refused")
_INDICATORS = (
    *("admin_lawsuits", "admin_reviews", "appeals_and_reports", "fee_waived_amount", "proactive_docs"),
    *("proactive_docs_gazette", "proactive_docs_web", "replies_granted", "replies_other"),
    *("replies_partly_granted", "replies_refused", "replies_total", "requests_by_letter", "requests_in_person"),
    *("requests_online", "requests_received"),
)
_TABLE = shape(dict.fromkeys(_INDICATORS, COUNT))
_CHANNEL = choice("in_person", "letter", "online")

DISCLOSURE_RULES: dict[str, FieldRule] = {
    "disclosure.asked": shape({"channel": _CHANNEL, "commit": HEX32, "number": NAME}),
    "disclosure.received": shape({"number": NAME, "received_on": NAME}, {"channel": _CHANNEL, "commit": HEX32}),
    "disclosure.extended": shape({"number": NAME, "reason": TEXT}),
    "disclosure.replied": shape(
        {"fee_waived": COUNT, "ground": NAME, "number": NAME, "outcome": choice(*_REPLIES), "reason": TEXT}
    ),
    "disclosure.contested": shape(
        {"noted_on": NAME, "number": nullable(NAME), "route": choice("appeal", "lawsuit", "review")}
    ),
    "gazette.printed": shape({"document": HEX32, "issue": NAME, "printed_on": NAME}),
    "annual.declared": shape({"cumulative": _TABLE, "of_year": _TABLE, "reason": TEXT, "source": NAME, "year": SEQ}),
}
