"""Delivering the outbox. Every row may be tried twice: a crash between the server's answer and the note repeats it."""

from __future__ import annotations

import logging
from typing import Final

from trading.audit.errands import platform_ms
from trading.audit.ledger import Ledger
from trading.crypto.contact import ContactKey
from trading.kernel.errors import MingbiaoError
from trading.messages.service import outbox
from trading.messages.service.senders import Sender

_log: Final = logging.getLogger("mingbiao.contact")


def deliver(ledger: Ledger, key: ContactKey, sender: Sender) -> int:
    """Send what is due and return how many mails left; a failure is noted and tried again later.

    What is logged names neither address nor content.
    """
    with ledger.upkeep() as conn:
        waiting = outbox.due(conn, platform_ms(conn))
    count = 0
    for each in waiting:
        try:
            sender.send(each.id, outbox.opened(key, each))
        except (OSError, MingbiaoError) as error:
            _log.warning("mail %s was not delivered: %s", each.id, type(error).__name__)
            with ledger.upkeep() as conn:
                outbox.failed(conn, each, platform_ms(conn), type(error).__name__)
            continue
        with ledger.upkeep() as conn:
            outbox.sent(conn, each.id, platform_ms(conn))
        count += 1
    return count
