"""How custodian agents fetch jobs and post answers; the specification is docs/custodian-jobs.md."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any, Final

from flask import Blueprint, Response, request
from sqlalchemy import Connection

from trading.api import tokens
from trading.api.bodies import DOCUMENT_BODY, answer, body, runtime
from trading.custody import queries
from trading.custody.queries import WaitingJob
from trading.custody.rules.jobs import JobKind
from trading.experts.model import NotYet as DrawNotYet
from trading.experts.service import custodians as draw_answers
from trading.experts.service import job_bundles as draw_bundles
from trading.kernel.errors import InvalidInput, NotFound
from trading.openings.model import NotYet
from trading.openings.service import answers, job_bundles
from trading.web.limits import body_limit
from trading.web.permissions import signed

blueprint = Blueprint("custodian", __name__, url_prefix="/custodian/v1")

_PAGE: Final = 50
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,17}")
_WAIT_S: Final = 3.0  # a record is witnessed about a second after it was made; an agent that comes earlier waits here
_LOOK_S: Final = 0.1


@blueprint.get("/jobs")
@signed("custodian")
def jobs() -> Response:
    """Return the unanswered jobs of the institution after a cursor, oldest first, at most 50."""
    institution = tokens.institution("custodian")
    with runtime().ledger.read() as conn:
        found = _open_jobs(conn, institution.kid, _number("after"))
    return answer({"jobs": [_listed(job) for job in found]})


def _open_jobs(conn: Connection, kid: str, after: int) -> list[WaitingJob]:
    """Return the first jobs that still matter; pointless ones never crowd them out of the page."""
    found: list[WaitingJob] = []
    while len(found) < _PAGE:
        page = queries.waiting(conn, kid, after, _PAGE)
        found += [job for job in page if not _is_pointless(conn, job)]
        if len(page) < _PAGE:
            break
        after = page[-1].cursor
    return found[:_PAGE]


def _is_pointless(conn: Connection, job: WaitingJob) -> bool:
    if JobKind(job.kind).is_draw:
        return draw_bundles.is_pointless(conn, job)
    return job_bundles.is_pointless(conn, job)


def _listed(job: WaitingJob) -> dict[str, object]:
    return {"cursor": job.cursor, "id": job.id, "kind": job.kind, "url": f"/custodian/v1/jobs/{job.id}"}


def _number(name: str) -> int:
    text = request.args.get(name, "0")
    if _NUMBER.fullmatch(text) is None:
        raise InvalidInput("body.malformed", f"{name} is not a number")
    return int(text)


@blueprint.get("/jobs/<job_id>")
@signed("custodian")
def job(job_id: str) -> Response:
    """Return one job of the institution as a ZIP with proofs from ``seen`` on; 409 while the log is not that far."""
    institution, seen = tokens.institution("custodian"), _number("seen")
    with runtime().ledger.read() as conn:
        found = queries.job(conn, job_id)
    if found is None or found.kid != institution.kid:
        raise NotFound("job")
    response = Response(_built(found, seen), mimetype="application/zip")
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Disposition"] = f'attachment; filename="{found.id}.zip"'
    return response


def _built(found: WaitingJob, seen: int) -> bytes:
    deadline = time.monotonic() + _WAIT_S
    build = draw_bundles.build if JobKind(found.kind).is_draw else job_bundles.build
    while True:
        try:
            return build(runtime(), found, seen)
        except (NotYet, DrawNotYet):
            if time.monotonic() >= deadline:
                raise
        time.sleep(_LOOK_S)


@blueprint.post("/answers")
@signed("custodian")
@body_limit(DOCUMENT_BODY)
def take() -> Response:
    """Take the answer to a job, a refusal, or a statement without a job; the same one again is accepted again."""
    institution, content = tokens.institution("custodian"), body()
    job = _job_of_draw(content, institution.kid)
    if job is None:
        answers.answer(runtime().ledger, institution, content)
    else:
        draw_answers.answer(runtime().ledger, institution, job, content)
    return answer({"result": "accepted"})


def _job_of_draw(content: Mapping[str, Any], kid: str) -> WaitingJob | None:
    """Return the job that is answered if it is one of a draw and of this institution."""
    if not isinstance(content.get("job"), str):
        return None
    with runtime().ledger.read() as conn:
        found = queries.job(conn, content["job"])
    return found if found is not None and found.kid == kid and JobKind(found.kind).is_draw else None
