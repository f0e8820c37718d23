"""Every step of a procedure is recorded under an article of the law it runs under, and under no other."""

from __future__ import annotations

import pytest

from trading.procedures.rules.grounds import _GROUNDS, ground
from trading.rulebook.keys import Regime


@pytest.mark.parametrize("kind", _GROUNDS)
def test_a_step_cites_the_law_of_its_procedure(kind: str) -> None:
    assert (ground(kind, "GP") or "").startswith("政府采购法")
    tendering = ground(kind, "TL")
    assert tendering is None or tendering.startswith("招标投标法")


def test_where_a_law_says_nothing_no_article_is_cited_and_an_unknown_step_is_a_bug() -> None:
    assert ground("contract.published", Regime.TL) is None
    assert ground("lot.failed", Regime.LAND) is None
    with pytest.raises(KeyError):
        ground("lot.sold", "GP")
