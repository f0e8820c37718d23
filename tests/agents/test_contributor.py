"""A contributor commits once, reveals to one witnessed seal, and sees forks and suppression (ED1 D6, D7, D13)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agents.contributor import acts
from agents.contributor.cli import main
from agents.contributor.package import read_package
from agents.seals import read_witnessed_seal
from tests.build.draw_world import DRAW, PARTIES, SECOND, DrawWorld
from trading.crypto import shares as shamir
from trading.experts.rules import finals
from trading.experts.rules.contributions import is_valid, parse_contribution
from trading.experts.rules.reveals import Outcome, counts, parse_reveal
from trading.kernel.canonical import dumps
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.kernel.signed import SignedDocument


@pytest.fixture
def world(tmp_path: Path) -> DrawWorld:
    return DrawWorld(tmp_path).set_up()


def sealed(world: DrawWorld, **left_out: str) -> DrawWorld:
    listed = {party: world.commit(party) for party in PARTIES}
    world.clock.ms += SECOND
    world.seal({p: s for p, s in listed.items() if p not in left_out}, left_out)
    return world


def outcome(world: DrawWorld, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return what the platform publishes after everybody revealed."""
    made = []
    for party in PARTIES:
        committed = world.desks[party].state.contributions(DRAW, 1)[-1]
        contribution = parse_contribution(SignedDocument.from_wire(committed.wire).doc)
        r = world.desks[party].vault.unseal(f"r:{committed.sha256}", committed.sealed_r)
        void = party in changes.get("void", ())
        made.append(Outcome(party=party, commit=contribution.commit, r=r, withheld=False, valid=not void))
    seeded = finals.make_seed(world.spec, made)
    body = {
        "beacon": None,
        "final_sha256": seeded.final.sha256,
        "seed": seeded.seed.hex(),
        "void": list(seeded.void),
    }
    placed = world.record("draw.seeded", body)
    return {
        "final": SignedDocument(seeded.final.raw).wire(),
        "proof": world.receipt(placed).decode(),
        "seal_proof": world.receipt(world.placed["seal"]).decode(),
        "sealed_h": world.placed["seal"].h,
        "seed": seeded.seed.hex(),
        "void": list(seeded.void),
    }


def test_a_contribution_opens_with_its_own_number_only(world: DrawWorld) -> None:
    signed = world.commit("notary")
    contribution = parse_contribution(signed.doc)
    assert world.commit("notary").sha256 == signed.sha256  # a repetition returns the same
    committed = world.desks["notary"].state.contributions(DRAW, 1)[0]
    r = world.desks["notary"].vault.unseal(f"r:{committed.sha256}", committed.sealed_r)
    assert is_valid(contribution, r, 3, shamir.deal)
    assert signed.sigs[0]["kid"] == world.spec.parties[1].kid
    for path in (world.directory / "notary").iterdir():
        assert r not in path.read_bytes()
        assert r.hex().encode() not in path.read_bytes()


def test_another_number_may_be_committed_until_a_seal(world: DrawWorld) -> None:
    first = world.commit("notary")
    desk = world.desks["notary"]
    second = acts.contribute(desk, read_package(desk, world.package()), lambda _text: None, again=True)
    assert second.sha256 != first.sha256
    world.seal({"notary": second}, {"agency": "absent", "supervisor": "absent"})
    acts.reveal(desk, DRAW, 1, world.receipt(world.placed["seal"]))
    with pytest.raises(RuleBroken, match=r"draw\.answered"):
        acts.contribute(desk, read_package(desk, world.package()), lambda _text: None, again=True)


@pytest.mark.parametrize(
    ("name", "code"),
    [("spec", "sig.missing"), ("policy", "sig.missing")],
)
def test_both_signatures_are_needed(world: DrawWorld, name: str, code: str) -> None:
    signed = world.spec_signed if name == "spec" else world.policy_signed
    half = SignedDocument(signed.doc, (world.centre.sign(signed.doc),))
    with pytest.raises(InvalidInput) as caught:
        read_package(world.desks["notary"], world.package(**{name: half.wire()}))
    assert caught.value.code == code


