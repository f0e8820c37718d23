"""``mingbiao release``: roles, schemas, migrations, and the checks without which no process may start.

Run as the database's superuser, or, once roles and schemas exist, as a member of ``trading_owner``. Idempotent: the
same call opens a new database and brings an old one up to date.
"""

from trading.release.bootstrap import DEMO_LOCK, prepare_database, restrict_database
from trading.release.checking import faults
from trading.release.installing import migrate, release

__all__ = ["DEMO_LOCK", "faults", "migrate", "prepare_database", "release", "restrict_database"]
