"""What the people of a ceremony fill in: a receipt, a decision on an objection, findings on reported shares."""

from __future__ import annotations

from typing import Final

from wtforms import Field, FileField, RadioField, TextAreaField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its stubs
from wtforms.validators import InputRequired

from trading.openings.rules.on_the_spot import LONGEST
from trading.openings.rules.verdicts import Finding
from trading.openings.service.desk import Report
from trading.web.forms import Form
from trading.web.locale import lazy as _

DECISIONS: Final = (
    SelectChoice("add", _("Add the bid: it was received in time and must be opened")),
    SelectChoice("reject", _("Reject the objection: the bid does not belong on the list")),
)
FINDINGS: Final = (
    SelectChoice(Finding.DEALT_BAD.value, _("The bidder sealed a faulty share")),
    SelectChoice(Finding.CUSTODIAN_FAULT.value, _("The share was good, or the custodian did not show its key")),
)


class ObjectionForm(Form):
    """A bidder's objection: the receipt says everything."""

    receipt = FileField(_("Receipt of the bid (file ending in .tlog-proof)"))


class SpotForm(Form):
    """A bidder's objection to the opening, in its own words."""

    text = TextAreaField(
        _("What was not as it should be?"), [InputRequired()], render_kw={"rows": 5, "maxlength": LONGEST}
    )


class AnswerForm(Form):
    """The agency's answer to it."""

    text = TextAreaField(_("Answer"), [InputRequired()], render_kw={"rows": 5, "maxlength": LONGEST})


class AnswerFileForm(Form):
    """What an agent without a network answered."""

    answer = FileField(_("Answer file of the agent (.json)"))


class ProposalForm(Form):
    """A button: put a paper on the desk."""


class DecisionForm(Form):
    """The supervisor's decision on one objection."""

    decision = RadioField(_("Decision"), [InputRequired()], choices=list(DECISIONS))


class FindingForm(Form):
    """The supervisor's findings about one custodian; one choice for each bid is added by ``finding_form``."""

    def findings(self, report: Report) -> dict[str, Finding]:
        """Return the finding of each reported bid."""
        return {bid: Finding(self[_name(bid)].data) for bid in report.codes}

    def choice(self, bid: str) -> Field:
        """Return the field of one bid."""
        field: Field = self[_name(bid)]
        return field


def _name(bid: str) -> str:
    return f"bid-{bid}"


def finding_form(report: Report) -> FindingForm:
    """Return the form for what a custodian reported."""
    label = str(_("Finding about bid %(bid)s"))
    fields = {
        _name(bid): RadioField(label % {"bid": bid}, [InputRequired()], choices=list(FINDINGS)) for bid in report.codes
    }
    form: FindingForm = type("FindingForm", (FindingForm,), fields)()
    return form
