"""The documents of a synthetic bidder's hidden lot: as small as those of any lot can be (TE1 T6, ADR 0054).

Nobody signs them and nobody is shown them: they are there because the way of a bid asks for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from trading.bids.rules.fields import SUITE
from trading.bids.rules.policy import MIN_THRESHOLD, POLICY, PRICE_BLOCK
from trading.bids.rules.schedule import SCHEDULE
from trading.kernel.digests import sha256_hex
from trading.kernel.encoding import b64u

LOT: Final = "1"
STAGE: Final = "all"
NEVER_MS: Final = 253_370_764_800_000  # the lot would close in the year 9999
_WINDOWS: Final = ("factor_window_ms", "objection_ms", "release_window_ms", "rescue_ms", "share_check_ms")
_MINUTE_MS: Final = 60_000
_TITLES: Final = {"title_en": "Availability probe", "title_zh": "可用性探测"}
_ITEM: Final = {"code": "A00", "name_en": "Probe", "name_zh": "探测", "quantity": "1", "unit": "次"}


def specification(organisation: str) -> dict[str, Any]:
    """Return the draft, in which one organisation is everybody."""
    lot = {
        **_TITLES,
        "ceiling": None,
        "currency": "CNY",
        "items": [_ITEM],
        "lot": LOT,
        "method": "lowest_evaluated_price",
        "tie_rule": "price_identity_lottery",
    }
    return {
        **_TITLES,
        **dict.fromkeys(("agency", "buyer", "supervisor"), organisation),
        "close": NEVER_MS,
        "jurisdiction": "cn",
        "kind": "open_tender_gp",
        "lots": [lot],
        "sealing": {"bidder_factor": True, "k": MIN_THRESHOLD, "n": MIN_THRESHOLD + 1, "price_bytes": PRICE_BLOCK},
        "supply_ends_at": None,
        "text_en": "The platform tries itself.",
        "text_zh": "平台自测。",
        "windows": dict.fromkeys(_WINDOWS, _MINUTE_MS),
    }


def policy(reference: str, keys: Sequence[bytes]) -> bytes:
    """Return the policy for share keys that nobody keeps, so that it says ``demo``."""
    custodians = [
        {"hpke_pk": b64u(key), "i": i, "kid": sha256_hex(key), "name": f"probe {i}", "role": "other"}
        for i, key in enumerate(keys, start=1)
    ]
    return POLICY.write(
        {
            "bidder_factor": True,
            "custodians": custodians,
            "demo": True,
            "k": MIN_THRESHOLD,
            "lot": LOT,
            "parts": ["price"],
            "price_bytes": PRICE_BLOCK,
            "stage": STAGE,
            "suite": SUITE,
            "supersedes": None,
            "tender": reference,
        }
    )


def schedule(reference: str) -> bytes:
    """Return a schedule whose deadline never comes; nothing rings for it."""
    return SCHEDULE.write(
        {
            **dict.fromkeys(_WINDOWS, _MINUTE_MS),
            "cause": None,
            "close": NEVER_MS,
            "evidence": [],
            "extension_rule": None,
            "intake": None,
            "lot": LOT,
            "seq": 1,
            "stage": STAGE,
            "supersedes": None,
            "tender": reference,
        }
    )
