"""When the platform could not be reached, told by the probes of ``availability.state`` (TE1 T6). Instants are ms.

At one vantage point a failure runs from the start of the first of at least two consecutive failed probes to the end of
the next good one. An outage is an interval common to failures of every vantage point, so that neither the operator
alone nor the supervisor alone can make or hide one. What no probe has seen is no failure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from trading.bids.rules.derivation import Outage, Trigger, by_outage
from trading.procedures.rules.extension import ExtensionRule

#: Both must fail; what any other point tells neither makes nor hides an outage.
VANTAGES: Final = ("operator", "supervisor")
SILENT_MS: Final = 86_400_000  # a vantage point that said nothing for a day before a deadline is not waited for
_LEAST_FAILED: Final = 2  # one lost probe is an accident of its own network


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One probe of one vantage point: when it began and when it knew; ``h`` is its commitment (hex)."""

    h: str
    start: int
    end: int
    ok: bool

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Probe:
        """Return the probe that a record with its ``h`` tells."""
        body = record["body"]
        return cls(h=record["h"], start=body["from"], end=body["from"] + body["ms"], ok=body["ok"])


def failures(probes: Iterable[Probe]) -> list[Outage]:
    """Return the failures at one vantage point, oldest first; ``last`` is None while no good probe has followed.

    The order of the log does not matter: what could not be logged at the time is logged later, with its own instants.
    """
    found: list[Outage] = []
    failed: list[Probe] = []
    for probe in sorted(probes, key=lambda each: (each.start, each.end, each.h)):
        if not probe.ok:
            failed.append(probe)
            continue
        found += _failure(failed, probe)
        failed = []
    return found + _failure(failed, None)


def _failure(failed: Sequence[Probe], good: Probe | None) -> list[Outage]:
    if len(failed) < _LEAST_FAILED:
        return []
    named = (*failed, *([] if good is None else [good]))
    last = None if good is None else good.end
    return [Outage(first=failed[0].start, last=last, evidence=tuple(each.h for each in named))]


def outages(records: Sequence[Mapping[str, Any]]) -> list[Outage]:
    """Return the outages that ``availability.state`` records with their ``h`` tell, oldest first."""
    return _common_to_all([failures(probes) for probes in _by_vantage(records)])


def _by_vantage(records: Iterable[Mapping[str, Any]]) -> list[list[Probe]]:
    found: dict[str, list[Probe]] = {vantage: [] for vantage in VANTAGES}
    for record in records:
        if record["body"]["vantage"] in found:
            found[record["body"]["vantage"]].append(Probe.of(record))
    return list(found.values())


def _common_to_all(by_vantage: Sequence[list[Outage]]) -> list[Outage]:
    common = by_vantage[0]
    for others in by_vantage[1:]:
        common = [part for one in common for other in others for part in _common(one, other)]
    return sorted(common, key=lambda each: each.first)


def _common(one: Outage, other: Outage) -> list[Outage]:
    """Return the interval that two failures have in common, as one outage or none; one that is empty is none."""
    ends = [each.last for each in (one, other) if each.last is not None]
    first, last = max(one.first, other.first), min(ends, default=None)
    if last is not None and last <= first:
        return []
    return [Outage(first=first, last=last, evidence=tuple(dict.fromkeys(one.evidence + other.evidence)))]


def by_probes(
    records: Sequence[Mapping[str, Any]], rule: ExtensionRule, close: int, settled: int = 0
) -> Trigger | None:
    """Return the trigger ``outage`` with its evidence in log order, which is that of the records (T2, T6)."""
    found = by_outage(outages(records), rule, close, settled)
    if found is None:
        return None
    named = frozenset(found.evidence)
    return replace(found, evidence=tuple(record["h"] for record in records if record["h"] in named))


def is_unknown(records: Sequence[Mapping[str, Any]], rule: ExtensionRule, close: int, settled: int = 0) -> bool:
    """Return whether what the vantage points have not told yet could still move a deadline, or move it further.

    A round that fails cannot be told while it fails, so silence may be an outage; it is taken for one. Where that
    makes no difference, because one vantage point was served meanwhile, nothing is unknown. A vantage point that was
    silent for a day is not waited for: without it there is no outage.
    """
    by_vantage = _by_vantage(records)
    if any(all(each.end < close - SILENT_MS for each in probes) for probes in by_vantage):
        return False
    possible = _common_to_all([[*_over(probes), _silence(probes)] for probes in by_vantage])
    worst, known = (by_outage(each, rule, close, settled) for each in (possible, outages(records)))
    return worst is not None and (known is None or known.until != worst.until)


def _over(probes: Iterable[Probe]) -> list[Outage]:
    return [each for each in failures(probes) if each.last is not None]


def _silence(probes: Iterable[Probe]) -> Outage:
    """Return the time since a vantage point told for the last time that a bidder was served, as a failure."""
    return Outage(first=max((each.end for each in probes if each.ok), default=0), last=None, evidence=())
