"""Names of the legal numbers. Code asks an edition for a key; the number itself stands only in ``data/``."""

from __future__ import annotations

from enum import StrEnum


class Regime(StrEnum):
    """The body of law a procedure runs under (legal track); ``ALL`` in a row means every one of them."""

    TL = "TL"  # 招标投标法
    GP = "GP"  # 政府采购法
    LAND = "LAND"
    MINE = "MINE"
    EQTY = "EQTY"
    FRST = "FRST"
    OTHR = "OTHR"
    ALL = "ALL"


class Key(StrEnum):
    """Every parameter that an open tender under 政府采购法 reads; the same names as in the rule book's sheet."""

    BID_PREPARATION_MIN = "tender.bid_preparation_min"
    DOCUMENTS_SUPPLY_MIN = "documents.supply_min_gp"
    NOTICE_PERIOD = "notice.tender_period_gp"
    CLARIFICATION_LEAD = "clarification.lead_tender"
    EXTENSION = "extension.extend"
    EXTENSION_LOOK_BACK = "extension.look_back"
    EXTENSION_MIN_OUTAGE = "extension.min_outage"
    SECOND_PERSON = "review.second_person"
    BIDDERS_MIN = "bidders.min"
    RECOUNT_AFTER_DECRYPT = "opening.recount_after_decrypt"
    DECRYPT_WINDOW_MIN = "opening.decrypt_window_min"
    DECRYPT_WINDOW_MAX = "opening.decrypt_window_max"
    OBJECTION_ON_THE_SPOT = "opening.objection_on_the_spot"
    EXCLUDE_ABOVE_CEILING = "evaluation.exclude_above_ceiling"
    ABNORMAL_LOW_CHECK = "abnormal_low.check"
    ABNORMAL_LOW_OF_MEAN = "abnormal_low.k1_of_mean"
    ABNORMAL_LOW_OF_SECOND = "abnormal_low.k2_of_second_lowest"
    ABNORMAL_LOW_OF_CEILING = "abnormal_low.k3_of_ceiling"
    ABNORMAL_LOW_MAX = "abnormal_low.k_max"
    ABNORMAL_LOW_EXPLANATION = "abnormal_low.explanation_min"
    COMMITTEE_REQUIRED = "committee.required"
    COMMITTEE_MIN = "committee.min_gp"
    COMMITTEE_MIN_LARGE = "committee.min_gp_large"
    COMMITTEE_LARGE_BUDGET = "committee.gp_large_budget"
    COMMITTEE_EXPERT_SHARE = "committee.expert_share_min"
    COMMITTEE_ODD = "committee.odd_number"
    DRAW_EARLIEST = "experts.draw_earliest_before_evaluation"
    WORKED_MOST = "experts.worked_for_agency_most"
    WORKED_PERIOD = "experts.worked_for_agency_period"
    RECUSAL_LOOKBACK = "experts.recusal_lookback_gp"
    PRICE_WEIGHT_MIN_GOODS = "price_weight.min_goods"
    PRICE_WEIGHT_MIN_SERVICES = "price_weight.min_services"
    SMALL_MICRO_MIN = "sme.discount_small_micro_min"
    SMALL_MICRO_MAX = "sme.discount_small_micro_max"
    SME_CONSORTIUM_MIN = "sme.discount_consortium_min"
    SME_CONSORTIUM_MAX = "sme.discount_consortium_max"
    SCORE_DECIMALS = "evaluation.score_decimals"
    OUTLIER_SHARE = "evaluation.outlier_share"
    AWARD_REPORT_WITHIN = "award.agency_report_to_buyer_within"
    AWARD_DECIDE_WITHIN = "award.buyer_decide_within"
    RESULT_NOTICE_WITHIN = "result_notice.within"
    RESULT_NOTICE_PERIOD = "result_notice.display"
    CONTRACT_SIGN_WITHIN = "contract.sign_within"
    CONTRACT_PUBLISH_WITHIN = "contract.publish_within"
    CONTRACT_FILE_WITHIN = "contract.file_within"
    ENQUIRY_ANSWER_WITHIN = "enquiry.answer_within"
    CHALLENGE_WINDOW = "challenge.window"
    CHALLENGE_REPLY_WITHIN = "challenge.reply_within"
    COMPLAINT_WINDOW = "complaint.window_gp"
    RETENTION_FILES = "retention.procurement_files"
    RETENTION_NOTICES = "retention.notices"
