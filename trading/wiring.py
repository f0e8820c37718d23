"""Explicit list of the pages and API resources of the web process. No discovery by magic (architecture 2).

What every process shares (kinds of records, errands, the runtime) is listed in ``trading.assembly``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flask import Blueprint

from trading.accounts.views import blueprint as account_pages
from trading.agency.views import blueprint as agency_pages
from trading.api.custodian import blueprint as custodian_api
from trading.api.draws import blueprint as draw_api
from trading.api.feed import blueprint as feed
from trading.api.v1.availability import blueprint as availability_api
from trading.api.v1.bids import blueprint as bid_api
from trading.api.v1.bulk import blueprint as bulk_api
from trading.api.v1.ocds import blueprint as ocds_api
from trading.api.v1.openings import blueprint as opening_api
from trading.api.v1.openings import station_blueprint as station_api
from trading.api.v1.procedures import blueprint as procedure_api
from trading.api.v1.receipts import blueprint as receipt_api
from trading.api.v1.records import blueprint as record_api
from trading.api.v1.time import blueprint as time_api
from trading.api.v1.uploads import blueprint as upload_api
from trading.audit.views import blueprint as log_pages
from trading.clarifications.views import blueprint as question_pages
from trading.contracts.views import blueprint as contract_pages
from trading.disclosure.auditor import blueprint as auditor_pages
from trading.disclosure.explorer import blueprint as explorer_pages
from trading.disclosure.views import blueprint as bundle_pages
from trading.disclosure.views.annual import blueprint as annual_pages
from trading.disclosure.views.office import blueprint as office_pages
from trading.disclosure.views.requests import blueprint as request_pages
from trading.evaluation.views import blueprint as evaluation_pages
from trading.experts.views.desk import blueprint as draw_pages
from trading.experts.views.people import blueprint as call_pages
from trading.experts.views.proof import blueprint as draw_proofs
from trading.history.views import blueprint as history_pages
from trading.kernel.roles import Role
from trading.notices.hall import blueprint as hall_pages
from trading.notices.views import blueprint as notice_pages
from trading.opendata.views import blueprint as bulk_pages
from trading.openings.views.ceremony import blueprint as ceremony_pages
from trading.openings.views.custodian import blueprint as custodian_pages
from trading.participation.views import blueprint as bidder_pages
from trading.pool.views import applicant_pages, appraisal_pages, authority_pages, keeper_pages
from trading.statistics.views import blueprint as statistics_pages
from trading.supervision.oversight import blueprint as oversight_pages
from trading.supervision.views import blueprint as watch_pages
from trading.web.desks import Desk
from trading.web.health import blueprint as health
from trading.web.help import blueprint as help_pages

PAGES: Final[tuple[Blueprint, ...]] = (
    health,
    help_pages,
    log_pages,
    explorer_pages,
    notice_pages,
    hall_pages,
    bulk_pages,
    statistics_pages,
    history_pages,
    ceremony_pages,
    custodian_pages,
    watch_pages,
    oversight_pages,
    draw_pages,
    call_pages,
    draw_proofs,
    applicant_pages,
    appraisal_pages,
    authority_pages,
    keeper_pages,
    bundle_pages,
    request_pages,
    office_pages,
    annual_pages,
    auditor_pages,
    account_pages,
    question_pages,
    bidder_pages,
    agency_pages,
    contract_pages,
    evaluation_pages,
)
API: Final[tuple[Blueprint, ...]] = (
    availability_api,
    bid_api,
    bulk_api,
    upload_api,
    custodian_api,
    draw_api,
    feed,
    ocds_api,
    opening_api,
    procedure_api,
    receipt_api,
    record_api,
    station_api,
    time_api,
)
BLUEPRINTS: Final[tuple[Blueprint, ...]] = (*PAGES, *API)

_AGENCY: Final = Desk(
    endpoint="agency.index",
    title_zh="采购项目",
    title_en="Procedures",
    note_zh="编制、复核、发布、更正、定标、合同，以及下一步和法定期限。",
    note_en="Draft, review, publish, correct, award, contract; what comes next and until when.",
)

_CEREMONIES: Final = Desk(
    endpoint="ceremony.index",
    title_zh="主持开标",
    title_en="Openings to conduct",
    note_zh="签署开标令、确认开启名单和开标笔录，处理异议。",
    note_en="Sign opening orders, lists and transcripts; decide objections.",
)

_EVALUATIONS: Final = Desk(
    endpoint="evaluation.overview",
    title_zh="评审",
    title_en="Evaluations",
    note_zh="资格审查、评审进度；评委审查、评分、签署评标报告。",
    note_en="Examine qualifications and follow the sitting; members vote, score and sign the report.",
)

_DRAWS: Final = Desk(
    endpoint="draws.index",
    title_zh="抽取评审专家",
    title_en="Draws of experts",
    note_zh="待抽取的评标委员会、抽取进度、待签署的文件；不显示任何姓名。",
    note_en="Committees to be drawn, progress of draws, documents to sign; no name is shown.",
)

_SEATS: Final = Desk(
    endpoint="calls.mine",
    title_zh="我的评审席位",
    title_en="My seats",
    note_zh="用席位码签到，作回避声明。",
    note_en="Sign in with the seat code, declare your interests.",
)

_ACCESSES: Final = Desk(
    endpoint="oversight.looked",
    title_zh="谁看过什么",
    title_en="Who looked at what",
    note_zh="每次查阅不公开内容都有记录，可按账号、单位、内容筛选。",
    note_en="Every look at what is not public, by account, organisation and content.",
)

_HEALTH: Final = Desk(
    endpoint="oversight.health",
    title_zh="日志运行状况",
    title_en="Health of the log",
    note_zh="见证方、等待队列、公开头、时钟、时间戳。",
    note_en="Witnesses, queue, public head, clocks, time stamps.",
)

_AVAILABILITY: Final = Desk(
    endpoint="oversight.availability",
    title_zh="可用性",
    title_en="Availability",
    note_zh="平台自测的结果，最近一天的故障。",
    note_en="How the platform's synthetic bidders are served; outages of the last day.",
)

_DOSSIER: Final = Desk(
    endpoint="dossier.mine",
    title_zh="我的专家档案",
    title_en="My file in the pool",
    note_zh="申请入库，查看资格、聘期和信用记录，更新联系方式和回避信息。",
    note_en="Apply to the pool; see standing, term and credit; change how you are reached and what you recuse from.",
)

_STAFF: Final = Desk(
    endpoint="dossier.staff",
    title_zh="推荐评审专家",
    title_en="Recommend experts",
    note_zh="推荐本单位人员入库，或代为申请。",
    note_en="Recommend members of your staff for the pool, or apply for them.",
)

# What the workspace offers to each role, in this order. Every package appends its own rows.
DESKS: Final[Mapping[Role, tuple[Desk, ...]]] = {
    Role.AGENCY: (
        _AGENCY,
        _CEREMONIES,
        _EVALUATIONS,
        _STAFF,
    ),
    Role.REVIEWER: (
        _AGENCY,
        _CEREMONIES,
    ),
    Role.BIDDER: (
        Desk(
            endpoint="bidder.tenders",
            title_zh="我的投标",
            title_en="My tenders",
            note_zh="关注项目、提问、填报价、密封提交，查看回执和结果。",
            note_en="Follow tenders, ask questions, fill the price form, seal and submit, see receipts and results.",
        ),
        Desk(
            endpoint="bidder.practice",
            title_zh="模拟投标",
            title_en="Practise bidding",
            note_zh="在不产生任何后果的模拟项目中走完整个流程，几分钟即可看到开标。",
            note_en="Go the whole way in a tender of which nothing comes, and see its opening within minutes.",
        ),
        Desk(
            endpoint="contracts.index",
            title_zh="我的合同",
            title_en="My contracts",
            note_zh="中标后待签署的合同，以及已签合同。",
            note_en="Contracts that wait for your signature after an award, and those you signed.",
        ),
        _STAFF,
    ),
    Role.EXPERT: (_SEATS, _EVALUATIONS, _DOSSIER),
    Role.CENTRE: (
        _DRAWS,
        Desk(
            endpoint="upkeep.index",
            title_zh="专家库维护",
            title_en="Upkeep of the pool",
            note_zh="按编号查看，登记培训，批量导入申请，维护专业分类；不显示任何姓名。",
            note_en="Files by number, trainings, imports, the specialty tree; no name is shown.",
        ),
        Desk(
            endpoint="openness.index",
            title_zh="信息公开",
            title_en="Disclosure",
            note_zh="登记、确认、答复公开申请，登记公报刊登和复议诉讼，申报历史年度数据。",
            note_en="Register, confirm and answer requests; note gazette prints, reviews and lawsuits; earlier years.",
        ),
        _HEALTH,
        _AVAILABILITY,
    ),
    Role.AUTHORITY: (
        Desk(
            endpoint="standing.inbox",
            title_zh="专家资格管理",
            title_en="Standing of experts",
            note_zh="审核入库申请，暂停、恢复、退库，处理处罚；每次查阅都有记录。",
            note_en="Decide applications, suspend, resume, remove, discipline; each look is recorded.",
        ),
    ),
    Role.SUPERVISOR: (
        Desk(
            endpoint="supervision.index",
            title_zh="监督",
            title_en="Supervision",
            note_zh="法定期限红黄绿灯，待签署的文件，实时日志。",
            note_en="Lamps of legal time limits, papers to sign, the log as it grows.",
        ),
        _CEREMONIES,
        _DRAWS,
        _ACCESSES,
        _AVAILABILITY,
    ),
    Role.CUSTODIAN: (
        Desk(
            endpoint="custody.index",
            title_zh="保管代理程序",
            title_en="Your custodian agent",
            note_zh="代理程序做了什么、还有什么在等，密钥与核对情况。",
            note_en="What your agent did and what waits; keys and checks.",
        ),
    ),
    Role.AUDITOR: (
        Desk(
            endpoint="auditor.index",
            title_zh="审计",
            title_en="Audit",
            note_zh="下载证据包，逐条查日志，全量验证，查阅记录。",
            note_en="Bundles, the log entry by entry, the full verification, who looked at what.",
        ),
    ),
    Role.DESK: (
        Desk(
            endpoint="accounts.desk_requests",
            title_zh="待办申请",
            title_en="Requests",
            note_zh="单位注册、新账号、重置和签名密钥：两名不同的工作人员批准。",
            note_en="Registrations, new accounts, resets and signing keys: two different people approve.",
        ),
        Desk(
            endpoint="accounts.desk_accounts",
            title_zh="账号",
            title_en="Accounts",
            note_zh="查找账号，终止岗位，发起重置。服务台看不到、也不设置任何密码。",
            note_en="Find accounts, take roles away, start a reset. Nobody here sees or sets a password.",
        ),
    ),
    Role.ADMIN: (
        Desk(
            endpoint="accounts.desk_accounts",
            title_zh="账号",
            title_en="Accounts",
            note_zh="查找账号，终止岗位和登录，发起重置。看不到、也不设置任何密码。",
            note_en="Find accounts, end roles and sessions, start a reset. No password is seen or set.",
        ),
    ),
}
