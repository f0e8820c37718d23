"""What the contributor's person is told before anything is signed: plain words in the reader's language."""

from __future__ import annotations

from agents.contributor.package import Package
from agents.words import words


def of_commit(package: Package) -> str:
    """Describe a contribution: which draw, among whom, and that nothing is drawn without this person's number."""
    spec = package.spec
    parties = ", ".join(item.id for item in spec.parties)
    strata = ", ".join(f"{item.id}: {item.need}/{item.b - item.a}" for item in spec.strata)
    return "\n".join(
        [
            words("即将签署：抽取随机数承诺", "About to sign: a contribution to a draw"),
            words(
                f"  抽取 {spec.draw}，第 {spec.attempt} 次；本方 {package.party.id}",
                f"  draw {spec.draw}, attempt {spec.attempt}; you are {package.party.id}",
            ),
            words(f"  参与方 {parties}", f"  contributors {parties}"),
            words(f"  专业组（抽取数/人数） {strata}", f"  strata (drawn/size) {strata}"),
            words(
                f"  随机数在封存名单得到见证后才公开；{package.policy.n} 个保管方中 {package.policy.k} 个即可恢复",
                f"  the number stays here until the list is sealed and witnessed; {package.policy.k} of "
                f"{package.policy.n} custodians can recover it",
            ),
            f"  SHA-256 {spec.sha256}",
        ]
    )
