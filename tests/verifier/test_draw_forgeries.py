"""Attempts to steer a draw: to roll again, reorder, exclude late, swap a place, hide a refusal, use a salt twice.

The cheater signs whatever he can sign: what he changes is changed before it is logged or signed, so that every
signature, proof and hash is right. Each attempt has the check that finds it with its words, and the fault that the page
of the draw shows; "" where the page cannot know (signatures, seals and exclusions need the bundle).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import count
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.support.browsers import open_browser
from tests.support.drawn_pages import codes, recomputing, shown
from tests.support.made_draw import MINUTE, PARTIES, DrawStory, MadeDraw, finish, go_on, play, tell_draw, verify_draw
from tests.support.made_log import sha256
from tests.support.verifying import failures
from tests.verifier.test_draws import begun, drop_listed, lie
from trading.experts.rules import contributions, results
from trading.experts.rules.tickets import order
from trading.experts.rules.walk import State

Fields = dict[str, Any]
OTHER = "ab" * 32
#: Nobody refuses twice and one selected falls ill: enough steps for every attempt.
STORY = DrawStory(refusing=frozenset({2}), unreachable=frozenset())


@dataclass(frozen=True)
class Forgery:
    """One attempt: how it is told, the words of the offline verifier, the fault that the page names."""

    tell: Callable[[], MadeDraw]
    told: str
    seen: str = ""


# --- one field of a document or record ------------------------------------------------------------------------------


def changed(subject: str, change: Callable[[Fields], object], told: str, seen: str = "", number: int = 1) -> Forgery:
    def made(fields: Fields) -> None:
        change(fields)

    return Forgery(lambda: tell_draw(STORY, lie(subject, made, number=number)), told, seen)


def fields_of_documents() -> Iterator[tuple[str, Forgery]]:
    for n, party in enumerate(PARTIES, 1):
        yield f"number of {party}", changed("ed1.reveal", lambda f: f.update(r=OTHER), "neither revealed", "commit", n)
        yield f"seal of {party}", changed("ed1.reveal", lambda f: f.update(sealed_h=OTHER), "SEAL_FORK", number=n)
        yield f"commitment of {party}", changed("ed1.contribution", lambda f: f.update(commit=OTHER), "ED-05", number=n)
        yield f"void {party}", changed("draw.seeded", calls_void(party), "void is")
    yield "seed", changed("draw.seeded", lambda f: f.update(seed=OTHER), "the seed is", "seed")
    yield "beacon", changed("draw.seeded", lambda f: f.update(beacon="00"), "a beacon exactly if")
    yield "final", changed("draw.seeded", lambda f: f.update(final_sha256=OTHER), "the final document", "error")
    result = "ed1.result"
    yield "result seed", changed(result, lambda f: f.update(seed=OTHER), "another seed", "result", 2)
    yield "result root", changed(result, lambda f: f.update(trail_root=OTHER), "trail_root is", "trail", 2)
    yield "result attempt", changed(result, lambda f: f.update(attempt=2), "names another draw", "result", 2)
    yield "result draw", changed(result, lambda f: f.update(draw="D-other"), "names another draw", "result", 2)
    yield "result spec", changed(result, lambda f: f.update(spec_sha256=OTHER), "names another draw", "result", 2)
    yield "result chain", changed(result, lambda f: f.update(supersedes=None), "does not follow the result", number=2)
    yield "seat lost", changed(result, lambda f: f["selected"].pop(), "selects others", "selected", 2)
    yield "first seat lost", changed(result, lambda f: f["selected"].pop(0), "selects others", "selected", 2)
    for place in range(3):
        yield f"friend at seat {place}", changed(result, seat_friend(place), "selects others", "selected", 2)
        leaves = "mb.draw-leaves"
        swaps: dict[str, Callable[[Fields], object]] = {
            "salt": lambda leaf: leaf.update(salt=OTHER),
            "person": lambda leaf: leaf.update(attrs=leaf["attrs"].replace('"id":"E', '"id":"F')),
            "employer": lambda leaf: leaf.update(attrs=leaf["attrs"].replace('"unit":"U', '"unit":"V')),
            "proof": lambda leaf: leaf["proof"].__setitem__(0, OTHER),
            "short proof": lambda leaf: leaf["proof"].pop(),
        }
        for name, swap in swaps.items():
            change = lambda f, swap=swap, place=place: swap(f["leaves"][place])  # noqa: E731
            yield f"{name} of leaf {place}", changed(leaves, change, "POOL_MISMATCH", "leaf")


def calls_void(party: str) -> Callable[[Fields], object]:
    return lambda fields: fields.update(void=[party])


def seat_friend(place: int) -> Callable[[Fields], object]:
    """Put somebody else of the stratum on a seat; the list stays in order."""

    def change(fields: Fields) -> None:
        taken, stratum = {seat["index"] for seat in fields["selected"]}, fields["selected"][place]["stratum"]
        same = sorted(seat["index"] for seat in fields["selected"] if seat["stratum"] == stratum)
        low, high = (0, 14) if stratum == min(seat["stratum"] for seat in fields["selected"]) else (15, 28)
        friend = next(index for index in range(low, high) if index not in taken)
        kept = sorted([*same[1:], friend])
        rest = [seat for seat in fields["selected"] if seat["stratum"] != stratum]
        fields["selected"] = sorted(
            [*rest, *({"index": index, "stratum": stratum} for index in kept)],
            key=lambda seat: (seat["stratum"], seat["index"]),
        )

    return change


def fields_of_the_frame() -> Iterator[tuple[str, Forgery]]:
    """Spec, seal, checks, escrows and what is opened to the auditor."""
    spec = "ed1.spec"
    yield "pool size", changed(spec, lambda f: f.update(pool_size=f["pool_size"] + 1), "do not follow one another")
    yield "representatives", changed(spec, lambda f: f["committee"].update(representatives=4), "two thirds")
    yield "contributor", changed(spec, lambda f: f["parties"][0].update(kid=OTHER), "no contributor's")
    yield "one contributor twice", changed(spec, twice, "two contributors of one organisation")
    yield "pool root", changed(spec, lambda f: f.update(pool_root=OTHER), "POOL_MISMATCH", "leaf")
    yield "exclusion root", changed(spec, lambda f: f.update(excl_root=OTHER), "not the one committed to")
    yield "pool key", changed(spec, lambda f: f.update(pool_key_commit=OTHER), "K_draw is not")
    yield "exclusion key", changed(spec, lambda f: f.update(exclusion_key_commit=OTHER), "K_x is not")
    yield "count", changed(spec, lambda f: f["excluded"][0].update(count=9), "excluded says")
    yield "stratum moved", changed(spec, moved, "the strata are not those")
    yield "old register", changed(spec, lambda f: f.update(register_size=0), "older than the newest snapshot")
    yield "register of the future", changed(spec, lambda f: f.update(register_size=999), "older than the newest")
    yield "procedure", changed("draw.disclosed", lambda f: f.update(procedure="T-other"), "another procedure")
    yield "seal of another spec", changed("draw.sealed", lambda f: f.update(spec_sha256=OTHER), "follow and name")
    for number in range(len(PARTIES)):
        yield f"left out {number}", changed("draw.sealed", left_out(number), "ED-04")
    yield "left out last", changed("draw.sealed", drop_listed, "ED-04")
    for number in range(1, 6):
        yield f"check {number} lacks one", changed("ed1.share-check", lambda f: f["items"].pop(), "ED-04", "", number)
        yield f"check {number} says no", changed("ed1.share-check", says_no, "ED-04", "", number)
    for number in (1, 2):
        yield f"escrow {number}", changed("ed1.escrow", lambda f: f.update(commit=OTHER), "ED-04", "", number)
    keys = "mb.draw-keys"
    yield "opened pool key", changed(keys, lambda f: f.update(k_draw=OTHER), "K_draw is not")
    yield "opened exclusion key", changed(keys, lambda f: f.update(k_x=OTHER), "K_x is not")
    yield "exclusion dropped", changed(keys, lambda f: f["exclusions"].pop(), "not the one committed to")
    yield "exclusion added", changed(keys, exclude_late, "not the one committed to")
    yield "exclusion for another reason", changed(keys, other_reason, "not the one committed to")
    yield "opened reason", changed(keys, lambda f: f["reasons"][0].update(reason="asleep"), "opened reason is not")
    yield "salt of a reason", changed(keys, lambda f: f["reasons"][0].update(salt=OTHER), "opened reason is not")


def twice(fields: Fields) -> None:
    first, second, _ = fields["parties"]
    second["kid"] = first["kid"]


def moved(fields: Fields) -> None:
    first, second = fields["strata"]
    first["b"] += 1
    second["a"] += 1


def left_out(number: int) -> Callable[[Fields], object]:
    def change(fields: Fields) -> None:
        row = fields["contributions"].pop(number)
        fields["left_out"] = [{"party": row["party"], "reason": "malformed"}]

    return change


def says_no(fields: Fields) -> None:
    fields["items"][0]["code"] = "commit_mismatch"


def exclude_late(fields: Fields) -> None:
    taken = {row["index"] for row in fields["exclusions"]}
    free = next(index for index in count() if index not in taken)
    fields["exclusions"] = sorted(
        [*fields["exclusions"], {"index": free, "reason": "conflict"}], key=lambda row: int(row["index"])
    )


def other_reason(fields: Fields) -> None:
    fields["exclusions"][0]["reason"] = "conflict"


# --- a step of the walk ----------------------------------------------------------------------------------------------


def inject(made: MadeDraw, kind: str, body: Fields, wait: int = 0) -> None:
    """Log a step that the rules do not allow; the cheater signs its hash into the result with the others."""
    made.now += wait
    made.trail.append(bytes.fromhex(made.record(kind, body).h))


def disposed(index: int, stratum: str, state: State, *, reason: bool = False) -> Fields:
    commit = secrets.token_hex(32) if reason else None
    return {"index": index, "reason_commit": commit, "state": state.value, "stratum": stratum}


def walked(step: int, cheat: Callable[[MadeDraw], None]) -> Callable[[], MadeDraw]:
    """Walk honestly until so many have been called, cheat once, and go on."""

    def tell() -> MadeDraw:
        made = begun()
        made.story = replace(STORY, replaced=False, refusing=frozenset())
        made.collect()
        made.seal()
        made.open_up()
        made.begin_walk()
        while made.calls < step or (following := made.walk.next_step()) is None or following.state is not None:
            following = made.walk.next_step()
            assert following is not None
            if following.state is None:
                made.calls += 1
                made.answers[following.index] = State.SELECTED
            made.step(following.state, following.index, following.stratum)
        cheat(made)
        made.walk_on()
        made.conclude()
        made.disclose()
        return finish(made)

    return tell


def head(made: MadeDraw) -> tuple[int, str, list[int]]:
    """Who is next, in which stratum, and who follows there in the order of the seed."""
    following = made.walk.next_step()
    assert following is not None
    stratum = made.spec.stratum(following.stratum)
    assert stratum is not None
    whole = list(order(made.seed, stratum.id, stratum.a, stratum.b))
    return following.index, stratum.id, whole[whole.index(following.index) + 1 :]


def pending(made: MadeDraw) -> tuple[int, str]:
    index = made.walk.pending[0]
    return index, made.stratum_of(index)


def call_another(made: MadeDraw) -> None:
    _, stratum, rest = head(made)
    inject(made, "called", {"index": rest[-1], "stratum": stratum})


def skip_one(made: MadeDraw) -> None:
    _, stratum, rest = head(made)
    inject(made, "called", {"index": rest[0], "stratum": stratum})


def advance_another_stratum(made: MadeDraw) -> None:
    _, stratum, _ = head(made)
    other = next(item for item in made.spec.strata if item.id != stratum)
    inject(made, "called", {"index": order(made.seed, other.id, other.a, other.b)[0], "stratum": other.id})


def call_twice(made: MadeDraw) -> None:
    index, stratum = pending(made)
    inject(made, "called", {"index": index, "stratum": stratum})


def exclude_after_the_seed(made: MadeDraw) -> None:
    index, stratum, _ = head(made)
    made.reasons, kept = {**made.reasons, index: "conflict"}, dict(made.reasons)
    made.walk._facts = replace(made.walk._facts, excluded=made.reasons.__contains__)
    made.step(State.EXCLUDED, index, stratum)
    made.reasons = kept


def limit_nobody(made: MadeDraw) -> None:
    index, stratum, _ = head(made)
    inject(made, "disposed", disposed(index, stratum, State.LIMIT))


def seat_without_call(made: MadeDraw) -> None:
    _, stratum, rest = head(made)
    inject(made, "disposed", disposed(rest[-1], stratum, State.SELECTED))


def unreachable_at_once(made: MadeDraw) -> None:
    inject(made, "disposed", disposed(*pending(made), State.UNREACHABLE))


def unreachable_a_second_early(made: MadeDraw) -> None:
    inject(made, "disposed", disposed(*pending(made), State.UNREACHABLE), wait=20 * MINUTE - 60_000)


def answer_too_late(made: MadeDraw) -> None:
    late, *others = made.walk.pending
    for index in others:
        made.step(State.SELECTED, index, made.stratum_of(index))
    stratum = made.stratum_of(late)
    inject(made, "disposed", disposed(late, stratum, State.SELECTED), wait=21 * MINUTE)
    front = made.walk._fronts[stratum]
    front.pending.remove(late)
    front.selected.add(late)


def replace_nobody(made: MadeDraw) -> None:
    inject(made, "disposed", disposed(*pending(made), State.REPLACED, reason=True))


def seat_whom_he_refused(made: MadeDraw) -> None:
    """The refusal stands in the log, and the same expert is seated after all."""
    index, stratum = pending(made)
    made.step(State.REFUSED, index, stratum, "busy")
    inject(made, "disposed", disposed(index, stratum, State.SELECTED))


def hide_a_refusal(made: MadeDraw) -> None:
    """The refusal stands in the log, but not in the trail that the result signs."""
    index, stratum = pending(made)
    made.step(State.REFUSED, index, stratum, "busy")
    made.trail.pop()


def refuse_without_a_reason(made: MadeDraw) -> None:
    inject(made, "disposed", disposed(*pending(made), State.REFUSED))


def steps() -> Iterator[tuple[str, Forgery]]:
    broken = "TRAIL_BROKEN: index"
    cheats: tuple[tuple[Callable[[MadeDraw], None], int, int, str, str], ...] = (
        (call_another, 0, 5, broken, "order"),
        (skip_one, 0, 5, broken, "order"),
        (advance_another_stratum, 0, 2, broken, "order"),
        (call_twice, 1, 3, broken, "order"),
        (exclude_after_the_seed, 0, 3, "EXCLUDED, but the vector does not", ""),
        (limit_nobody, 0, 3, "is LIMIT instead of called", ""),
        (seat_without_call, 0, 3, "SELECTED without a call", "answer"),
        (unreachable_at_once, 1, 4, "UNREACHABLE after", "early"),
        (unreachable_a_second_early, 1, 2, "UNREACHABLE after", "early"),
        (answer_too_late, 1, 4, "later than an answer counts", "late"),
        (replace_nobody, 1, 3, "REPLACED without a seat", "seat"),
        (seat_whom_he_refused, 1, 3, "SELECTED without a call", "answer"),
        (hide_a_refusal, 1, 3, "trail_root is", "trail"),
        (refuse_without_a_reason, 1, 2, "wrong kind of reason_commit", ""),
    )
    for cheat, low, high, told, seen in cheats:
        for step in range(low, high):
            yield f"{cheat.__name__} {step}", Forgery(walked(step, cheat), told, seen)


# --- another attempt -------------------------------------------------------------------------------------------------


def rolled_again(reason: str) -> Callable[[], MadeDraw]:
    def tell() -> MadeDraw:
        made = begun()
        made.collect()
        made.seal()
        made.open_up()
        made.cancel(reason)
        made.specify()
        play(made)
        return finish(made)

    return tell


def cancelled_by(role: str) -> Callable[[], MadeDraw]:
    """A second attempt whose cancellation only one of the two has signed."""

    def tell() -> MadeDraw:
        made = begun()
        raw = results.make_cancel(made.spec, "operator_error", created=made.now, sealed=False)
        named = sha256(made.put(raw, made.centre if role == "centre" else made.supervisor)).hex()
        made.record("cancelled", {"cancel_sha256": named})
        made.disclose()
        made.previous, made.attempt = named, 2
        made.specify()
        play(made)
        return finish(made)

    return tell


def without_cancellation(previous: str | None) -> Callable[[], MadeDraw]:
    def tell() -> MadeDraw:
        made = begun()
        made.attempt, made.previous = 2, previous
        made.specify()
        play(made)
        return finish(made)

    return tell


def after_a_result() -> MadeDraw:
    made = begun()
    play(made)
    assert made.result is not None
    made.attempt, made.previous, made.result, made.seated, made.openings = 2, made.result.sha256, None, set(), []
    made.specify()
    play(made)
    return finish(made)


def numbers_again(*again: str) -> Callable[[], MadeDraw]:
    """The attempt is cancelled for a lawful cause after numbers are known, and parties use theirs again."""

    def tell() -> MadeDraw:
        made = begun()
        made.story = replace(STORY, withheld=frozenset())
        made.collect()
        made.seal()
        kept = dict(made.rs)
        made.open_up()
        made.now += 24 * 60 * MINUTE
        made.cancel("unrecoverable")
        made.specify()
        draw_number = contributions.make_contribution

        def same(spec: Any, policy: Any, party: str, r: bytes, **how: Any) -> bytes:  # noqa: ANN401 - passed on
            made.rs[party] = kept[party] if party in again else r
            return draw_number(spec, policy, party, made.rs[party], **how)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(contributions, "make_contribution", same)
            made.collect()
        made.seal()
        go_on(made)
        return finish(made)

    return tell


def keys_again(name: str) -> Callable[[], MadeDraw]:
    """A second attempt under the pool key or the exclusion key of the first: the same salts once more."""

    def tell() -> MadeDraw:
        made = begun()
        kept = getattr(made, name)
        made.cancel("operator_error")
        with pytest.MonkeyPatch.context() as patch:
            fresh = iter([kept if each == name else secrets.token_bytes(32) for each in ("k_draw", "k_x", "salt")])
            patch.setattr(secrets, "token_bytes", lambda _size: next(fresh))
            made.snapshot()
        pool, reasons, root = made.pool, made.reasons, made.excl_root
        made.snapshot = lambda: None  # type: ignore[method-assign]
        made.specify()
        assert (made.pool, made.reasons, made.excl_root) == (pool, reasons, root)
        play(made)
        return finish(made)

    return tell


def second(kind: str) -> Callable[[], MadeDraw]:
    """A second seed or seal of one attempt."""

    def tell() -> MadeDraw:
        made = begun()
        made.collect()
        sealed = made.seal()
        if kind == "sealed":
            made.record(kind, sealed.value["body"])
            made.sealed = sealed
        made.open_up()
        if kind == "seeded":
            made.record(kind, {"beacon": None, "final_sha256": OTHER, "seed": OTHER, "void": []})
        made.begin_walk()
        made.walk_on()
        made.conclude()
        made.disclose()
        return finish(made)

    return tell


def suppressed(party: str) -> Callable[[], MadeDraw]:
    """A listed number is neither asked for nor recovered: the seed is that of the others."""

    def tell() -> MadeDraw:
        made = begun()
        made.collect()
        made.seal()
        del made.contributions[party]
        go_on(made)
        return finish(made)

    return tell


def signed_by_the_centre_alone(typ: str) -> Callable[[], MadeDraw]:
    def tell() -> MadeDraw:
        made = MadeDraw(STORY)
        both = made.both

        def alone(raw: bytes) -> bytes:
            return made.put(raw, made.centre) if f'"typ":"{typ}"'.encode() in raw else both(raw)

        made.both = alone  # type: ignore[method-assign]
        made.fill_register()
        made.fix_policy()
        made.log.witness(made.now)
        made.specify()
        play(made)
        return finish(made)

    return tell


def second_spec() -> MadeDraw:
    made = begun()
    raw = made.spec.raw.replace(b'"call_ms":1200000', b'"call_ms":1200001')
    made.record("specified", {"spec_sha256": sha256(made.both(raw)).hex()})
    play(made)
    return finish(made)


def attempts() -> Iterator[tuple[str, Forgery]]:
    for reason in ("operator_error", "disliked", "fire_alarm", "too_few_valid"):
        yield f"rolled again for {reason}", Forgery(rolled_again(reason), "REROLL: cancelled")
    yield "rolled again for beacon_late", Forgery(rolled_again("beacon_late"), "names no beacon")
    for role in ("centre", "supervisor"):
        yield f"cancelled by {role} alone", Forgery(cancelled_by(role), "not signed by centre and supervisor")
    yield "no cancellation", Forgery(without_cancellation(OTHER), "ATTEMPT_HIDDEN: previous")
    yield "no previous", Forgery(without_cancellation(None), "ATTEMPT_HIDDEN")
    yield "after a result", Forgery(after_a_result, "REROLL: another attempt after a complete result")
    for party in PARTIES:
        yield f"number of {party} again", Forgery(numbers_again(party), "REUSED: the number")
        yield f"number of {party} left out", Forgery(suppressed(party), "neither revealed nor recovered")
    yield "pool key again", Forgery(keys_again("k_draw"), "REUSED: the key")
    yield "exclusion key again", Forgery(keys_again("k_x"), "REUSED: the key")
    yield "second seal", Forgery(second("sealed"), "SEAL_FORK: a second seal")
    yield "second seed", Forgery(second("seeded"), "REROLL: a second seed")
    yield "second spec", Forgery(second_spec, "SPEC_FORK")
    for typ in ("ed1.spec", "ed1.result", "ed1.policy"):
        yield f"{typ} of the centre alone", Forgery(signed_by_the_centre_alone(typ), "not signed by centre and")


FORGERIES = {
    name: forgery for part in (fields_of_documents, fields_of_the_frame, steps, attempts) for name, forgery in part()
}


@cache
def told(name: str) -> MadeDraw:
    return FORGERIES[name].tell()


def findings(made: MadeDraw, tier: str = "audit") -> str:
    report = verify_draw(made, tier)
    assert report.exit_code == (1 if failures(report) else report.exit_code)
    return "\n".join(f"{check_id} {text}" for check_id, texts in failures(report).items() for text in texts)


def test_there_are_more_than_a_hundred() -> None:
    assert len(FORGERIES) >= 100


@pytest.mark.parametrize("name", sorted(FORGERIES))
def test_the_offline_verifier_finds_it_and_names_the_place(name: str) -> None:
    text = findings(told(name))
    line = next((line for line in text.splitlines() if FORGERIES[name].told in line), "")
    assert line, text
    assert any(place in line for place in ("docs/", "log/", "draw D-")), line


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as found:
        yield found


def test_the_page_finds_what_is_public(browser: Browser) -> None:
    names = sorted(name for name, forgery in FORGERIES.items() if forgery.seen)
    assert len(names) >= 40
    with recomputing(browser) as recompute:
        found = recompute([shown(told(name)) for name in names])
    missed = {name: each for name, each in zip(names, found, strict=True) if FORGERIES[name].seen not in codes(each)}
    assert missed == {}
    assert all(fault["place"] for each in found for fault in each.get("faults", []))


def test_an_untouched_draw_passes(browser: Browser) -> None:
    """The control: the same stories without the cheat, walks that go on after every number of calls included."""
    made = [tell_draw(STORY), *(walked(step, lambda _made: None)() for step in range(4))]
    assert [findings(each) for each in made] == [""] * len(made)
    with recomputing(browser) as recompute:
        assert [codes(each) for each in recompute([shown(each) for each in made])] == [set()] * len(made)
