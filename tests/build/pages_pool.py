"""Pages of the pool in their states, built in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from tests.build.pages import DAY, NOW, Sample
from tests.build.pages_draws import PROCEDURE, REFERENCE
from tests.support.made_pool import SAMPLE
from trading.experts.rules.specialties import COLUMNS as TREE_COLUMNS
from trading.experts.rules.specialties import SEED
from trading.kernel.canonical import dumps
from trading.kernel.errors import RuleBroken
from trading.pool.forms import (
    AnswerForm,
    ApplicationForm,
    AppraisalForm,
    ConfirmForm,
    DisciplineForm,
    ImportForm,
    OrderForm,
    PlainForm,
    ReachForm,
    RefuseForm,
    SearchForm,
    TrainingForm,
    TreeForm,
)
from trading.pool.queries import AppraisalRow, FileRow, ImportRow, Page, SanctionRow
from trading.pool.rules.sheet import COLUMNS, Fault
from trading.pool.service.applications import Shown
from trading.pool.service.appraisals import AppraisalPage
from trading.pool.views.keeper import words
from trading.web.forms import Form
from trading.web.signing import SigningForm, signable

NUMBER, BATCH = "E-7K3M9Q2D4F6H", "I-7K3M9Q2D4F"
WAITING = FileRow(
    number=NUMBER,
    entry_id=7,
    commit=bytes(32),
    regime="GP",
    via="expert",
    batch=None,
    state="waiting",
    rule=None,
    until=None,
    trained_at=None,
)
ADMITTED = replace(WAITING, state="admitted", until=NOW + 900 * DAY, trained_at=NOW - 40 * DAY, standing="active")
OTHERS = (
    replace(WAITING, state="asked", regime="TL"),
    replace(WAITING, state="refused", rule="EXP-08"),
    replace(WAITING, state="withdrawn"),
    ADMITTED,
    replace(ADMITTED, standing="suspended"),
    replace(ADMITTED, state="ended", rule="EXP-29", standing="removed"),
)
SANCTIONS = (
    SanctionRow(measure="ban", rule="EXP-25", amount=None, until=NOW + 300 * DAY, at=NOW - DAY, reason="泄露评审情况"),
    SanctionRow(measure="fine", rule="EXP-25", amount=500_000, until=None, at=NOW - 2 * DAY, reason=None),
)
APPRAISED = AppraisalRow(
    procedure_id=1,
    seat="m-7k3m9q2d4f6h",
    marks="5454",
    remark="按时到场，意见清楚。",
    late=False,
    answer=None,
    rating=None,
)
IMPORT = ImportRow(
    batch=BATCH,
    account="a-1",
    format="xlsx",
    regime="GP",
    mode="good",
    state="done",
    rows_read=1200,
    rows_good=1198,
    rows_taken=1198,
    created_at=NOW,
)


def shown(row: FileRow) -> Shown:
    marked = row.state in {"admitted", "ended"}
    return Shown(
        row=row,
        dossier=SAMPLE,
        sanctions=SANCTIONS if marked else (),
        appraisals=(APPRAISED,) if marked else (),
    )


def _offered(form: type[Form]) -> Form:
    made = form(formdata=None)
    made.offered = signable([("入库文件", dumps({"act": "admitted", "typ": "ed1.register-change", "v": 1}))])
    return made


def _choosing() -> Form:
    form = ApplicationForm(formdata=None)
    form.offer(SEED)
    return form


def _refused() -> Form:
    form = _choosing()
    form.refuse(RuleBroken("pool.years", "EXP-07", years=8), "years")
    form.refuse(RuleBroken("pool.known", "EXP-08"))
    return form


def _form(kind: type[Form]) -> Any:  # noqa: ANN401 - made inside the request
    return partial(kind, formdata=None)


def _applicant() -> Iterator[Sample]:
    path = "/experts/apply"
    yield Sample("pool-apply", path, "pool/apply.html", {"form": partial(_choosing), "unit": False})
    yield Sample("pool-apply-unit", path, "pool/apply.html", {"form": partial(_choosing), "unit": True})
    yield Sample("pool-apply-refused", path, "pool/apply.html", {"form": partial(_refused), "unit": False})
    path, plain = "/experts/mine", _form(PlainForm)
    yield Sample("pool-mine-none", path, "pool/mine.html", {"files": [], "form": plain})
    files = [shown(each) for each in (WAITING, *OTHERS)]
    yield Sample("pool-mine", path, "pool/mine.html", {"files": files, "form": plain})
    context = {"found": shown(ADMITTED), "form": _form(ReachForm)}
    yield Sample("pool-amend", f"{path}/{NUMBER}", "pool/amend.html", context)
    path = "/experts/staff"
    yield Sample("pool-staff-none", path, "pool/staff.html", {"files": [], "form": plain})
    yield Sample("pool-staff", path, "pool/staff.html", {"files": [shown(OTHERS[0])], "form": plain})


def _authority() -> Iterator[Sample]:
    path, levels = "/standing", ("C", "N", "P")
    waiting = (
        WAITING,
        replace(WAITING, number="E-2", via="unit"),
        replace(WAITING, number="E-3", via="import", batch=BATCH),
    )
    for name, page, ended in (
        ("none", Page(rows=(), after=None), False),
        ("some", Page(rows=waiting, after="7.E-3"), False),
        ("ended", Page(rows=OTHERS[-1:], after=None), True),
        ("ended-none", Page(rows=(), after=None), True),
    ):
        yield Sample(f"pool-inbox-{name}", path, "pool/inbox.html", {"page": page, "ended": ended, "levels": levels})
    page = Page(rows=(ADMITTED,), after=NUMBER)
    for name, found in (("number", None), ("name", [("林一鸣", NUMBER)])):
        context: dict[str, Any] = {"form": _form(SearchForm), "found": found, "page": page, "number": "E-7"}
        yield Sample(f"pool-search-{name}", f"{path}/search", "pool/search.html", context)
    context = {"form": partial(_offered, SigningForm), "count": 2}
    yield Sample("pool-admit", f"{path}/admit", "pool/admit.html", context)
    path = f"{path}/files/{NUMBER}"
    for row in (WAITING, *OTHERS[3:]):
        name = row.standing or row.state
        yield Sample(f"pool-file-{name}", path, "pool/file.html", {"found": shown(row)})
    context = {"form": partial(_offered, OrderForm), "number": NUMBER, "title": "暂停资格"}
    yield Sample("pool-order", f"{path}/suspended", "pool/order.html", context)
    for name, form in (("refuse", RefuseForm), ("discipline", DisciplineForm), ("renew", ConfirmForm)):
        context = {"form": _form(form), "row": ADMITTED, "title": "资格管理"}
        yield Sample(f"pool-{name}", f"{path}/{name}", "pool/act.html", context)


def _keeper() -> Iterator[Sample]:
    page = Page(rows=OTHERS, after=NUMBER)
    for name, shown_page, soon in (
        ("some", page, False),
        ("soon", page, True),
        ("none", Page(rows=(), after=None), False),
    ):
        context: dict[str, Any] = {"page": shown_page, "form": _form(TrainingForm), "number": "", "soon": soon}
        yield Sample(f"pool-upkeep-{name}", "/upkeep", "pool/upkeep.html", context)
    path = "/upkeep/imports"
    states = [replace(IMPORT, state=state) for state in ("waiting", "checking", "taking", "done", "refused")]
    for name, rows in (("none", []), ("some", states)):
        context = {"form": _form(ImportForm), "imports": rows, "columns": COLUMNS}
        yield Sample(f"pool-imports-{name}", path, "pool/imports.html", context)
    faults = [Fault(row=3, column="years", code="sheet.wrong"), Fault(row=0, column="", code="sheet.bomb")]
    for row, found in ((states[1], []), (states[3], faults), (replace(states[4], mode="all"), faults)):
        context = {"row": row, "faults": found, "count": len(found), "words": words}
        yield Sample(f"pool-import-{row.state}", f"{path}/{BATCH}", "pool/import.html", context)
    yield Sample("pool-specialties", "/specialties", "pool/specialties.html", {"tree": SEED})
    context = {"form": _form(TreeForm), "columns": TREE_COLUMNS}
    yield Sample("pool-publish", "/upkeep/specialties", "pool/publish.html", context)


def _appraisals() -> Iterator[Sample]:
    path = f"/agency/{REFERENCE}/appraisals"
    answered = replace(APPRAISED, answer="当天交通管制。", rating=4, late=True)
    seats = (("m-1", APPRAISED), ("m-2", answered), ("m-3", None))
    for name, until in (("open", NOW + 3 * DAY), ("early", None)):
        page = AppraisalPage(procedure=PROCEDURE, seats=seats, until=until)
        context: dict[str, Any] = {"page": page, "form": partial(_seats)}
        yield Sample(f"pool-appraisals-{name}", path, "pool/appraisals.html", context)
    for name, found in (("open", APPRAISED), ("answered", answered), ("early", None)):
        context = {"procedure": PROCEDURE, "found": found, "form": _form(AnswerForm)}
        yield Sample(f"pool-answer-{name}", f"/experts/appraisals/{REFERENCE}", "pool/answer.html", context)


def _seats() -> Form:
    form = AppraisalForm(formdata=None)
    form.offer(["m-3"])
    return form


def samples() -> Iterator[Sample]:
    """Yield every page of the pool."""
    yield from _applicant()
    yield from _authority()
    yield from _keeper()
    yield from _appraisals()
