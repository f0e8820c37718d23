"""Ways a mail leaves: through an SMTP server, or into a folder where a demonstration shows it."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

from typing_extensions import override

from trading.messages.rules.mail import Mail

_TIMEOUT_S: Final = 20
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class Sender(Protocol):
    """Delivers one mail, or raises ``OSError`` (``smtplib`` errors are of that kind)."""

    def send(self, mail_id: int, mail: Mail) -> None:
        """Deliver under a stable id; the same id again is the same mail."""


def _message(mail_id: int, mail: Mail, sender: str) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = sender, mail.to, mail.subject
    message["Message-ID"] = f"<m{mail_id}@{sender.rpartition('@')[2]}>"
    # No header says which program, host or list this is: the same for every mail of the platform.
    message.set_content(mail.text, charset="utf-8", cte="base64")
    return message


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpSender:
    """An SMTP server: ``smtp://[user:password@]host[:port]`` with STARTTLS, or ``smtps://`` with TLS at once.

    A server on this machine is spoken to in clear; any other one must prove its certificate.
    """

    url: str
    sender: str

    @override
    def __repr__(self) -> str:
        """Show no password."""
        return f"SmtpSender(sender={self.sender!r})"

    def send(self, mail_id: int, mail: Mail) -> None:
        """Deliver through the server."""
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        with self._connected(parts.scheme, host, parts.port) as server:
            if parts.scheme == "smtp" and host not in _LOOPBACK:
                server.starttls(context=ssl.create_default_context())
            if parts.username:
                server.login(unquote(parts.username), unquote(parts.password or ""))
            server.send_message(_message(mail_id, mail, self.sender))

    @staticmethod
    def _connected(scheme: str, host: str, port: int | None) -> smtplib.SMTP:
        if scheme == "smtps":
            return smtplib.SMTP_SSL(host, port or 465, timeout=_TIMEOUT_S, context=ssl.create_default_context())
        return smtplib.SMTP(host, port or 25, timeout=_TIMEOUT_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderSender:
    """Files ``<id>.eml`` in a folder that only its owner can read; for demonstrations without a mail server (P13)."""

    folder: Path
    sender: str

    def send(self, mail_id: int, mail: Mail) -> None:
        """Write the mail whole or not at all; the same id again replaces the same file."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self.folder / f".{mail_id}.new"
        fresh.write_bytes(bytes(_message(mail_id, mail, self.sender)))
        fresh.chmod(0o600)
        fresh.replace(self.folder / f"{mail_id}.eml")
