"""Time-stamping authorities for tests: the real ``openssl ts -reply`` behind HTTP, the product's own, and forgers."""

from __future__ import annotations

import socketserver
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from typing_extensions import override

from agents.stamp_server import StampServer
from trading.crypto.authority import Question, Signer, make_root, make_stamper
from trading.crypto.stamps import QUERY_TYPE, REPLY_TYPE
from trading.kernel.clock import Clock, SystemClock

# ``certs`` is left out: openssl would write an unsorted SET of certificates (TE1 T8).
_CONFIG = """
[tsa]
default_tsa = one
[one]
serial = serial
signer_cert = signer.pem
signer_key = signer.key
signer_digest = sha256
default_policy = 1.3.6.1.4.1.32473.1
digests = sha256
accuracy = secs:1
ess_cert_id_chain = no
ess_cert_id_alg = sha256
{more}
"""


class OpensslAuthority:
    """An authority whose every answer ``openssl ts -reply`` makes; ``more`` goes into its configuration."""

    def __init__(self, folder: Path, name: str, more: str = "", *, rsa: bool = False) -> None:
        folder.mkdir()
        self.folder, self.name = folder, name
        new_key = "rsa:2048" if rsa else "ec -pkeyopt ec_paramgen_curve:P-256"
        request = f"req -x509 -newkey {new_key} -nodes -days 30 -sha256"
        self._openssl(f"{request} -subj /CN={name}-root -keyout root.key -out root.pem")
        purpose = "-addext extendedKeyUsage=critical,timeStamping -addext basicConstraints=critical,CA:FALSE"
        signed = f"-subj /CN={name} -CA root.pem -CAkey root.key -keyout signer.key -out signer.pem"
        self._openssl(f"{request} {signed} {purpose}")
        (folder / "serial").write_text("01\n")
        (folder / "openssl.cnf").write_text(_CONFIG.format(more=more))
        self.answered = 0

    @property
    def root(self) -> bytes:
        """The root certificate in DER."""
        return self._openssl("x509 -in root.pem -outform DER")

    def reply(self, request: bytes) -> bytes:
        """Answer a request."""
        self.answered += 1
        (self.folder / "request.tsq").write_bytes(request)
        self._openssl("ts -reply -config openssl.cnf -queryfile request.tsq -out answer.tsr")
        return (self.folder / "answer.tsr").read_bytes()

    def _openssl(self, words: str) -> bytes:
        done = subprocess.run(["openssl", *words.split()], cwd=self.folder, capture_output=True, check=True)
        return done.stdout


def openssl_accepts(answer: bytes, message: bytes, root: bytes, folder: Path, *, at_ms: int) -> bool:
    """Whether ``openssl ts -verify`` takes an answer for a stamp over ``message``, judged at an instant."""
    pem = x509.load_der_x509_certificate(root).public_bytes(serialization.Encoding.PEM)
    for name, data in (("a.tsr", answer), ("a.msg", message), ("a.pem", pem)):
        (folder / name).write_bytes(data)
    words = ["ts", "-verify", "-in", "a.tsr", "-data", "a.msg", "-CAfile", "a.pem", "-attime", str(at_ms // 1000)]
    return subprocess.run(["openssl", *words], cwd=folder, capture_output=True, check=False).returncode == 0


class _Handler(BaseHTTPRequestHandler):
    server: _Front  # type: ignore[mutable-override] # socketserver types the attribute, not the class
    timeout: ClassVar[float | None] = 5.0

    def do_POST(self) -> None:
        assert self.headers["Content-Type"] == QUERY_TYPE
        request = self.rfile.read(int(self.headers["Content-Length"]))
        data = self.server.authority.reply(request)
        wanted = self.server.authorization
        self.send_response(self.server.status if wanted in {None, self.headers["Authorization"]} else 401)
        self.send_header("Content-Type", self.server.kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    @override
    def log_message(self, format: str, *args: object) -> None:
        pass


class _Front(ThreadingHTTPServer):
    """Changes of ``status`` and ``kind`` make it answer as something else would; ``authorization`` is asked for."""

    status, kind = 200, REPLY_TYPE
    authorization: str | None = None

    def __init__(self, authority: OpensslAuthority) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.authority = authority


class _Dripping(socketserver.StreamRequestHandler):
    """Begins to answer and never comes to an end, a byte at a time."""

    beginning: ClassVar[bytes] = b""

    @override
    def handle(self) -> None:
        never = threading.Event()
        with suppress(OSError):
            self.wfile.write(self.beginning)
            while not never.wait(0.02):
                self.wfile.write(b"x")


@contextmanager
def dripping(beginning: bytes) -> Iterator[str]:
    """Serve an authority that drips after these bytes; yield its address."""
    handler = type("Dripping", (_Dripping,), {"beginning": beginning})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[str]:
    """Serve in a thread of this process; yield the address."""
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/tsa"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def encrypt(server: _Front, folder: Path) -> Path:
    """Have a server speak TLS as 127.0.0.1; return the certificate to trust."""
    key, root = folder / "tls.key", folder / "tls.pem"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=tls"
    more = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(root)]
    subprocess.run(["openssl", *words.split(), *more], capture_output=True, check=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(root, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return root


def openssl_front(authority: OpensslAuthority) -> _Front:
    """Return the HTTP server of an authority; ``serving`` starts it."""
    return _Front(authority)


class OwnAuthority:
    """The product's own authority with a root of its own; quick, and its clock is an argument."""

    def __init__(self, name: str, clock: Clock | None = None) -> None:
        self.name, self.clock = name, clock or SystemClock()
        self.root = make_root(f"{name}-root", self.clock.now_ms())
        self.signer = make_stamper(name, self.root, self.clock.now_ms())

    def server(self) -> StampServer:
        return StampServer(("127.0.0.1", 0), self.signer, self.clock)


def forged_signer(
    root: Signer,
    at_ms: int,
    *,
    purposes: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.TIME_STAMPING,),
    critical: bool = True,
    days: tuple[int, int] = (-1, 3650),
) -> Signer:
    """A certificate of ``root`` that is wrong in one respect; ``days`` are its first and last day from ``at_ms``."""
    key = ec.generate_private_key(ec.SECP256R1())
    moment = datetime.fromtimestamp(at_ms // 1000, UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "forged")]))
        .issuer_name(root.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment + timedelta(days=days[0]))
        .not_valid_after(moment + timedelta(days=days[1]))
    )
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=critical)
    return Signer(certificate=builder.sign(root.key, hashes.SHA256()), key=key)


def question(message: bytes, nonce: int | None = 77) -> Question:
    """What a request over ``message`` asks."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(message)
    return Question(imprint=digest.finalize(), nonce=nonce)