def test_a_spec_that_is_not_witnessed_is_not_answered(world: DrawWorld) -> None:
    desk = world.desks["notary"]
    with pytest.raises(RuleBroken, match=r"draw\.not_logged"):
        read_package(desk, world.package(spec_proof=None))
    alone = world.receipt(world.placed["spec"], witnesses=(1,)).decode()
    with pytest.raises(RuleBroken, match=r"draw\.not_logged"):
        read_package(desk, world.package(spec_proof=alone))
    other = world.receipt(world.placed["policy"]).decode()
    with pytest.raises(InvalidInput, match=r"receipt\.other_record"):
        read_package(desk, world.package(spec_proof=other))


def test_a_key_of_somebody_else_does_not_contribute(world: DrawWorld) -> None:
    parties = [{"id": p.id, "kid": p.kid} for p in world.spec.parties]
    parties[1]["kid"] = world.centre.kid
    world.spec_signed = world.both(world.spec_bytes(parties=parties))
    with pytest.raises(RuleBroken, match=r"draw\.party_unknown"):
        read_package(world.desks["notary"], world.package())


def test_a_second_spec_of_the_attempt_is_kept_as_evidence(world: DrawWorld) -> None:
    world.commit("notary")
    world.spec_signed = world.both(world.spec_bytes(call_ms=1))
    world.placed["spec"] = world.record("draw.specified", {"spec_sha256": world.spec_signed.sha256})
    desk = world.desks["notary"]
    with pytest.raises(RuleBroken, match=r"draw\.spec_fork"):
        acts.contribute(desk, read_package(desk, world.package()), lambda _text: None)
    assert [what for what, _data in desk.state.kept(DRAW, 1)] == ["spec"]


def test_the_reveal_waits_for_a_quorum(world: DrawWorld) -> None:
    sealed(world)
    desk, seal = world.desks["notary"], world.placed["seal"]
    with pytest.raises(RuleBroken, match=r"draw\.not_witnessed"):
        acts.reveal(desk, DRAW, 1, world.receipt(seal, witnesses=(2,)))
    signed = acts.reveal(desk, DRAW, 1, world.receipt(seal))
    contribution = parse_contribution(SignedDocument.from_wire(desk.state.contributions(DRAW, 1)[0].wire).doc)
    assert counts(parse_reveal(signed.doc), contribution, seal.h)
    assert acts.reveal(desk, DRAW, 1, world.receipt(seal)) == signed


def test_a_second_seal_is_never_answered(world: DrawWorld) -> None:
    first = sealed(world).placed["seal"]
    desk = world.desks["notary"]
    acts.reveal(desk, DRAW, 1, world.receipt(first))
    listed = {party: world.commit(party) for party in ("notary", "supervisor")}
    second = world.seal(listed, {"agency": "absent"})
    with pytest.raises(RuleBroken, match=r"draw\.seal_fork"):
        acts.reveal(desk, DRAW, 1, world.receipt(second))
    assert [what for what, _data in desk.state.kept(DRAW, 1)] == ["seal"]
    files = acts.evidence(desk, DRAW, 1)
    proofs = (files["seal.tlog-proof"], files["evidence-1-seal"])
    heads = [read_witnessed_seal(desk.trust, proof, world.spec).h for proof in proofs]
    assert heads == [first.h, second.h]


def test_who_is_left_out_reveals_nothing(world: DrawWorld) -> None:
    sealed(world, notary="absent")
    with pytest.raises(RuleBroken, match=r"draw\.left_out"):
        acts.reveal(world.desks["notary"], DRAW, 1, world.receipt(world.placed["seal"]))


def test_a_receipt_proves_suppression(world: DrawWorld) -> None:
    signed = world.commit("notary")
    placed = world.placed[signed.sha256]
    desk = world.desks["notary"]
    desk.state.set_answer(signed.sha256, dumps({"receipt": world.receipt(placed).decode()}))
    sealed(world, notary="absent")
    with pytest.raises(RuleBroken, match=r"draw\.suppressed"):
        acts.reveal(desk, DRAW, 1, world.receipt(world.placed["seal"]))


