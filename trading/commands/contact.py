"""``mingbiao contact``: the one process that may know who stands at an index (ED1 D1, architecture 8).

It walks the draws, mails the called, and tells everybody what was recorded about him. What it logs names nobody. Two of
it are harmless; it may die at any moment and goes on where the records stand.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import click
from sqlalchemy.exc import DBAPIError

from trading.assembly import REGISTRY
from trading.audit.ledger import Ledger
from trading.config import ConfigError, Settings
from trading.crypto.contact import ContactKey
from trading.db import open_engine
from trading.experts import queries
from trading.experts.service import continuing, naming, recusing, walking
from trading.experts.service.walking import Contact
from trading.kernel.errors import MingbiaoError, RuleBroken
from trading.messages.service.delivery import deliver
from trading.messages.service.senders import FolderSender, Sender, SmtpSender

INTERVAL_S: Final = 0.5
AWAY_S: Final = 2.0
_log: Final = logging.getLogger("mingbiao.contact")


@click.group("contact", invoke_without_command=True)
@click.pass_context
def contact(context: click.Context) -> None:
    """Run the contact service until stopped, or do one of the commands below."""
    if context.invoked_subcommand is None:
        raise SystemExit(_serve())


@contact.command("new-key")
@click.argument("file", type=click.Path(path_type=Path))
def new_key(file: Path) -> None:
    """Make the key of the contact service in FILE and print its public half, for the desk."""
    click.echo(ContactKey.create(file).public.hex())


@contact.command("show-key")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def show_key(file: Path) -> None:
    """Print the public half of a key."""
    click.echo(ContactKey.load(file).public.hex())


def _serve() -> int:
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(name)s %(levelname)s %(message)s")
    try:
        opened, sender = open_contact(Settings.from_env("contact"))
    except (ConfigError, MingbiaoError, OSError) as error:
        _log.critical("the contact service does not start: %s", error)
        return 1
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    while not stopped.wait(round_of_work(opened, sender)):
        pass
    return 0


def open_contact(settings: Settings) -> tuple[Contact, Sender]:
    """Return the service and its way to send mail.

    Raises:
        ConfigError: A setting is missing.
        InvalidInput: The key file is not one.
    """
    if settings.contact_key_file is None or settings.mail_url is None or settings.mail_from is None:
        raise ConfigError(["The contact service needs CONTACT_KEY_FILE, MAIL_URL and MAIL_FROM."])
    engine = open_engine(settings.database_url, pool_size=2, application="contact")
    service = Contact(
        ledger=Ledger(engine, registry=REGISTRY),
        key=ContactKey.load(settings.contact_key_file),
        public_url=(settings.public_url or "").rstrip("/"),
    )
    return service, sender_of(settings.mail_url, settings.mail_from)


def sender_of(url: str, sender: str) -> Sender:
    """Return the way that a ``MAIL_URL`` names."""
    if url.startswith("file:"):
        return FolderSender(folder=Path(unquote(urlsplit(url).path)), sender=sender)
    return SmtpSender(url=url, sender=sender)


def round_of_work(opened: Contact, sender: Sender) -> float:
    """Do what is due and return how long to wait, in seconds; what fails is tried again in the next round."""
    try:
        with opened.ledger.read() as conn:
            registered = queries.contact_public(conn)
        if registered != opened.key.public:
            _log.error("the key in hand is not the one that the desk registered; nothing is done")
            return AWAY_S
        walking.link_accounts(opened)
        recusing.recuse_bidders(opened)
        walking.work(opened)
        continuing.freeze_attempts(opened)
        naming.disclose_members(opened)
        deliver(opened.ledger, opened.key, sender)
    except RuleBroken as refused:
        if refused.code != "contact.no_key":  # before the desk has registered the key there is nothing to do
            _log.warning("refused: %s", refused.code)
        return AWAY_S
    except (MingbiaoError, DBAPIError) as error:
        _log.warning("a round ended early: %s", type(error).__name__)
        return AWAY_S
    return INTERVAL_S
