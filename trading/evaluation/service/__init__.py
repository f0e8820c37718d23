"""Use cases of an evaluation: qualification, the sitting, votes, score sheets, report, ranking (B10.1).

A member acts as ``members.member_of`` says: under the name of the seat. Whoever calls an act that is a signature has
stepped up with a second factor before (``accounts.service.confirm``; pages do it with a ``StepUpForm``).
"""

from trading.evaluation.service.examining import explain_price, qualify, vote
from trading.evaluation.service.holding import hold_sheet
from trading.evaluation.service.masking import naming_places
from trading.evaluation.service.members import member_actor
from trading.evaluation.service.pausing import ask_for_time, resume, seal
from trading.evaluation.service.ranking import evaluate
from trading.evaluation.service.rechecking import explain_score
from trading.evaluation.service.renewals import ask_renewal, void_sheet
from trading.evaluation.service.reporting import sign_report
from trading.evaluation.service.sheets import correct_sheet, hand_in, sign_sheet
from trading.evaluation.service.sitting import replace_member, start
from trading.evaluation.service.state import LotState, load_lot, load_lots, masks_of, opened_bids, ranking_rules

__all__ = [
    "LotState",
    "ask_for_time",
    "ask_renewal",
    "correct_sheet",
    "evaluate",
    "explain_price",
    "explain_score",
    "hand_in",
    "hold_sheet",
    "load_lot",
    "load_lots",
    "masks_of",
    "member_actor",
    "naming_places",
    "opened_bids",
    "qualify",
    "ranking_rules",
    "replace_member",
    "resume",
    "seal",
    "sign_report",
    "sign_sheet",
    "start",
    "void_sheet",
    "vote",
]
