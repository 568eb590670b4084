"""The network between a function and its server, with a delay for each round trip, on each connection by itself.

python slow_link.py PORT MILLISECONDS
"""

import socket
import sys
import threading
import time
from contextlib import suppress
from statistics import median

from processes import serve


def _answer(server: socket.socket, client: socket.socket, spoke: threading.Event, seconds: float) -> None:
    """Forward a connection, and delay each answer once, even if it comes in several pieces."""
    with suppress(OSError):
        while data := server.recv(1 << 16):
            if spoke.is_set():
                spoke.clear()
                time.sleep(seconds)
            client.sendall(data)
        client.shutdown(socket.SHUT_RDWR)


def _connect(client: socket.socket, port: int, seconds: float) -> None:
    spoke = threading.Event()
    with client, socket.create_connection(("127.0.0.1", port)) as server:
        for one in (client, server):
            # Otherwise a message in two pieces waits 40 milliseconds for the acknowledgement of the first.
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answers = threading.Thread(target=_answer, args=(server, client, spoke, seconds), daemon=True)
        answers.start()
        with suppress(OSError):
            while data := client.recv(1 << 16):
                spoke.set()
                server.sendall(data)
            server.shutdown(socket.SHUT_RDWR)
        answers.join()


def _accept(listener: socket.socket, port: int, seconds: float) -> None:
    while True:
        client, _ = listener.accept()
        threading.Thread(target=_connect, args=(client, port, seconds), daemon=True).start()


def round_trips(port: int, count: int = 50) -> float:
    """Return the median round trip to an echo server, in milliseconds.

    Args:
        port: The port of the server, or of a link to it.
        count: The number of round trips.
    """
    took = []
    with socket.create_connection(("127.0.0.1", port)) as echo:
        echo.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(count):
            began = time.perf_counter()
            echo.sendall(b"?")
            echo.recv(1)
            took.append((time.perf_counter() - began) * 1000)
    return median(took)


def main() -> None:
    """Serve."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    port, milliseconds = int(sys.argv[1]), float(sys.argv[2])
    serve(listener.getsockname()[1], lambda: _accept(listener, port, milliseconds / 1000))


if __name__ == "__main__":
    main()
