"""A TCP proxy on loopback on which calls to a server go wrong."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from math import inf

# As a delay: the connection ends instead.
NEVER = inf


def _nothing() -> None:
    """Let the call through."""


class WeakLink:
    """A proxy in front of a port.

    ``rejected`` counts calls that did not reach the server, ``delays`` has those of late responses, and ``cut`` counts
    lost responses.
    """

    def __init__(self, port: int) -> None:
        self._instead: Callable[[], bytes | None] = _nothing
        self._held_back: list[Callable[[bytes], float]] = []
        self.rejected = self.cut = 0
        self.delays: list[float] = []
        self._server_port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.port: int = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()

    @contextmanager
    def rejecting(self, instead: Callable[[], bytes | None]) -> Iterator[None]:
        """Answer calls without the server in the block. ``instead`` returns the response, or None to let a call
        through.
        """
        self._instead = instead
        try:
            yield
        finally:
            self._instead = _nothing

    @contextmanager
    def holding_back(self, delay: Callable[[bytes], float]) -> Iterator[None]:
        """Delay responses in the block. ``delay`` gets the beginning of one, and returns seconds or ``NEVER``.

        Blocks of several threads may overlap: the longest delay counts.
        """
        self._held_back.append(delay)
        try:
            yield
        finally:
            self._held_back.remove(delay)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> int:
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self._listener.sockets[0].getsockname()[1])

    async def _end(self) -> None:
        self._listener.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        try:
            server, to_server = await asyncio.open_connection("127.0.0.1", self._server_port)
        except OSError:
            to_client.close()
            return
        # From the first part of a call to the first of its response: both may have several.
        asked = asyncio.Event()
        both = [
            asyncio.create_task(self._pass_calls(client, to_server, to_client, asked)),
            asyncio.create_task(self._pass_answers(server, to_client, asked)),
        ]
        with suppress(asyncio.CancelledError):  # by close(); asyncio would complain of it
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for task in both:
            task.cancel()
        to_server.close()
        to_client.close()

    async def _pass_calls(
        self,
        client: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
        to_client: asyncio.StreamWriter,
        asked: asyncio.Event,
    ) -> None:
        with suppress(OSError):
            while data := await client.read(1 << 16):
                if not asked.is_set():
                    answer = self._instead()
                    if answer is not None:
                        self.rejected += 1
                        if answer:
                            to_client.write(answer)
                            to_client.write_eof()
                            # Closing a connection resets it while the client still writes, and the response would be
                            # lost.
                            while await client.read(1 << 16):
                                pass
                        return
                    asked.set()
                to_server.write(data)
                await to_server.drain()

    async def _pass_answers(
        self, server: asyncio.StreamReader, to_client: asyncio.StreamWriter, asked: asyncio.Event
    ) -> None:
        with suppress(OSError):
            while data := await server.read(1 << 16):
                if asked.is_set():
                    asked.clear()
                    seconds = max((delay(data) for delay in list(self._held_back)), default=0.0)
                    if seconds == NEVER:
                        self.cut += 1
                        return
                    if seconds:
                        self.delays.append(seconds)
                        await asyncio.sleep(seconds)
                to_client.write(data)
                await to_client.drain()
