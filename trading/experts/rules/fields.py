"""Readers that the documents of ED1 share."""

from __future__ import annotations

from typing import Final

from trading.bids.rules.fields import sealed_share
from trading.kernel import fields
from trading.kernel.fields import Reader

KEY_BYTES: Final = 32
SHARE_BYTES: Final = 33
MAX_CUSTODIANS: Final = 16

CONTRIBUTION: Final = "ed1.contribution"
POOL_KEY: Final = "ed1.pool-key"
EXCLUSION_KEY: Final = "ed1.exclusion-key"
#: Uses of a dealt secret (D6.1); the two keys of the centre are escrowed, never recovered in public.
ESCROWED: Final = (POOL_KEY, EXCLUSION_KEY)
#: Holder of the two escrows.
CENTRE: Final = "centre"

draw_id: Final[Reader] = fields.matching(r"[!-~]{1,40}")
stratum_id: Final[Reader] = fields.matching(r"[A-Z0-9_-]{1,24}")
expert_id: Final[Reader] = fields.matching(r"[A-Z0-9-]{1,32}")
unit_code: Final[Reader] = fields.matching(r"[A-Z0-9-]{0,32}")
party_id: Final[Reader] = fields.matching(r"[a-z0-9-]{1,32}")
reason_code: Final[Reader] = fields.matching(r"[a-z][a-z0-9_]{0,31}")
attempt_number: Final[Reader] = fields.integer(1)
#: Far above any register; a hostile spec must not keep a client or the verifier busy for years.
MAX_POOL: Final = 10_000_000
pool_index: Final[Reader] = fields.integer(0, MAX_POOL)
custodian_index: Final[Reader] = fields.integer(1, MAX_CUSTODIANS)
bytes32: Final[Reader] = fields.hex_of(KEY_BYTES)
share33: Final[Reader] = fields.hex_of(SHARE_BYTES)

__all__ = ["sealed_share"]
