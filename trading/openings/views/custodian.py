"""What a custodian's people see of their agent: work done and waiting, keys, checks (ux page 12).

An agent without a network is served by hand: its job is saved here, carried over, and the answer handed in (SB1 S13.2).
Both are safe on any medium: the agent checks a job as hostile input, an answer holds only what is signed or sealed.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final, cast

from flask import Blueprint, Response, current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from trading.audit.runtime import Runtime
from trading.kernel.canonical import loads_object
from trading.kernel.errors import Conflict, InvalidInput, RuleBroken
from trading.kernel.roles import Role
from trading.openings.forms import AnswerFileForm
from trading.openings.service import answers, job_bundles, keeping
from trading.openings.service.keeping import Kept, Task
from trading.parties.model import SigningKey
from trading.web.downloads import evidence_file
from trading.web.permissions import allow, current_actor
from trading.web.signing import SIGNING_BODY, takes_documents

blueprint = Blueprint("custody", __name__, url_prefix="/custodian")

MINUTE_MS: Final = 60_000
ESCALATION: Final = (10, 20, 30)  # minutes without an answer after which the page says it more loudly (ux page 12)
_LONGEST: Final = 15  # digits of a size that are read
SILENT_MS: Final = 2 * MINUTE_MS  # an agent asks every few seconds; longer silence deserves a look


def _runtime() -> Runtime:
    return cast("Runtime", current_app.extensions["runtime"])


@blueprint.get("")
@allow(Role.CUSTODIAN, relation="assigned_custody")
def index() -> str:
    """The institution's agent: when it last asked for work, and every lot whose share key it keeps."""
    found = keeping.keeping(_runtime().ledger, current_actor())
    now = _runtime().clock.now_ms()
    return render_template("openings/custodian.html", keeping=found, now=now, silent_ms=SILENT_MS)


@blueprint.get("/lots/<reference>/<lot>")
@allow(Role.CUSTODIAN, relation="assigned_custody")
def one(reference: str, lot: str) -> str:
    """One lot: the key, what was checked, what waits, and how the ceremony stands."""
    found = keeping.kept(keeping.keeping(_runtime().ledger, current_actor()), reference, lot)
    now = _runtime().clock.now_ms()
    return render_template("openings/custodian_lot.html", kept=found, now=now, escalation=ESCALATION)


@blueprint.route("/jobs/<job_id>", methods=["GET", "POST"])
@allow(Role.CUSTODIAN, relation="assigned_custody")
@takes_documents
def by_hand(job_id: str) -> str | AnyResponse | tuple[str, int]:
    """One job by hand: its file to save, and the answer of the agent to hand in."""
    lot, task, _job, key = keeping.exchange(_runtime().ledger, current_actor(), job_id)
    return _handed_in(lot, task, key)


@blueprint.get("/jobs/<job_id>/file")
@allow(Role.CUSTODIAN, relation="assigned_custody")
def job_file(job_id: str) -> Response:
    """The job as a file for an agent without a network, with proofs from the entry on that it saw last."""
    _lot, _task, job, _key = keeping.exchange(_runtime().ledger, current_actor(), job_id)
    packed = job_bundles.build(_runtime(), job, _seen())
    return evidence_file(packed, f"{job.kind}-{job.id}.zip", "application/zip")


def _seen() -> int:
    text = request.args.get("seen", "0").strip() or "0"
    if not text.isascii() or not text.isdigit() or len(text) > _LONGEST:
        raise InvalidInput("body.malformed", "seen is not a number")
    return int(text)


@blueprint.route("/lots/<reference>/<lot>/destruction", methods=["GET", "POST"])
@allow(Role.CUSTODIAN, relation="assigned_custody")
@takes_documents
def destruction(reference: str, lot: str) -> str | AnyResponse | tuple[str, int]:
    """The agent's statement that the share key of a lot is gone, handed in by hand (SB1 S12)."""
    found = keeping.keeping(_runtime().ledger, current_actor())
    kept = keeping.kept(found, reference, lot)
    return _handed_in(kept, None, keeping.institution_key(found, kept))


def _handed_in(lot: Kept, task: Task | None, key: SigningKey) -> str | AnyResponse | tuple[str, int]:
    form = AnswerFileForm()
    if form.validate_on_submit():
        try:
            body = {"answer": _answer(form), "job": None if task is None else task.id}
            answers.answer(_runtime().ledger, key, body)
        except (RuleBroken, InvalidInput) as refusal:
            form.refuse(refusal, "answer")
        except Conflict:
            form.refuse(InvalidInput("answer.differs"), "answer")
        else:
            return redirect(url_for("custody.one", reference=lot.reference, lot=lot.key.lot), HTTPStatus.SEE_OTHER)
    page = render_template("openings/by_hand.html", kept=lot, task=task, form=form)
    return page, HTTPStatus.UNPROCESSABLE_ENTITY if form.is_submitted() else HTTPStatus.OK


def _answer(form: AnswerFileForm) -> dict[str, Any]:
    file = form.answer.data
    raw = file.read(SIGNING_BODY) if file else b""
    if not raw:
        raise InvalidInput("answer.malformed", "no file")
    return loads_object(raw.strip(), SIGNING_BODY)
