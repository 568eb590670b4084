"""A slow way to a server: a TCP proxy on loopback that holds answers back."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress


class LateLink:
    """``delay`` says by how many seconds the next answer comes late; set it at any time. ``delays`` are those that came
    late so far."""

    def __init__(self, port: int) -> None:
        self.delay: Callable[[], float] = lambda: 0
        self.delays: list[float] = []
        self._server_port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.port: int = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()

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
        asked = asyncio.Event()
        both = [
            asyncio.create_task(_pump(client, to_server, on_data=asked.set)),
            asyncio.create_task(_pump(server, to_client, before=lambda: self._hold_back(asked))),
        ]
        with suppress(asyncio.CancelledError):  # by close(); asyncio would complain of it
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for task in both:
            task.cancel()
        to_server.close()
        to_client.close()

    async def _hold_back(self, asked: asyncio.Event) -> None:
        """Once an answer, which may come in parts."""
        if not asked.is_set():
            return
        asked.clear()
        seconds = self.delay()
        if seconds:
            self.delays.append(seconds)
            await asyncio.sleep(seconds)


async def _nothing() -> None:
    pass


async def _pump(
    source: asyncio.StreamReader,
    target: asyncio.StreamWriter,
    *,
    on_data: Callable[[], object] = lambda: None,
    before: Callable[[], Coroutine[None, None, None]] = _nothing,
) -> None:
    with suppress(OSError):
        while data := await source.read(1 << 16):
            on_data()
            await before()
            target.write(data)
            await target.drain()
