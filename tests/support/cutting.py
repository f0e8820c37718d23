"""A way to a server that is cut after so many bytes, as a lost connection cuts it: both sides get a reset."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER of zero seconds: close() resets
_READ = 65_536


@dataclass
class Way:
    """Counts the bytes that clients send; after each number of them in ``plan`` the connection is cut."""

    target: tuple[str, int]
    sent: int = 0
    connections: int = 0
    cuts: int = 0
    plan: list[int] = field(default_factory=list)
    at_cut: Callable[[], None] = lambda: None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def carry(self, client: socket.socket) -> None:
        """Carry one connection until either side ends it."""
        with suppress(OSError), client, socket.create_connection(self.target) as server:
            back = threading.Thread(target=_pump, args=(server, client))
            back.start()
            try:
                self._forward(client, server)
            finally:
                for side in (client, server):
                    with suppress(OSError):
                        side.shutdown(socket.SHUT_RDWR)
                back.join()

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        while data := client.recv(_READ):
            with self._lock:
                passing = data[: self.plan[0]] if self.plan else data
                self.sent += len(passing)
                is_cut = bool(self.plan) and len(passing) == self.plan[0]
                if is_cut:
                    self.plan.pop(0)
                    self.cuts += 1
                elif self.plan:
                    self.plan[0] -= len(passing)
            server.sendall(passing)
            if is_cut:
                self.at_cut()
                for side in (client, server):
                    side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                return


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(_READ):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def way_to(base: str) -> Iterator[tuple[str, Way]]:
    """Yield an address that leads to ``base``, and what happens on the way."""
    url = urlsplit(base)
    way = Way((url.hostname or "", url.port or 0))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threads: list[threading.Thread] = []

        def listen() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                way.connections += 1
                threads.append(threading.Thread(target=way.carry, args=(client,)))
                threads[-1].start()

        accepting = threading.Thread(target=listen)
        accepting.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", way
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for thread in threads:
                thread.join()
