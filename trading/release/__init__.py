"""``mingbiao release``: roles, schemas, migrations, and the checks without which no process may start.

Run as the database's superuser. Idempotent; the same call opens a new database and brings an old one up to date.
"""

from trading.release.bootstrap import DEMO_LOCK, prepare_database, restrict_database
from trading.release.checking import faults
from trading.release.installing import migrate, release

__all__ = ["DEMO_LOCK", "faults", "migrate", "prepare_database", "release", "restrict_database"]
