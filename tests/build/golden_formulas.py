"""Golden cases of the evaluation formulas: one TOML file a formula, which a lawyer can read, and what they mean."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from tests.build.tenders import NATIONAL
from trading.evaluation.rules.examination import Examined
from trading.evaluation.rules.ranking import OpenedBid, Ranking, RankingRules, rank
from trading.evaluation.rules.scoring import Sheet
from trading.kernel.money import Money
from trading.procedures.rules.criteria import Criterion, CriterionKind, Preference
from trading.procedures.rules.fields import Fields
from trading.procedures.rules.formula_terms import FormulaTerms, read_formula
from trading.procedures.rules.policies import Method, TieRule
from trading.rulebook.keys import Regime

FOLDER = Path(__file__).parents[1] / "rules" / "evaluation" / "golden"


@dataclass(frozen=True, kw_only=True)
class Golden:
    """One case: its file's method and regime, and what stands in the case itself."""

    name: str
    method: Method
    regime: Regime
    rule: str
    article: str
    case: dict[str, Any]

    @property
    def rules(self) -> RankingRules:
        ceiling, preference = self.case.get("ceiling"), self.case.get("preference")
        return RankingRules(
            lot="1",
            stage="all",
            currency="CNY",
            method=self.method,
            tie_rule=TieRule.PRICE_IDENTITY_LOTTERY,
            ceiling=None if ceiling is None else fen(ceiling),
            regime=self.regime,
            edition=NATIONAL,
            criteria=tuple(criterion(name, most) for name, most in self.case.get("criteria", {}).items()),
            preference=None if preference is None else Preference(**preference),
            terms=self.terms,
        )

    @property
    def formula(self) -> dict[str, Any] | None:
        """What the documents choose, as specifications and notices show it."""
        if "factor" in self.case:
            return {
                "factors": [{**each, "title_en": each["id"], "title_zh": each["id"]} for each in self.case["factor"]]
            }
        found: dict[str, Any] | None = self.case.get("formula")
        return found

    @property
    def terms(self) -> FormulaTerms | None:
        fields = Fields({"formula": self.formula})
        terms = read_formula(fields, self.method)
        fields.finish()
        return terms

    @property
    def bids(self) -> list[OpenedBid]:
        return [opened(each) for each in self.case["bid"]]

    @property
    def examined(self) -> dict[str, Examined]:
        return {
            each["name"]: Examined(exclusion=each.get("exclusion"), preference=each.get("granted"))
            for each in self.case["bid"]
        }

    @property
    def sheets(self) -> list[Sheet]:
        names = [name for name in self.case.get("criteria", {}) if name != "price"]
        if not self.method.scored:
            return []
        members = max((len(each[name]) for each in self.case["bid"] for name in names), default=1)
        return [
            Sheet(
                seat=f"m-{place}",
                points={
                    each["name"]: {name: Fraction(each[name][place]) for name in names} for each in self.case["bid"]
                },
            )
            for place in range(members)
        ]

    def ranking(self) -> Ranking:
        return rank(self.bids, self.rules, examined=self.examined, sheets=self.sheets)


def fen(yuan: str) -> int:
    return Money.parse(yuan, "CNY").minor


def criterion(name: str, most: str) -> Criterion:
    kind = CriterionKind.PRICE if name == "price" else CriterionKind.SUBJECTIVE
    texts = dict.fromkeys(("title_zh", "title_en", "text_zh", "text_en"), name)
    return Criterion(id=name, kind=kind, max=most, step="0.5", bands=(), **texts)


def opened(each: dict[str, Any]) -> OpenedBid:
    identity = f"AGE-SECRET-KEY-1{hashlib.sha256(each['name'].encode()).hexdigest().upper()}"
    return OpenedBid(
        bid=each["name"],
        bidder=f"ORG{each['name']}",
        currency="CNY",
        price=fen(each["quote"]),
        identity_price=identity,
        deviations={name: Fraction(units) for name, units in each.get("deviations", {}).items()},
    )


def cases() -> list[Golden]:
    found = []
    for path in sorted(FOLDER.glob("*.toml")):
        told = tomllib.loads(path.read_text())
        head = {name: told[name] for name in ("rule", "article")}
        for place, case in enumerate(told["case"], start=1):
            found.append(
                Golden(
                    name=f"{path.stem}-{place}",
                    method=Method(told["method"]),
                    regime=Regime(told["regime"]),
                    case=case,
                    **head,
                )
            )
    return found
