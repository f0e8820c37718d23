"""A supervisor's intake as a process of its own, and what a bidder sends it (SB1 S7.6)."""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from agents.intake.cli import LOG_KEY
from agents.intake.state import IntakeState
from agents.logkeys import log_vkey
from agents.sealing import SealedBid
from trading.audit.rules.note import VerifierKey, parse_vkey
from trading.bids.rules.policy import PolicyPackage
from trading.crypto.files import write_secret
from trading.crypto.keyfiles import new_note_seed, save_es256
from trading.crypto.signatures import Es256Signer
from trading.kernel.canonical import dumps
from trading.kernel.digests import sha256_hex
from trading.kernel.encoding import b64u

ORIGIN = "demo.intake.example/log"


@dataclass
class IntakeProcess:
    """``mingbiao intake serve`` on a free port; it may be killed and started again."""

    directory: Path
    signer: Es256Signer
    shift_file: Path | None
    token: str
    url: str = ""
    process: subprocess.Popen[str] | None = None

    @property
    def vkey(self) -> str:
        state = IntakeState(self.directory)
        state.close()
        return state.vkey

    @property
    def key(self) -> VerifierKey:
        return parse_vkey(self.vkey)

    def start(self, trust: bytes, port: int = 0) -> None:
        (self.directory / "trust.json").write_bytes(trust)
        words = ["serve", "--state", self.directory, "--trust", self.directory / "trust.json"]
        words += ["--key", self.directory / "supervisor.key", "--token-file", self.directory / "token"]
        words += ["--listen", f"127.0.0.1:{port}"]
        words += ["--shift-file", self.shift_file] if self.shift_file is not None else []
        command = [sys.executable, "-m", "trading.cli", "intake", *map(str, words)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.url = f"http://{line.split()[-1]}"

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait()
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.process = None

    def call(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        request = Request(self.url + path, data=body, method=method, headers=dict(headers or {}))  # noqa: S310 - loopback
        try:
            with urlopen(request) as answer:  # noqa: S310 - loopback
                return answer.status, json.loads(answer.read())
        except HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def hand_over(
        self, sealed: SealedBid, signer: Es256Signer, package: PolicyPackage, held: Sequence[str] = ()
    ) -> tuple[int, dict[str, Any]]:
        """Hand over an envelope; parts that are asked for are sent, then it is handed over again."""
        body = {
            "envelope": sealed.envelope.wire(),
            "held": list(held),
            "key": b64u(signer.spki),
            "package": package.wire(),
        }
        status, answer = self.call("POST", "/envelopes", dumps(body))
        if status == 409:
            for name in answer["missing"]:
                data = sealed.parts[name]
                assert self.call("PUT", f"/parts/{sha256_hex(data)}", data)[0] == 201
            status, answer = self.call("POST", "/envelopes", dumps(body))
        return status, answer


@contextmanager
def made_intake(directory: Path, signer: Es256Signer, shift_file: Path | None) -> Iterator[IntakeProcess]:
    """Make an intake that is not started yet."""
    directory.mkdir(parents=True)
    IntakeState.create(directory, log_vkey(ORIGIN, new_note_seed(directory / LOG_KEY)))
    token = secrets.token_urlsafe(32)
    write_secret(directory / "token", token.encode())
    save_es256(directory / "supervisor.key", signer, None)
    intake = IntakeProcess(directory=directory, signer=signer, shift_file=shift_file, token=token)
    try:
        yield intake
    finally:
        intake.stop()
