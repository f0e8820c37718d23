"""Questions and answers in their states, built in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from wtforms.fields import SelectChoice  # type: ignore[attr-defined]  # newer than its types

from tests.build.pages import DAY, NOW, Sample, digest, lot, page
from trading.clarifications.forms import AnswerForm, PublishForm, QuestionForm
from trading.clarifications.queries import Answer, Question
from trading.clarifications.rules.answering import Content, Effect
from trading.kernel.errors import RuleBroken
from trading.notices.rules.progress import LotState

REFERENCE = "T-2026-7k3m9q2d"
PROCEDURE = page(lot(LotState.OPEN))
ENDS_AT = NOW + 2 * DAY
CONTENT = Content(
    question_zh="招标文件第三章要求探头支持 15 MHz，是否接受分频段的两支探头共同覆盖？",
    question_en="Chapter 3 asks for a probe up to 15 MHz: may two probes of different bands cover it together?",
    answer_zh="接受。两支探头合计覆盖 3 至 15 MHz，且切换不需要重新校准即可。",
    answer_en="Yes, if together they cover 3 to 15 MHz and switching needs no new calibration.",
    effect=Effect.EXPLAINS,
    notice=None,
)
ANSWERS = tuple(
    Answer(
        question=f"q-{digest(('question', n))[:16]}",
        version=1,
        drafted_by="a-1",
        content=content,
        number=n,
        published_at=NOW - (4 - n) * DAY,
        h=digest(("answer", n)),
        lot="1" if n == 2 else None,
    )
    for n, content in (
        (3, replace(CONTENT, effect=Effect.AMENDS, notice=2)),
        (2, replace(CONTENT, question_en="", answer_en="", effect=Effect.AFFECTS)),
        (1, CONTENT),
    )
)


def question(number: int, answer: Answer | None = None) -> Question:
    return Question(
        reference=f"q-{digest(('question', number))[:16]}",
        procedure=REFERENCE,
        procedure_id=1,
        lot="1" if number % 2 else None,
        text=CONTENT.question_zh if number else "交货地点能否改为二期库房？验收由哪个部门组织？" * 6,
        asked_at=NOW - number * DAY - 1,
        answer=answer,
    )


DRAFT = replace(ANSWERS[0], number=None, published_at=None, h=None)


def question_form() -> QuestionForm:
    form = QuestionForm(formdata=None)
    form.lot.choices = [SelectChoice("", "T-2026-7k3m9q2d"), SelectChoice("1", "1")]
    return form


def refused_question_form() -> QuestionForm:
    form = question_form()
    form.text.data = "我们公司想问"
    form.refuse(RuleBroken("question.names_asker", "NOT-36"), "text")
    return form


def refused_answer_form() -> AnswerForm:
    form = AnswerForm(formdata=None, data={"question_zh": CONTENT.question_zh, "effect": "amends"})
    form.refuse(RuleBroken("answer.needs_amendment", "DOC-18"))
    return form


def samples() -> Iterator[Sample]:
    """Every page of questions in every state."""
    public = f"/procedures/{REFERENCE}/questions"
    for name, answers, ends_at in (
        ("open", (), ENDS_AT),
        ("closed", (), NOW - DAY),
        ("some", ANSWERS, ENDS_AT),
        ("ended", ANSWERS, None),
    ):
        context = {"procedure": PROCEDURE, "answers": answers, "ends_at": ends_at, "now": NOW}
        yield Sample(f"questions-{name}", public, "clarifications/public.html", context)
    yield Sample(
        "procedure-answered",
        f"/procedures/{REFERENCE}",
        "notices/procedure.html",
        {"page": PROCEDURE, "now": NOW, "answers": ANSWERS, "questions_end_at": ENDS_AT},
    )
    yield from _own()
    yield from _agency()


def _own() -> Iterator[Sample]:
    path = f"/bidder/tenders/{REFERENCE}/questions"
    asked = (question(0), question(1, DRAFT), question(2, ANSWERS[0]))
    for name, found, ends_at, form in (
        ("none", (), ENDS_AT, question_form),
        ("some", asked, ENDS_AT, question_form),
        ("refused", asked, ENDS_AT, refused_question_form),
        ("ended", asked, NOW - DAY, question_form),
    ):
        context = {"procedure": PROCEDURE, "questions": found, "ends_at": ends_at, "now": NOW, "form": partial(form)}
        yield Sample(f"own-questions-{name}", path, "clarifications/own.html", context)


def _agency() -> Iterator[Sample]:
    path = f"/agency/{REFERENCE}/questions"
    some = [question(0), question(1, DRAFT), question(2, ANSWERS[0]), question(3)]
    for name, found in (("none", []), ("some", some)):
        context = {"procedure": PROCEDURE, "questions": found, "ends_at": ENDS_AT, "now": NOW}
        yield Sample(f"agency-questions-{name}", path, "clarifications/agency.html", context)
    publishing = partial(PublishForm, formdata=None, data={"version": "1"})
    drafting = partial(AnswerForm, formdata=None, data={"question_zh": CONTENT.question_zh})
    for name, asked, form, may_draft, may_publish in (
        ("new", question(1), drafting, True, False),
        ("wrong", question(1), partial(refused_answer_form), True, False),
        ("waiting", question(1), drafting, False, False),
        ("review", question(1, DRAFT), drafting, False, True),
        ("own-draft", question(1, DRAFT), drafting, True, False),
        ("published", question(2, ANSWERS[0]), drafting, False, False),
    ):
        context = {
            "procedure": PROCEDURE,
            "question": asked,
            "form": form,
            "publishing": publishing,
            "may_draft": may_draft,
            "may_publish": may_publish,
        }
        yield Sample(f"answer-{name}", f"{path}/{asked.reference}", "clarifications/answer.html", context)
