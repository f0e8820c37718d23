"""Mail leaves through a real SMTP server, once a row, and is read by nobody on the way (messages, ED1 D10)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

import pytest

from tests.support.made_committee import CommitteeMaker
from tests.support.mail_server import Inbox, mail_server
from tests.support.market import Market
from trading.audit.service import platform_ms
from trading.commands.contact import round_of_work, sender_of
from trading.config import ConfigError, Settings
from trading.crypto.contact import ContactKey
from trading.kernel.errors import InvalidInput
from trading.messages.rules.calls import Meeting, call_mail, seat_mail, told_mail
from trading.messages.rules.mail import Mail
from trading.messages.service import outbox
from trading.messages.service.delivery import deliver
from trading.messages.service.senders import FolderSender, SmtpSender

SENDER = "no-reply@mingbiao.example"


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def smtp(inbox: Inbox) -> Iterator[str]:
    with mail_server(inbox) as url:
        yield url


def post(maker: CommitteeMaker, mail: Mail) -> int:
    with maker.contact_ledger.upkeep() as conn:
        return outbox.put(conn, maker.contact.key.public, "call", mail, platform_ms(conn))


def text_of(message: Message) -> str:
    payload = message.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()


def test_a_whole_call_goes_through_smtp(market: Market, maker: CommitteeMaker, smtp: str, inbox: Inbox) -> None:
    maker.admit(24)
    maker.plan(market.tender)
    maker.seeded(market.tender)
    maker.postbox.mails.clear()
    sender = sender_of(smtp, SENDER)
    maker.contact._pools.clear()
    with maker.contact_ledger.upkeep() as conn:
        conn.exec_driver_sql("UPDATE desk.contact_mail SET due_at = 0")
    round_of_work(maker.contact, sender)
    calls = [message for message in inbox.messages() if "席位码" not in text_of(message)]
    assert {str(message["To"]) for message in calls} <= {each.mail for each in maker.people.values()}
    for message in calls:
        assert message["From"] == SENDER
        assert {name.lower() for name in message.keys()} <= {  # noqa: SIM118 - a message is no mapping
            *("from", "to", "subject", "message-id", "content-type", "content-transfer-encoding", "mime-version"),
            *("x-peer", "x-mailfrom", "x-rcptto"),
        }
        assert market.tender not in text_of(message)


def test_each_row_leaves_once_and_a_refused_one_later(
    market: Market, maker: CommitteeMaker, smtp: str, inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="mingbiao.contact")
    mail = Mail(to="planted-a@example.org", subject="评审邀请", text="时间和地点")
    mail_id = post(maker, mail)
    sender = SmtpSender(url=smtp, sender=SENDER)
    inbox.refuse = 1
    assert deliver(maker.contact_ledger, maker.contact.key, sender) == 0
    assert "planted-a" not in caplog.text
    assert deliver(maker.contact_ledger, maker.contact.key, sender) == 0  # not due yet
    market.advance_to(market.now() + 3_000)
    assert deliver(maker.contact_ledger, maker.contact.key, sender) == 1
    assert deliver(maker.contact_ledger, maker.contact.key, sender) == 0
    (message,) = inbox.messages()
    assert message["Message-ID"] == f"<m{mail_id}@mingbiao.example>"
    assert text_of(message).strip() == "时间和地点"
    with market.database.connect() as owner:
        assert bytes(owner.exec_driver_sql("SELECT sealed FROM desk.contact_mail").scalar_one()) == b""


def test_only_the_contact_service_opens_the_outbox(market: Market, maker: CommitteeMaker) -> None:
    post(maker, Mail(to="planted-a@example.org", subject="s", text="planted words"))
    with market.database.connect() as owner:
        sealed = bytes(owner.exec_driver_sql("SELECT sealed FROM desk.contact_mail").scalar_one())
    assert b"planted" not in sealed
    with maker.contact_ledger.upkeep() as conn:
        (waiting,) = outbox.due(conn, platform_ms(conn))
    assert outbox.opened(maker.contact.key, waiting).text == "planted words"
    with pytest.raises(InvalidInput):
        outbox.opened(ContactKey.from_seed(bytes(32)), waiting)


def test_without_a_server_mails_are_files_of_their_owner(tmp_path: Path) -> None:
    folder = FolderSender(folder=tmp_path / "mail", sender=SENDER)
    for _ in range(2):
        folder.send(7, Mail(to="a@example.org", subject="s", text="t"))
    (file,) = (tmp_path / "mail").iterdir()
    assert (file.name, file.stat().st_mode & 0o777) == ("7.eml", 0o600)


def test_mails_speak_both_languages_and_name_no_project() -> None:
    meeting = Meeting(
        at=1_778_551_200_000, place_zh="三号评标室", place_en="Room 3", specialty_zh="家具", specialty_en="Furniture"
    )
    mails = (
        call_mail("a@example.org", meeting, "http://localhost/draws/call/CODE", 1_778_551_800_000),
        seat_mail("a@example.org", meeting, "CODE"),
        told_mail("a@example.org", "REFUSED", 1_778_551_200_000, "http://localhost/draws/contest/code"),
    )
    for mail in mails:
        assert "2026-05-12 10:00 (UTC+08:00)" in mail.text
        assert "----------" in mail.text
        assert "a@example.org" not in repr(mail)
    assert "http://localhost/draws/call/CODE" in mails[0].text
    assert "Furniture" in mails[0].text


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("MAIL_URL", "file:///tmp/mail", "only a demonstration"),
        ("MAIL_URL", "http://mail.example", "smtp://"),
        ("MAIL_URL", "smtp://u:short@mail.example", "16 characters"),
        ("MAIL_FROM", "nobody", "one mail address"),
        ("DATABASE_URL", "postgresql://trading_web@localhost/m", "trading_contact"),
        ("LOG_KEY_FILE", "/k", "must not hold it"),
        ("SECRET_KEY_FILE", "/k", "must not hold it"),
        ("ACK_KEY_FILE", "/k", "must not hold it"),
    ],
)
def test_the_contact_service_refuses_surplus_and_weak_settings(
    tmp_path: Path, name: str, value: str, reason: str
) -> None:
    ContactKey.create(tmp_path / "contact.key")
    real = {
        "DATA_DIR": str(tmp_path / "data"),
        "DATABASE_URL": "postgresql://trading_contact@localhost/mingbiao",
        "LOG_ORIGIN": "log.example/audit",
        "CONTACT_KEY_FILE": str(tmp_path / "contact.key"),
        "MAIL_URL": "smtps://mingbiao:abcdefghijklmnop@mail.example",
        "MAIL_FROM": SENDER,
        "PUBLIC_URL": "https://ggzy.example",
    }
    assert Settings.from_env("contact", real).mail_from == SENDER
    with pytest.raises(ConfigError) as refused:
        Settings.from_env("contact", real | {name: value})
    assert reason in str(refused.value)
