"""What experts are told by mail: a call, a seat, and what was recorded about them (ED1 D10, security 12)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from trading.kernel.calendar import CHINA
from trading.messages.rules.mail import Mail

_STATES: Final = {
    "CALLED": ("已向你发出评审邀请", "you were called"),
    "SELECTED": ("你接受了邀请", "you accepted"),
    "REFUSED": ("你不能参加", "you declined"),
    "RECUSED": ("你声明回避", "you declared a conflict of interest"),
    "UNREACHABLE": ("在规定时间内没有收到你的答复", "no answer arrived in time"),
    "REPLACED": ("你已退出，由他人补抽", "you left and were replaced"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """When and where; ``at`` in ms. ``specialty`` is all that is said about the work."""

    at: int
    place_zh: str
    place_en: str
    specialty_zh: str
    specialty_en: str


def call_mail(to: str, meeting: Meeting, link: str, ends_at: int) -> Mail:
    """Return the mail that asks an expert to come: time, place, specialty and a one-time link."""
    zh = (
        f"你被随机抽取参加一次评审。\n时间：{_moment(meeting.at)}\n地点：{meeting.place_zh}\n"
        f"专业：{meeting.specialty_zh}\n\n请在 {_moment(ends_at)} 之前打开下面的链接，选择参加或者不能参加：\n{link}\n"
        "链接只对你有效，不要转发。项目名称到现场才会告知。"
    )
    en = (
        f"You were drawn by lot for an evaluation.\nTime: {_moment(meeting.at)}\nPlace: {meeting.place_en}\n"
        f"Specialty: {meeting.specialty_en}\n\nOpen this link before {_moment(ends_at)}"
        f" and accept or decline:\n{link}\n"
        "The link is yours alone; do not pass it on. You learn the project when you arrive."
    )
    return _mail(to, "评审邀请 / Call to an evaluation", zh, en)


def seat_mail(to: str, meeting: Meeting, code: str) -> Mail:
    """Return the mail that brings the seat code after an acceptance."""
    zh = (
        f"你已接受邀请。\n时间：{_moment(meeting.at)}\n地点：{meeting.place_zh}\n席位码：{code}\n"
        "到场后用自己的账号登录，输入席位码签到。席位码只能使用一次。"
    )
    en = (
        f"You accepted the call.\nTime: {_moment(meeting.at)}\nPlace: {meeting.place_en}\nSeat code: {code}\n"
        "On arrival sign in with your own account and enter the seat code. It can be used once."
    )
    return _mail(to, "席位码 / Seat code", zh, en)


def told_mail(to: str, state: str, recorded_at: int, link: str) -> Mail:
    """Return the supervisor's notice of what was recorded about an expert, with the link for contesting it."""
    said_zh, said_en = _STATES[state]
    zh = (
        f"监督部门通知：{_moment(recorded_at)} 的抽取记录写明——{said_zh}。\n"
        f"如果这与事实不符，请在本工作日内打开下面的链接提出异议，由监督部门决定：\n{link}\n"
        "链接只对你有效，不要转发。"
    )
    en = (
        f"Notice of the supervisor: the record of {_moment(recorded_at)} says that {said_en}.\n"
        f"If that is not so, contest it within this working day; the supervisor decides:\n{link}\n"
        "The link is yours alone; do not pass it on."
    )
    return _mail(to, "监督通知 / Notice of the supervisor", zh, en)


def _mail(to: str, subject: str, zh: str, en: str) -> Mail:
    return Mail(to=to, subject=subject, text=f"{zh}\n\n----------\n\n{en}\n")


def _moment(ms: int) -> str:
    local = datetime.fromtimestamp(ms // 1000, UTC).astimezone(CHINA)
    return f"{local:%Y-%m-%d %H:%M} (UTC+08:00)"
