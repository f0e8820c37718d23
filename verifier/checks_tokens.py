"""Checks of time-stamp tokens: AL-11 and TE-08 (TE1 T8, T11)."""

from __future__ import annotations

import re

from verifier.bounds import lower_ms, upper_ms
from verifier.bundle import BundleFault
from verifier.evidence import Evidence, Logged, Span, Stamp
from verifier.hashing import hex_digest
from verifier.policy import SignedCheckpoint
from verifier.report import Check, Report
from verifier.tokens import TOKEN_LIMIT, TokenFault, TokenUnreadable, verify_token
from verifier.trust import Trust

TOKEN_PATH = re.compile(r"tst/(0|[1-9][0-9]{0,15})/([A-Za-z0-9._-]{1,63})-(0|[1-9][0-9]{0,15})\.tsr\Z")
TOKEN_FILE = re.compile(r"([A-Za-z0-9._-]{1,63})-[0-9]{1,16}\.tsr\Z")
TOKENS_TITLE = "time-stamp tokens: granted, imprint of the checkpoint, signature, chain to a root, anchored as they are"
ANCHOR_KIND = "tst.anchored"
AHEAD_MS = 60_000
SANDWICH_MS = 5_000


def check_tokens(evidence: Evidence) -> None:
    """AL-11: every token of the bundle, against the checkpoint of its size and the record that anchors it."""
    check = evidence.report.check("AL-11", TOKENS_TITLE)
    anchors: dict[str, list[Logged]] = {}
    for logged in evidence.of_kind(ANCHOR_KIND):
        anchors.setdefault(logged.body["token_sha256"], []).append(logged)
    found = set()
    for span in evidence.spans:
        for path in span.evidence.bundle.under("tst/"):
            try:
                data = span.evidence.bundle.read(path, TOKEN_LIMIT)
            except BundleFault as error:
                check.fail(span.folder + path, str(error))
                continue
            digest = hex_digest(data)
            found.add(digest)
            stamp = _check_token(span, check, path, data, anchors.get(digest, []))
            evidence.stamps += [stamp] if stamp is not None else []
    for digest in sorted(anchors.keys() - found if evidence.whole_log else ()):
        check.fail(anchors[digest][0].place, f"the token {digest} that it anchors is missing")


def _check_token(span: Span, check: Check, path: str, data: bytes, anchors: list[Logged]) -> Stamp | None:
    """Return what a token says if it verifies, counted through all logs; the checkpoint is of its own log."""
    place, named = span.folder + path, TOKEN_PATH.match(path)
    notes = [note for note in span.evidence.notes if named is not None and note.checkpoint.size == int(named.group(1))]
    if named is None or not notes:
        check.fail(place, "its name says no size of a checkpoint of the bundle that verifies")
        return None
    tsa, roots = named.group(2), span.evidence.trust.stampers.get(named.group(2))
    if roots is None:
        check.gap(place, f"the trust file names no root of the authority {tsa}")
        return None
    gen_time = _verified(check, place, data, notes[0], roots)
    if gen_time is None:
        return None
    if not check.require(place, f"its genTime is {gen_time}", holds=gen_time == int(named.group(3))):
        return None
    head = notes[0].checkpoint
    for logged in anchors:
        told = (logged.body["tsa"], logged.body["size"], logged.body["root"], logged.body["gen_time"])
        same = told == (tsa, head.size, head.root.hex(), gen_time)
        check.require(logged.place, f"anchors {place} as something else", holds=same)
        in_time = gen_time <= logged.at + AHEAD_MS
        check.require(place, "genTime is more than 60 s after it was anchored", holds=in_time)
    return Stamp(place, span.base + head.size, gen_time, [logged.n for logged in anchors])


def _verified(check: Check, place: str, data: bytes, note: SignedCheckpoint, roots: list[bytes]) -> int | None:
    try:
        gen_time = verify_token(data, note.text.encode(), roots)
    except TokenUnreadable as error:
        check.gap(place, f"cannot be read here: {error} (try: openssl ts -verify)")
    except TokenFault as error:
        check.fail(place, str(error))
    else:
        check.passed()
        return gen_time
    return None


def check_sandwich(evidence: Evidence) -> None:
    """TE-08: what tokens say about time agrees with what witnesses say, within 5 s.

    Entries below the stamped size existed before genTime; the entry that anchors the token holds its hash, so it and
    all behind it came after genTime. The clocks of authorities and witnesses are different people's.
    """
    check = evidence.report.check("TE-08", "sandwich bounds of the tokens agree with those of witnesses within 5 s")
    notes = evidence.notes
    for stamp in evidence.stamps:
        shown = lower_ms(stamp.size - 1, notes)
        early = f"{shown - stamp.gen_time} ms before its last entry had been shown to a witness"
        check.require(stamp.place, f"genTime is {early}", holds=stamp.gen_time >= shown - SANDWICH_MS)
        for n in stamp.anchors:
            existed = upper_ms(n, notes)
            late = f"genTime is after the witnesses saw entry {n}, which holds the hash of the token"
            holds = existed is None or stamp.gen_time <= existed + SANDWICH_MS
            check.require(stamp.place, late, holds=holds)


def check_receipt_tokens(tokens: dict[str, bytes], note: SignedCheckpoint, trust: Trust, report: Report) -> bool:
    """AL-11 for tokens given beside a receipt, by file name; return whether one of them verifies."""
    check = report.check("AL-11", TOKENS_TITLE)
    verified = []
    for name, data in tokens.items():
        named = TOKEN_FILE.match(name)
        known = named is not None and named.group(1) in trust.stampers
        roots = [root for tsa, held in trust.stampers.items() if not known or tsa == named.group(1) for root in held]  # type: ignore[union-attr]  # known implies a match
        if not roots:
            check.gap(name, "the trust file names no root of a time-stamping authority")
        elif _verified(check, name, data, note, roots) is not None:
            verified.append(name)
    return bool(verified)
