"""Open Contracting Data Standard 1.1.5 with the extensions bids, lots and bidOpening: values in, releases out.

A release is a picture of one procedure at one published entry, made from the records up to it and from nothing later:
made again, it is the same. Before an opening is complete nothing here knows of bids (NOT-36).
"""

from __future__ import annotations

from trading.notices.rules.ocds.case import Case, Fact, Named
from trading.notices.rules.ocds.merging import compiled
from trading.notices.rules.ocds.packages import record_package, release_package
from trading.notices.rules.ocds.release import release
from trading.notices.rules.ocds.terms import date_time, ocid, reference_of, release_id

__all__ = [
    "Case",
    "Fact",
    "Named",
    "compiled",
    "date_time",
    "ocid",
    "record_package",
    "reference_of",
    "release",
    "release_id",
    "release_package",
]
