"""What the addresses of the application can be filled with, for every test that walks over all of them.

``VALUES`` names, for every endpoint with variables, the maker of each variable; ``MAKERS`` says how a maker gets one
that belongs to the insider of a role (tests/support/insiders.py). A route whose object this world does not build is in
``UNMADE``: only leaks are looked for there. A new route needs one line here, or the matrix names it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from tests.support.insiders import Insiders
from trading.kernel.roles import Role

Maker = Callable[[Insiders, Role], str]

MAKERS: Final[Mapping[str, Maker]] = {
    "tender": lambda world, _role: world.market.tender,
    "lot": lambda _world, _role: "1",
    "stage": lambda _world, _role: "all",
    "one": lambda _world, _role: "1",
    "policy": lambda world, _role: world.market.current_policy.sha256,
    "published": lambda world, _role: world.published,
    "bid": lambda world, _role: world.bid,
    "session": lambda world, role: world.session(role),
    "token": lambda world, role: world.token(role),
    "key": lambda world, role: world.key(role),
    "account": lambda world, _role: world.spare,
    "role": lambda _world, _role: "custodian",
    "jurisdiction": lambda _world, _role: "CN",
    "request": lambda world, _role: world.request(),
    "link": lambda world, _role: world.link(),
    "unknown": lambda _world, _role: "0" * 64,
    "json": lambda _world, _role: "json",
    "checkpoint": lambda _world, _role: "checkpoint",
    "css": lambda _world, _role: "mingbiao.css",
    "draft": lambda world, _role: world.draft(),
    "upload": lambda world, _role: world.upload(),
}

_PLACE: Final = {"tender": "tender", "lot": "lot", "stage": "stage"}
_REFERENCE: Final = {"reference": "tender"}
_REFERENCE_LOT: Final = {"reference": "tender", "lot": "lot"}
_DRAFT: Final = {"draft_id": "draft"}
_ACCOUNT: Final = {"account_id": "account"}

#: Endpoint → variable → maker.
VALUES: Final[dict[str, Mapping[str, str]]] = {
    "static": {"filename": "css"},
    "log.file": {"name": "checkpoint"},
    "explorer.entry": {"n": "one"},
    "explorer.proof": {"n": "one"},
    "explorer.by_commitment": {"h": "published"},
    # accounts
    "accounts.end_session": {"session_id": "session"},
    "accounts.end_token": {"token_id": "token"},
    "accounts.revoke_key": {"kid": "key"},
    "accounts.setup": {"token": "link"},
    "accounts.desk_account": _ACCOUNT,
    "accounts.close_account": _ACCOUNT,
    "accounts.end_sessions_of": _ACCOUNT,
    "accounts.start_reset": _ACCOUNT,
    "accounts.end_role": {**_ACCOUNT, "role": "role", "jurisdiction": "jurisdiction"},
    "accounts.desk_request": {"request_id": "request"},
    "accounts.refuse_request": {"request_id": "request"},
    # public pages
    "notices.entry": {"h": "published"},
    "notices.proof": {"h": "published"},
    "notices.token": {"h": "published", "file": "json"},
    "notices.procedure": _REFERENCE,
    "notices.document": {**_REFERENCE, "digest": "policy", "kind": "json"},
    "notices.tender_file": {**_REFERENCE, "digest": "unknown"},
    "notices.opening": _REFERENCE_LOT,
    "notices.record": _REFERENCE_LOT,
    "notices.result": _REFERENCE_LOT,
    "notices.notice": {**_REFERENCE, "number": "one"},
    "disclosure.bundle": _REFERENCE,
    "clarifications.public_questions": _REFERENCE,
    "hall.events": _REFERENCE_LOT,
    "hall.state": _REFERENCE_LOT,
    "receipts.one": {"h": "published"},
    "receipts.token": {"h": "published", "file": "json"},
    "records.one": {"n": "one"},
    "procedures.one": {"tender": "tender"},
    "procedures.lot": {"tender": "tender", "lot": "lot"},
    "procedures.notices": {"tender": "tender"},
    "bulk.manifest": {"period": "unknown"},
    "bulk.file": {"period": "unknown", "name": "unknown"},
    "history.file": {"digest": "unknown"},
    "history.row": {"digest": "unknown", "number": "one"},
    "history.raw": {"digest": "unknown", "number": "one"},
    "ocds.one": {"release_id": "unknown"},
    "ocds.record": {"ocid": "unknown"},
    # the API of bids and openings
    "bids.start": {"tender": "tender", "lot": "lot"},
    "bids.submit": {"bid": "bid"},
    "bids.reveal": {"bid": "bid"},
    "bids.store_part": {"bid": "bid"},
    "bids.rehearse": {"bid": "bid"},
    "bids.rescue": {"bid": "bid"},
    "bids.withdraw": {"bid": "bid"},
    "uploads.begin": {"bid": "bid"},
    **{f"uploads.{name}": {"bid": "bid", "upload": "upload"} for name in ("address", "append", "give_up", "offset")},
    "uploads.count": {"bid": "bid", "upload": "upload", "start": "one"},
    "openings.show": _PLACE,
    "openings.add_document": _PLACE,
    "openings.list_documents": _PLACE,
    "openings.object_to_order": _PLACE,
    "station.combined": _PLACE,
    "station.factors": _PLACE,
    "station.gaps": _PLACE,
    "station.part": {**_PLACE, "sha256": "unknown"},
    "station.releases": _PLACE,
    "station.result": _PLACE,
    "custodian.job": {"job_id": "unknown"},
    # the agency's desk
    "clarifications.agency_questions": _REFERENCE,
    "agency.procedure": _REFERENCE,
    "agency.preview": _REFERENCE,
    "agency.custodians": _REFERENCE,
    **{
        f"agency.{name}": _DRAFT
        for name in ("steps", "check", "dates", "documents", "preview_draft", "sealing", "subject")
    },
    # ceremony, supervision, custodians
    "ceremony.desk": _REFERENCE_LOT,
    "ceremony.objection": _REFERENCE_LOT,
    "ceremony.on_the_spot": _REFERENCE_LOT,
    "supervision.procedure": _REFERENCE,
    "custody.one": _REFERENCE_LOT,
    "custody.destruction": _REFERENCE_LOT,
    # the bidder's desk
    "bidder.workspace": _REFERENCE,
    "bidder.lot": _REFERENCE_LOT,
    "bidder.price": _REFERENCE_LOT,
    "bidder.seal": _REFERENCE_LOT,
    "bidder.template": _REFERENCE_LOT,
    "bidder.log": _REFERENCE,
    "bidder.log_file": _REFERENCE,
    "bidder.follow": _REFERENCE,
    "bidder.unfollow": _REFERENCE,
    "clarifications.own_questions": _REFERENCE,
    "clarifications.ask": _REFERENCE,
    # the auditor
    "auditor.record": {"h": "published"},
}

#: Addresses that name a public tender; what is one's own is inside, so everybody of the role has such a page.
OWN_INSIDE: Final[frozenset[str]] = frozenset(
    {
        "bids.start",
        "bidder.follow",
        "bidder.log",
        "bidder.log_file",
        "bidder.lot",
        "bidder.object_to_order",
        "bidder.price",
        "bidder.seal",
        "bidder.template",
        "bidder.unfollow",
        "bidder.workspace",
        "calls.declare",  # whoever has no seat is sent to the page where a seat code is entered
        "clarifications.ask",
        "clarifications.own_questions",
    }
)
#: Roles whose eye is not bound to an organisation on these pages (security 9.2: timers, alarms).
EVERYWHERE: Final[Mapping[str, frozenset[Role]]] = {
    "supervision.procedure": frozenset({Role.AUDITOR, Role.CENTRE}),
}

#: Endpoints whose object needs a state that this world is not in: variables get a value that fits their form.
UNMADE: Final[frozenset[str]] = frozenset(
    {
        "appraisals.answer",
        "appraisals.given",
        "dossier.amend",
        "dossier.recommend",
        "dossier.withdraw",
        "standing.discipline",
        "standing.file",
        "standing.order",
        "standing.refuse",
        "standing.renew",
        "upkeep.progress",
        "upkeep.report",
        "agency.add_lot",
        "agency.award",
        "agency.cancel",
        "agency.compare_correction",
        "agency.contract",
        "agency.correction",
        "agency.discard",
        "agency.draft_document",
        "agency.failure",
        "agency.file_contract",
        "agency.lot",
        "agency.method",
        "agency.publish",
        "agency.publish_contract",
        "agency.publish_correction",
        "agency.remove_document",
        "agency.remove_lot",
        "agency.reopen_correction",
        "agency.result",
        "agency.review",
        "agency.start_correction",
        "agency.submit",
        "auditor.bundle",
        "auditor.proof",
        "auditor.token",
        "bidder.ask_for_practice",
        "bidder.object_to_order",
        "bidder.practice_trust",
        "bidder.receipt",
        "bidder.token",
        "bids.evidence",
        "calls.call",
        "calls.contest",
        "calls.declare",
        "calls.take",
        "ceremony.adjudicate",
        "ceremony.answer",
        "ceremony.confirmation",
        "ceremony.decide",
        "ceremony.paper",
        "clarifications.answer",
        "clarifications.draft",
        "clarifications.publish",
        "contracts.contract",
        "custody.by_hand",
        "custody.job_file",
        "disclosure.draw_bundle",
        "disclosure.evidence",
        "draw_api.contribute",
        "draw_api.outcome",
        "draw_api.package",
        "draw_api.reveal",
        "draw_api.seal",
        "draw_proofs.anonymous",
        "draw_proofs.proof",
        "draws.again",
        "draws.appoint",
        "draws.begin",
        "draws.cancel",
        "draws.contest",
        "draws.draw",
        "draws.paper",
        "draws.plan",
        "draws.replace",
        "evaluation.ask_for_time",
        "evaluation.beside",
        "evaluation.explanation",
        "evaluation.file",
        "evaluation.file_text",
        "evaluation.overview",
        "evaluation.page_image",
        "evaluation.pages",
        "evaluation.qualification",
        "evaluation.qualify",
        "evaluation.rank",
        "evaluation.recheck",
        "evaluation.replace",
        "evaluation.report",
        "evaluation.resume",
        "evaluation.room",
        "evaluation.seal",
        "evaluation.sheet",
        "evaluation.sign",
        "evaluation.start",
        "evaluation.vote",
        "openings.one_document",
    }
)
#: What the variables of such a route can be: existing places where there are some, so that only the last part is wrong.
FILLERS: Final[Mapping[str, str]] = {
    "reference": "tender",
    "tender": "tender",
    "lot": "lot",
    "stage": "stage",
    "draft_id": "draft",
    "number": "one",
    "attempt": "one",
    "custodian": "one",
    "bid": "bid",
}
