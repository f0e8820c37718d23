"""The exact commands of the bidder's client for one lot, ready to copy; every word is quoted for a shell."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Final

from trading.kernel.ids import PRACTICE, is_practice

#: File name of the trust file of practice tenders; the one of the supervisor is never to be overwritten by it.
PRACTICE_TRUST: Final = f"{PRACTICE}trust.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What the commands need to know: address of the platform, tender, lot, stage and the organisation's code."""

    api: str
    tender: str
    lot: str
    stage: str
    organisation: str

    @property
    def folder(self) -> str:
        """Return the directory that carries the bid from one command to the next."""
        return f"{self.tender}-{self.lot}"


def commands(case: Case) -> dict[str, str]:
    """Return the command line of each step by its name.

    File names are suggestions: the token of the account page, the trust file of the supervisor, the bidder's key.
    """
    given = ("--api", case.api, "--tender", case.tender, "--lot", case.lot, "--stage", case.stage)
    trust = PRACTICE_TRUST if is_practice(case.tender) else "trust.json"
    who = ("--org", case.organisation, "--token-file", "token.txt", "--trust", trust)
    steps = {
        "start": (*given, *who),
        "rehearse": ("--key", "bidder.key", "--token-file", "token.txt"),
        "seal": ("--key", "bidder.key", "--price-file", price_file(case), "--folder", "documents"),
        "submit": ("--token-file", "token.txt"),
        "hand-over": ("--key", "bidder.key"),
        "status": ("--token-file", "token.txt"),
        "withdraw": ("--key", "bidder.key", "--token-file", "token.txt"),
        "reveal": ("--token-file", "token.txt"),
        "rescue": ("--token-file", "token.txt"),
        "check": (),
    }
    found = {name: _line("bid", name, "--dir", case.folder, *words) for name, words in steps.items()}
    template = f"{case.folder}.template.json"
    found["price"] = _line("bid", "price", "--template", template, "--delivery-days", "30", "--out", price_file(case))
    return found


def price_file(case: Case) -> str:
    """Return the name under which the price form saves its file."""
    return f"{case.folder}.price.json"


def _line(*words: str) -> str:
    return shlex.join(("mingbiao", *words))