def test_confirmation(world: DrawWorld) -> None:
    sealed(world)
    desk = world.desks["notary"]
    acts.reveal(desk, DRAW, 1, world.receipt(world.placed["seal"]))
    found = acts.confirm(desk, DRAW, 1, outcome(world))
    assert found.counted
    assert found.sealed_h == world.placed["seal"].h


def test_a_false_void_is_seen(world: DrawWorld) -> None:
    sealed(world)
    with pytest.raises(RuleBroken, match=r"draw\.false_void"):
        acts.confirm(world.desks["notary"], DRAW, 1, outcome(world, void=("notary",)))


def test_the_outcome_of_another_seal_is_a_fork(world: DrawWorld) -> None:
    sealed(world)
    desk = world.desks["notary"]
    acts.reveal(desk, DRAW, 1, world.receipt(world.placed["seal"]))
    listed = {party: world.commit(party) for party in PARTIES}
    world.seal(listed)
    with pytest.raises(RuleBroken, match=r"draw\.seal_fork"):
        acts.confirm(desk, DRAW, 1, outcome(world))


class Desk:
    """The commands as a person types them, handing files around."""

    def __init__(self, world: DrawWorld) -> None:
        self.world, self.folder = world, world.directory
        self.state = self.folder / "typed"

    def run(self, *arguments: object, code: int = 0) -> Result:
        line = ["--state", str(self.state), *map(str, arguments)]
        result = CliRunner().invoke(main, line, env={"LANG": "en_GB.UTF-8", "LC_ALL": ""})
        assert result.exit_code == code, result.output
        return result

    def file(self, name: str, data: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(data)
        return path


def test_the_commands_on_an_air_gapped_machine(tmp_path: Path) -> None:
    world = DrawWorld(tmp_path).set_up()
    desk = Desk(world)
    trust = desk.file("trust.json", world.trust_file())
    key = tmp_path / "notary" / "contributor.key"
    made = desk.run(
        "key", "--api", "https://example.org", "--name", "参与2", "--key", key, "--trust", trust, "--no-passphrase"
    )
    assert json.loads(made.stdout)["kid"] == world.spec.parties[1].kid
    package = desk.file("package.json", dumps(world.package()))
    out = tmp_path / "contribution.json"
    told = desk.run("commit", "--draw", DRAW, "--package", package, "--out", out, "--yes")
    signed = world.keep(SignedDocument.from_wire(out.read_bytes()))
    assert json.loads(told.stdout)["contribution_sha256"] == signed.sha256
    assert "custodians can recover" in told.stderr
    world.log_contribution("notary", signed)
    world.seal({"notary": signed}, {"agency": "absent", "supervisor": "absent"})
    early = desk.file("early", world.receipt(world.placed["seal"], witnesses=(1,)))
    assert "draw.not_witnessed" in desk.run("reveal", "--draw", DRAW, "--seal", early, "--out", out, code=2).stderr
    seal = desk.file("seal", world.receipt(world.placed["seal"]))
    desk.run("reveal", "--draw", DRAW, "--seal", seal, "--out", out)
    assert parse_reveal(SignedDocument.from_wire(out.read_bytes()).doc).sealed_h == world.placed["seal"].h
    second = world.seal({"notary": signed}, {"agency": "absent", "supervisor": "malformed"})
    fork = desk.file("fork", world.receipt(second))
    assert "draw.seal_fork" in desk.run("reveal", "--draw", DRAW, "--seal", fork, "--out", out, code=1).stderr
    shown = json.loads(desk.run("evidence", "--draw", DRAW, "--out", tmp_path / "shown").stdout)["files"]
    assert {"evidence-1-seal", "reveal.json", "seal.tlog-proof", "spec.json"} <= set(shown)


def test_without_a_platform_the_commands_say_try_again(tmp_path: Path) -> None:
    world = DrawWorld(tmp_path).set_up()
    desk = Desk(world)
    trust = desk.file("trust.json", world.trust_file())
    desk.run("key", "--api", "http://127.0.0.1:9", "--name", "参与2", "--trust", trust, "--no-passphrase")
    assert "No answer" in desk.run("list", code=2).stderr
    assert "draw.not_committed" in desk.run("reveal", "--draw", DRAW, "--seal", trust, code=1).stderr
