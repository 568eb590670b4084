"""The network between a sink and its server, which a test can cut in the middle of a batch."""

import socket
import ssl
import threading
from collections.abc import Callable, Collection
from contextlib import suppress

Wrap = Callable[[socket.socket], socket.socket]


class Link:
    """Listens on loopback and forwards to a server.

    ``greet`` may talk to the client first, and start TLS. ``attempts`` counts connections, and ``round_trips`` the
    changes from server to client.
    """

    def __init__(self, port: int, greet: Wrap = lambda client: client) -> None:
        self._server_port = port
        self._greet = greet
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: set[socket.socket] = set()
        self._is_cut = False
        self._is_held = False
        self._reads = threading.Event()
        self._reads.set()
        self._client_spoke = False
        self._requests_left: int | None = None
        self._lock = threading.Lock()
        self.attempts = 0
        self.round_trips = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def open(self) -> int:
        """The number of open connections."""
        with self._lock:
            return sum(1 for one in self._sockets if one.fileno() != -1) // 2

    def cut(self) -> None:
        """End every connection, and accept no other."""
        self._is_cut = True
        self.drop()

    def cut_after(self, requests: int) -> None:
        """Cut after so many further requests. The last one gets no response."""
        with self._lock:
            self._requests_left = requests

    def hold(self) -> None:
        """Forward no response, like a server that hangs."""
        self._is_held = True

    def stall(self) -> None:
        """Read nothing more from the client, like a lost route to the server."""
        self._reads.clear()

    def fix(self) -> None:
        with self._lock:
            self._requests_left = None
        self._is_cut = self._is_held = False
        self._reads.set()

    def drop(self, *, but: Collection[socket.socket] = ()) -> None:
        """End all open connections."""
        with self._lock:
            sockets, self._sockets = self._sockets.difference(but), self._sockets.intersection(but)
        for one in sockets:
            # By a reset, as of a server that is gone, so that the client does not wait.
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def close(self) -> None:
        self.cut()
        self._reads.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.attempts += 1
            if self._is_cut:
                client.close()
                continue
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            client = self._greet(client)
            server = socket.create_connection(("127.0.0.1", self._server_port), 10)
        except (OSError, ssl.SSLError):
            client.close()
            return
        for one in (client, server):
            one.settimeout(None)
            # Otherwise a message in two parts waits 40 milliseconds for the acknowledgement of the first.
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._sockets |= {client, server}
        threading.Thread(target=self._pump, args=(server, client), daemon=True).start()
        self._pump(client, server, is_client=True)

    def _pump(self, source: socket.socket, target: socket.socket, *, is_client: bool = False) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 20):
                self.round_trips += is_client and not self._client_spoke
                self._client_spoke = is_client
                if is_client:
                    self._reads.wait()
                was_last = is_client and self._was_last()
                if was_last:
                    # Do all of it before the server gets this. It may answer and close the connection, and a test may
                    # restore the link, before this thread runs again.
                    self._is_cut = self._is_held = True
                    self.drop(but=(source, target))
                if is_client or not self._is_held:
                    target.sendall(data)
                if was_last:
                    break
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _was_last(self) -> bool:
        with self._lock:
            if self._requests_left is None:
                return False
            self._requests_left -= 1
            return self._requests_left <= 0


def postgres_tls(context: ssl.SSLContext) -> Wrap:
    """Start TLS as Postgres does, in front of a server without it: the client asks for it first."""

    def greet(client: socket.socket) -> socket.socket:
        client.settimeout(10)
        client.recv(8)
        client.sendall(b"S")
        secure = context.wrap_socket(client, server_side=True)
        secure.settimeout(None)
        return secure

    return greet
