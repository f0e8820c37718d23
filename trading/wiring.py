"""Explicit list of the pages and API resources of the web process. No discovery by magic (architecture 2).

What every process shares (kinds of records, errands, the runtime) is listed in ``trading.assembly``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flask import Blueprint

from trading.accounts.views import blueprint as account_pages
from trading.api.custodian import blueprint as custodian_api
from trading.api.feed import blueprint as feed
from trading.api.v1.bids import blueprint as bid_api
from trading.api.v1.ocds import blueprint as ocds_api
from trading.api.v1.openings import blueprint as opening_api
from trading.api.v1.openings import station_blueprint as station_api
from trading.api.v1.procedures import blueprint as procedure_api
from trading.api.v1.receipts import blueprint as receipt_api
from trading.api.v1.time import blueprint as time_api
from trading.audit.views import blueprint as log_pages
from trading.clarifications.views import blueprint as question_pages
from trading.disclosure.views import blueprint as bundle_pages
from trading.kernel.roles import Role
from trading.notices.hall import blueprint as hall_pages
from trading.notices.views import blueprint as notice_pages
from trading.openings.views import blueprint as ceremony_pages
from trading.participation.views import blueprint as bidder_pages
from trading.web.desks import Desk
from trading.web.health import blueprint as health
from trading.web.help import blueprint as help_pages

PAGES: Final[tuple[Blueprint, ...]] = (
    health,
    help_pages,
    log_pages,
    notice_pages,
    hall_pages,
    ceremony_pages,
    bundle_pages,
    account_pages,
    question_pages,
    bidder_pages,
)
API: Final[tuple[Blueprint, ...]] = (
    bid_api,
    custodian_api,
    feed,
    ocds_api,
    opening_api,
    procedure_api,
    receipt_api,
    station_api,
    time_api,
)
BLUEPRINTS: Final[tuple[Blueprint, ...]] = (*PAGES, *API)

# What the workspace offers to each role, in this order. Every package appends its own rows.
DESKS: Final[Mapping[Role, tuple[Desk, ...]]] = {
    Role.AGENCY: (),
    Role.REVIEWER: (),
    Role.BIDDER: (
        Desk(
            endpoint="bidder.tenders",
            title_zh="我的投标",
            title_en="My tenders",
            note_zh="关注项目、提问、填报价、密封提交，查看回执和结果。",
            note_en="Follow tenders, ask questions, fill the price form, seal and submit, see receipts and results.",
        ),
    ),
    Role.EXPERT: (),
    Role.CENTRE: (),
    Role.SUPERVISOR: (),
    Role.CUSTODIAN: (),
    Role.AUDITOR: (),
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
