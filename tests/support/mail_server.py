"""A real SMTP server on this machine, which keeps what it is given."""

from __future__ import annotations

import email
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass
class Inbox:
    """What the server has received; it can refuse the next mails, and files what it takes in a folder."""

    folder: Path | None = None
    received: list[Envelope] = field(default_factory=list)
    refuse: int = 0

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - its name
        if self.refuse:
            self.refuse -= 1
            return "451 try again later"
        self.received.append(envelope)
        if self.folder is not None:
            self.folder.mkdir(exist_ok=True)
            # Whole or not at all: somebody may be looking for mails.
            target = self.folder / f"{len(self.received)}.eml"
            target.with_suffix(".part").write_bytes(envelope.original_content or b"")
            target.with_suffix(".part").rename(target)
        return "250 OK"

    def messages(self) -> list[Message]:
        return [email.message_from_bytes(each.original_content or b"") for each in self.received]


@contextmanager
def mail_server(inbox: Inbox) -> Iterator[str]:
    """Serve on a free port of the loopback interface; yield the address for ``MAIL_URL``."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # the server would log whole mails; it is no part of it
    controller = Controller(inbox, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield f"smtp://127.0.0.1:{port}"
    finally:
        controller.stop()
