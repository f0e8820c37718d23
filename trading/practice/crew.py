"""One round of everybody who plays in practice tenders but the bidder; any may run twice and stop anywhere."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from typing_extensions import override

from agents.custodian.desk import Automatic
from agents.custodian.polling import Server
from agents.http import require_base
from trading.accounts import service as accounts
from trading.audit.runtime import Runtime
from trading.audit.service import platform_ms
from trading.custody.rules.jobs import JobKind
from trading.kernel.errors import MingbiaoError
from trading.kernel.roles import Actor
from trading.participation import practising
from trading.participation.queries import practice as queries
from trading.participation.rules.practice import AGENCY, SUPERVISOR
from trading.practice.conducting import Station, Tokens
from trading.practice.parties import open_agents
from trading.practice.preparing import prepare

_LOG: Final = logging.getLogger("mingbiao.practice")
_DAY_MS: Final = 86_400_000
_FRESH_MS: Final = _DAY_MS // 2
_SCOPES: Final = ("write:openings",)


class _Unattended(Automatic):
    """No person stands behind a practice custodian. A disclosure needs an auditor's key, which nobody here has."""

    @override
    def answers(self, kind: JobKind) -> bool:
        return kind is not JobKind.DISCLOSE


@dataclass(slots=True, kw_only=True)
class Crew:
    """The players of one platform; ``folder`` is what ``set_up`` has made, ``url`` the platform's public address."""

    runtime: Runtime
    folder: Path
    url: str
    _servers: Sequence[Server] = ()
    _tokens: tuple[int, Tokens] | None = None
    _told: dict[str, str] = field(default_factory=dict)

    def round(self) -> int:
        """Prepare what was asked for, answer the custodians' jobs, go on with every opening; return how many it saw."""
        with self.runtime.ledger.read() as conn:
            now = platform_ms(conn)
            found = queries.to_conduct(conn, now)
        station = self._station(now)
        station.forget(frozenset(reference for reference, _phase in found))
        if not found:
            return 0
        actor = self._agency()
        for reference, phase in found:
            if phase == "draft":
                self._attempt(reference, partial(prepare, self.runtime, self.folder, actor, reference))
        for server in self._custodians():
            self._attempt(server.agent.name, server.round)
        for reference, phase in found:
            if phase in {"closed", "opening"}:
                self._attempt(reference, partial(station.conduct, reference))
        return len(found)

    def _attempt(self, whose: str, act: Callable[[], object]) -> None:
        """Do one thing; what cannot be done yet a later round does, and what goes wrong there stops nobody else."""
        try:
            act()
        except MingbiaoError as error:
            if self._told.get(whose) != error.code:
                _LOG.info("%s: %s", whose, error)
            self._told[whose] = error.code
        else:
            self._told.pop(whose, None)

    def _agency(self) -> Actor:
        with self.runtime.ledger.upkeep() as conn:
            return accounts.actor_of(conn, AGENCY.login)

    def _custodians(self) -> Sequence[Server]:
        if not self._servers:
            base, automatic = require_base(self.url), _Unattended()
            agents = open_agents(self.runtime, self.folder)
            self._servers = [Server(agent=each, base=base, automatic=automatic, say=_LOG.debug) for each in agents]
        return self._servers

    def _station(self, now: int) -> Station:
        return Station(
            folder=self.folder,
            url=require_base(self.url),
            trust=partial(practising.trust, self.runtime, now),
            tokens=self._fresh_tokens(now),
        )

    def _fresh_tokens(self, now: int) -> Tokens:
        """Return access tokens of the two who sign; they live for a day, so that few are ever good."""
        if self._tokens is None or now >= self._tokens[0] + _FRESH_MS:
            agency, supervisor = (
                accounts.issue_token(self.runtime.ledger, party.login, _SCOPES, name="practice", lifetime_ms=_DAY_MS)
                for party in (AGENCY, SUPERVISOR)
            )
            self._tokens = (now, Tokens(agency=agency, supervisor=supervisor))
        return self._tokens[1]
