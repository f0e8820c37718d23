"""Five custodians start their own agents, and keep running to the end of the play."""

from __future__ import annotations

from trading.demo import cast
from trading.demo.cast import Organisation
from trading.demo.play import Play


def start_agents(play: Play) -> None:
    """Initialise five agents and let them poll the platform."""
    play.scene("五家保管方启动各自的程序", "five custodians start their own agents")
    trust = str(play.stage.trust_file)
    play.run_together(
        [_words(play, each, "init", *_identity(play, each), "--trust", trust) for each in cast.CUSTODIANS]
    )
    for each in cast.CUSTODIANS:
        log = play.stage.home(each) / "custodian.log"
        serve = ("serve", "--poll", play.base_url, "--interval", "0.5", "--auto-key", "--auto-release")
        play.standing.start(log, *_words(play, each, *serve))


def _words(play: Play, organisation: Organisation, *words: str) -> list[str]:
    state = str(play.stage.home(organisation) / "custody")
    return ["custodian", "--state", state, "--shift-file", str(play.shift_file), *words]


def _identity(play: Play, organisation: Organisation) -> list[str]:
    key = str(play.stage.key_file(organisation, "custodian"))
    options = ["--name", organisation.name_zh, "--role", organisation.seat or "other", "--key", key]
    return [*options, "--no-passphrase", "--jobs-per-minute", "600"]
