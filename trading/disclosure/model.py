"""Disclosure on application and the annual table as recorded events. No record carries who asked or what for."""

from __future__ import annotations

from typing import Final

from trading.kernel.events import Event, EventKind
from trading.kernel.ids import random_name
from trading.kernel.roles import Actor

ARTICLE: Final = "政府信息公开条例 29–42"
REPORT: Final = "政府信息公开条例 49–50"

_kind: Final = EventKind.named

EVENTS: Final[tuple[EventKind, ...]] = (
    _kind("disclosure.asked", "channel commit number", "网上提交公开申请", "Disclosure asked for online"),
    _kind(
        "disclosure.received",
        "number received_on",
        "收到公开申请",
        "Disclosure request received",
        optional="channel commit",
    ),
    _kind("disclosure.extended", "number reason", "延长答复期限", "Time to reply extended"),
    _kind("disclosure.replied", "fee_waived ground number outcome reason", "答复公开申请", "Request replied to"),
    _kind("disclosure.contested", "noted_on number route", "登记复议、诉讼、举报", "Review, lawsuit or appeal noted"),
    _kind("gazette.printed", "document issue printed_on", "登记公报刊登", "Print in the gazette noted"),
    _kind(
        "annual.declared",
        "cumulative of_year reason source year",
        "申报历史年度数据",
        "Table of an earlier year declared",
    ),
)


def new_number(year: int) -> str:
    """Return a random number of a request, which counts nothing and names nobody."""
    return f"D-{year}-{random_name(10).upper()}"


def applicant(number: str) -> Actor:
    """Return the name under which a citizen's act is recorded: nobody's account."""
    return Actor(account=f"applicant:{number}")


def of_request(kind: str, number: str, **body: object) -> Event:
    """Return an event of one request."""
    return Event(kind=kind, subject=f"request:{number}", body={"number": number, **body}, article=ARTICLE)


def of_report(kind: str, subject: str, **body: object) -> Event:
    """Return an event that only the annual table counts."""
    return Event(kind=kind, subject=subject, body=body, article=REPORT)


def contested(route: str, number: str | None, noted_on: str) -> Event:
    """Return ``disclosure.contested``; an appeal may be about no request."""
    subject = "register:appeals" if number is None else f"request:{number}"
    return of_report("disclosure.contested", subject, noted_on=noted_on, number=number, route=route)
