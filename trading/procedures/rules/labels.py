"""What phases and acts are called on pages and in generated tables, in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from trading.kernel.roles import Role
from trading.procedures.rules.lifecycle import Act, LotPhase, ProcedurePhase


class Label(NamedTuple):
    """One name in Chinese and English."""

    zh: str
    en: str


PROCEDURE_PHASES: Final[Mapping[ProcedurePhase, Label]] = {
    ProcedurePhase.DRAFT: Label("编制中", "Draft"),
    ProcedurePhase.REVIEW: Label("复核中", "In review"),
    ProcedurePhase.PUBLISHED: Label("已发布", "Published"),
    ProcedurePhase.CANCELLED: Label("已终止", "Cancelled"),
}

LOT_PHASES: Final[Mapping[LotPhase, Label]] = {
    LotPhase.DRAFT: Label("未发布", "Not published"),
    LotPhase.OPEN: Label("投标中", "Open for bids"),
    LotPhase.CLOSED: Label("投标截止", "Closed"),
    LotPhase.OPENING: Label("开标中", "Being opened"),
    LotPhase.OPENED: Label("已开标", "Opened"),
    LotPhase.EVALUATED: Label("评审完成", "Evaluated"),
    LotPhase.DETERMINED: Label("已确定中标人", "Award determined"),
    LotPhase.CONCLUDED: Label("已公告结果", "Concluded"),
    LotPhase.CONTRACTED: Label("已签合同", "Contract signed"),
    LotPhase.CONTRACT_PUBLISHED: Label("合同已公告", "Contract published"),
    LotPhase.FAILED: Label("流标", "Failed"),
    LotPhase.CANCELLED: Label("已终止", "Cancelled"),
}

ACTS: Final[Mapping[Act, Label]] = {
    Act.SUBMIT: Label("提交复核", "Submit for review"),
    Act.RETURN: Label("退回修改", "Return to the drafter"),
    Act.PUBLISH: Label("发布招标公告", "Publish the tender notice"),
    Act.CANCEL: Label("终止采购", "Cancel"),
    Act.OPEN: Label("开始投标", "Open for bids"),
    Act.EXTEND: Label("延长截止时间", "Extend the deadline"),
    Act.AMEND: Label("发布更正公告", "Publish a correction"),
    Act.CLOSE: Label("截止投标", "Close"),
    Act.FAIL: Label("宣布流标", "Declare failed"),
    Act.ORDER_OPENING: Label("下达开标令", "Order the opening"),
    Act.COMPLETE_OPENING: Label("完成开标", "Complete the opening"),
    Act.EVALUATE: Label("评审排序", "Evaluate and rank"),
    Act.DETERMINE: Label("确定中标人", "Determine the award"),
    Act.CONCLUDE: Label("发布结果公告", "Publish the result"),
    Act.ANNOUNCE_FAILURE: Label("发布流标公告", "Publish the failure"),
    Act.SIGN_CONTRACT: Label("签订合同", "Sign the contract"),
    Act.PUBLISH_CONTRACT: Label("公告合同", "Publish the contract"),
    Act.FILE_CONTRACT: Label("合同备案", "File the contract"),
}

# By the name of the guard without "require_".
GUARDS: Final[Mapping[str, Label]] = {
    "second_person": Label("行为人不是编制人", "not the drafter"),
    "return_reason": Label("写明退回理由", "reason given"),
    "cancellation_ground": Label("写明终止事由", "ground given"),
    "lawful_deadline": Label("截止时间不早于法定最短期限", "deadline not before the legal minimum"),
    "known_calendar": Label("截止日所在年份的工作日历已公布", "calendar of the deadline's year published"),
    "questions_cutoff": Label("提问截止后仍能依法答复", "questions end early enough to be answered"),
    "document_supply": Label("文件提供期限足够", "documents supplied long enough"),
    "ceiling": Label("有最高限价或预算", "ceiling or budget stated"),
    "lawful_criteria": Label("评审因素、分值和价格权重合法", "lawful criteria and weight of the price"),
    "method_of_kind": Label("评审方法和采购标的适用于本交易方式", "method and category of this kind"),
    "lawful_formula": Label("评审公式的参数合法", "lawful parameters of the formula"),
    "lawful_shares": Label("异常低价审查比例在法定范围内", "shares of the price check in the lawful range"),
    "lawful_preference": Label("价格扣除比例在法定范围内", "deductions in the lawful range"),
    "opening_policy": Label("开标密钥保管方案已确定", "opening policy fixed"),
    "extension_later": Label("新截止时间晚于原截止时间", "new deadline later"),
    "deadline_kept": Label("截止时间不提前", "deadline not brought forward"),
    "extension_margin": Label("截止时间距发布不少于三十分钟", "deadline 30 minutes or more after publication"),
    "clarification_lead": Label("影响投标的更正距截止时间足够", "enough time after a change that affects bids"),
    "deadline_passed": Label("截止时间已到", "deadline reached"),
    "opening_allowed": Label("投标人数达到法定最少数", "enough bids"),
    "too_few_bids": Label("投标人数不足", "too few bids"),
    "all_decided": Label("每份投标文件均有结论", "every bid has a verdict"),
    "enough_valid": Label("有效且符合要求的投标人足够", "enough valid bids"),
    "committee_report": Label("评标委员会成员已全部签署评标报告", "report signed by the whole committee"),
    "too_few_valid": Label("有效或符合要求的投标人不足", "too few valid bids"),
    "candidates_shown": Label("中标候选人公示期已满", "candidates were on display for the legal time"),
    "silence": Label("平台代为确定的，采购人的期限已经届满", "the platform waits for the end of the buyer's time"),
    "ranking_order": Label("选定排序第一的投标人", "first of the ranking"),
    "contract_of_award": Label("合同当事人和价格与中标结果一致", "parties and price of the award"),
    "contract_in_time": Label("在签订合同的法定期限内", "within the legal time to sign"),
}

ROLES: Final[Mapping[Role, Label]] = {
    Role.BIDDER: Label("投标人", "bidder"),
    Role.AGENCY: Label("编制人", "agency"),
    Role.REVIEWER: Label("复核人", "reviewer"),
    Role.SUPERVISOR: Label("监督部门", "supervisor"),
    Role.AUTHORITY: Label("行业主管部门", "industry regulator"),
    Role.CUSTODIAN: Label("密钥保管方", "custodian"),
    Role.AUDITOR: Label("审计", "auditor"),
    Role.EXPERT: Label("评审专家", "expert"),
    Role.CENTRE: Label("交易中心", "trading centre"),
    Role.ADMIN: Label("运维", "administrator"),
    Role.DESK: Label("服务台", "service desk"),
    Role.SYSTEM: Label("平台", "platform"),
}


def phase_label(phase: ProcedurePhase | LotPhase) -> Label:
    """Return the label of a phase of a procedure or of a lot."""
    return PROCEDURE_PHASES[phase] if isinstance(phase, ProcedurePhase) else LOT_PHASES[phase]
