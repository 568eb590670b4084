"""The client: it retries with the same id until a webhook is accepted, and gives up in the end as providers do."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from math import inf
from random import Random

import httpx

from .plan import Ingress, Plan, Planned

CONCURRENCY = 12
# Its tries, and its timeouts: shorter or longer than a publisher waits for SQS.
_TRIES = 12
_ANSWER_SECONDS = (8, 15)
_LONGEST_PAUSE = 4


class Client:
    """Sends every delivery of the plan to its ingress, ``CONCURRENCY`` at a time.

    ``accepted`` counts the acceptances of each webhook by its number, and ``through`` the finished deliveries. The
    faults of a lane hold it back by ``limits``, so that each strikes as planned, even if the one before took long.
    """

    def __init__(self, urls: Mapping[Ingress, str], plan: Plan) -> None:
        self.accepted: Counter[int] = Counter()
        self.rejected: Counter[int] = Counter()
        self.unanswered: Counter[str] = Counter()
        self.requests = 0
        self.through = 0
        self.seconds = 0.0
        self.limits: dict[str, float] = {}
        self._urls = urls
        self._plan = plan
        self._chance = Random(f"client {plan.seed}")

    def run(self, on_through: Callable[[], object] = lambda: None) -> None:
        """Send all, and call ``on_through`` after each."""
        started = time.monotonic()
        asyncio.run(self._run(on_through))
        self.seconds = time.monotonic() - started

    async def _run(self, on_through: Callable[[], object]) -> None:
        deliveries = iter(enumerate(self._plan.deliveries))

        async def work() -> None:
            async with httpx.AsyncClient(trust_env=False) as http:
                for position, number in deliveries:
                    while position >= min(list(self.limits.values()), default=inf):
                        await asyncio.sleep(0.1)
                    is_accepted = await self._deliver(http, self._plan.webhooks[number])
                    self.accepted[number] += is_accepted
                    self.through += 1
                    on_through()

        await asyncio.gather(*(work() for _ in range(CONCURRENCY)))

    async def _deliver(self, http: httpx.AsyncClient, webhook: Planned) -> bool:
        """Return whether the webhook was accepted in the end."""
        target = self._urls[webhook.ingress].rstrip("/") + webhook.path + "?" + webhook.query
        headers = {"Idempotency-Key": webhook.id, "Content-Type": webhook.content_type, "X-Number": str(webhook.number)}
        for attempt in range(_TRIES):
            if attempt:
                await asyncio.sleep(min(0.2 * 2**attempt, _LONGEST_PAUSE) * self._chance.uniform(0.5, 1))
            self.requests += 1
            try:
                timeout = self._chance.choice(_ANSWER_SECONDS)
                answer = await http.post(target, headers=headers, content=webhook.body, timeout=timeout)
            except httpx.HTTPError as error:
                self.unanswered[type(error).__name__] += 1
                continue
            if answer.status_code == 202:
                return True
            self.rejected[answer.status_code] += 1
        return False
