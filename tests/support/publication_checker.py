"""Judges what was published while processes were killed: publishable entries of the log against their publications.

What must be published follows from the records alone; that it was, from the records of publication, the rows of the
channels and what readers of the feed were given. Nothing is asked of errands or cursors.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import NullPool, create_engine

from trading.db import psycopg_url
from trading.embedded.postgres import SUPERUSER
from trading.notices.rules.channels import PUBLISHED_KINDS, Channel
from trading.up import Platform

LOST = "acknowledged and not in the log"
NOT_PUBLISHED = "publishable and not published"
PUBLISHED_TWICE = "published more than once in a channel"
PUBLISHED_UNASKED = "published and not publishable"
GAP = "the numbers of a channel have a gap"
OTHER_ROWS = "rows and records of publication differ"
OTHER_FEED = "a reader of the feed was given something else"

_RECORDS = "SELECT kind, procedure_id, record, h FROM log.audit_entry WHERE kind = ANY(%s) ORDER BY id"
_ROWS = "SELECT channel, number, entry_h FROM record.publication"

Effect = tuple[str, str]  # commitment of the entry in hex, channel


@dataclass
class Told:
    """What the platform says in the end: publishable entries, records and rows of their publications."""

    publishable: dict[str, str] = field(default_factory=dict)  # commitment to kind
    recorded: list[Effect] = field(default_factory=list)
    rows: list[Effect] = field(default_factory=list)
    numbers: dict[str, list[int]] = field(default_factory=dict)

    def wanted(self) -> set[Effect]:
        return {(h, channel.value) for h in self.publishable for channel in Channel}


def read(platform: Platform) -> Told:
    """Read records and rows of a platform as its superuser."""
    assert platform.postgres is not None
    engine = create_engine(psycopg_url(platform.postgres.url(SUPERUSER, "mingbiao")), poolclass=NullPool)
    kinds = [*PUBLISHED_KINDS, "notice.publication"]
    with engine.connect() as superuser:
        records = superuser.exec_driver_sql(_RECORDS, (kinds,)).all()
        rows = superuser.exec_driver_sql(_ROWS).all()
    told = Told()
    last_of_act: dict[object, tuple[str, str]] = {}
    for number, row in enumerate(records):
        body: dict[str, Any] = json.loads(row.record)["body"]
        if row.kind == "notice.publication":
            told.recorded.append((body["entry_h"], body["channel"]))
            continue
        act = (row.procedure_id, row.kind, body.get("notice_sha256", number))
        last_of_act[act] = (bytes(row.h).hex(), row.kind)
    told.publishable = dict(last_of_act.values())
    for row in rows:
        told.rows.append((bytes(row.entry_h).hex(), row.channel))
        told.numbers.setdefault(row.channel, []).append(row.number)
    return told


def check_effects(wanted: Collection[Effect], effects: Iterable[Effect]) -> Counter[str]:
    """Return what is wrong with the effects: each wanted one happens once, and no other."""
    found = Counter(effects)
    wrong: Counter[str] = Counter()
    wrong[NOT_PUBLISHED] = sum(effect not in found for effect in wanted)
    wrong[PUBLISHED_TWICE] = sum(count > 1 for count in found.values())
    wrong[PUBLISHED_UNASKED] = sum(effect not in wanted for effect in found)
    return +wrong


def check(told: Told, acknowledged: Iterable[str], feed: Iterable[str]) -> Counter[str]:
    """Return what is wrong once everything had time to be published.

    Args:
        told: What the platform says.
        acknowledged: Commitments of publishable acts whose commit was acknowledged.
        feed: Ids of releases in the order in which a reader with a cursor was given them.
    """
    wrong = check_effects(told.wanted(), told.recorded)
    wrong[LOST] += sum(h not in told.publishable for h in acknowledged)
    wrong[OTHER_ROWS] += Counter(told.rows) != Counter(told.recorded)
    wrong[GAP] += sum(sorted(each) != list(range(1, len(each) + 1)) for each in told.numbers.values())
    given = Counter(release.rpartition("-")[2] for release in feed)
    wrong[OTHER_FEED] += given != Counter(h[:16] for h in told.publishable)
    return +wrong
