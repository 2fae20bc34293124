"""The floor: a heap of due times, 100 workers and a connection pool of aiohttp, nothing else.

It has the settings of the product (loop, pool, headers, a frozen collector) and none of its duties:
no database, no guard, no judgement, no log. `python -m benchmarks.rivals.bare JOB`.
"""

import asyncio
import gc
import json
from heapq import heappop, heappush
from itertools import count
from time import monotonic

import aiohttp
from yarl import URL

from benchmarks.fake_arm import FakeArm, operation_urls
from benchmarks.fleet import fleet, spread
from benchmarks.measure import Figures, Job, Stopwatch, job, peak_rss_bytes, run

_HEADERS = {
    "authorization": "Bearer token",
    "accept": "application/json",
    "accept-language": "en",
    "user-agent": "bare",
}


class _Loop:
    """Polls every operation until it has ended."""

    def __init__(self, given: Job, session: aiohttp.ClientSession) -> None:
        self._job = given
        self._session = session
        self._urls = [
            operation_urls(given.origin, vm, given.takes_s).status_url
            for vm in fleet(given.vms, given.subscriptions)
        ]
        self._heap: list[tuple[float, int]] = []
        self._due: asyncio.Queue[int] = asyncio.Queue()
        self._left = given.vms
        self._guid, self._requests = "00000000-0000-4000-8000-", count()
        self._over = asyncio.Event()

    async def poll_all(self) -> None:
        """Poll until nothing runs any more."""
        began = monotonic()
        for number in range(self._job.vms):
            heappush(self._heap, (began + self._job.poll_s * spread(number), number))
        tasks = [asyncio.create_task(self._work()) for _ in range(self._job.workers)]
        tasks.append(asyncio.create_task(self._deal()))
        await self._over.wait()
        for task in tasks:
            task.cancel()

    async def _deal(self) -> None:
        while True:
            now = monotonic()
            while self._heap and self._heap[0][0] <= now:
                self._due.put_nowait(heappop(self._heap)[1])
            await asyncio.sleep(max(0.001, self._heap[0][0] - now) if self._heap else 0.01)

    async def _work(self) -> None:
        while True:
            number = await self._due.get()
            if await self._running(self._urls[number]):
                heappush(self._heap, (monotonic() + self._job.poll_s, number))
                continue
            self._left -= 1
            if not self._left:
                self._over.set()

    async def _running(self, url: str) -> bool:
        headers = {**_HEADERS, "x-ms-client-request-id": f"{self._guid}{next(self._requests):012x}"}
        target = URL(url, encoded=True)
        async with self._session.get(target, headers=headers, allow_redirects=False) as response:
            found = json.loads(await response.read())
        return bool(found["status"] == "InProgress")


async def _main(given: Job) -> Figures:
    connector = aiohttp.TCPConnector(limit=given.workers)
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(connector=connector, cookie_jar=jar) as session:
        loop = _Loop(given, session)
        gc.freeze()
        FakeArm(given.origin).epoch(takes_s=given.takes_s)
        watch = Stopwatch.started()
        await loop.poll_all()
        return {**watch.read(), "peak_rss": peak_rss_bytes()}


if __name__ == "__main__":
    run(_main(job()))
