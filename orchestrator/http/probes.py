"""What probes and Prometheus ask: alive, ready, how much. It tells nobody's secrets: no names of
runs but in the metrics, no paths, no reasons of the database."""

import asyncio
import re
from datetime import datetime, timedelta
from typing import Final

from aiohttp import web

from orchestrator.http.answering import HEADERS, answer, refusal
from orchestrator.http.behind import Door, Health
from orchestrator.http.token import proof
from orchestrator.ports import StoreUnavailableError

OLDEST_SCAN: Final = timedelta(seconds=60)
"""Scans come every 2 s; an engine that has not scanned for so long is stuck."""
QUESTION: Final = "Orchestrator-Question"
PROOF: Final = "Orchestrator-Proof"
"""The headers by which `/livez` proves whose daemon it is, before anybody sends it the token."""
_ANY_QUESTION: Final = re.compile("[0-9a-f]{32}")
_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"


class Probes:
    """The three routes that anyone on this machine may read."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def livez(self, request: web.Request) -> web.Response:
        """Answer 200 while the loop answers and the engine's last scan is young."""
        reply = self._alive()
        question = request.headers.get(QUESTION, "")
        if _ANY_QUESTION.fullmatch(question):
            reply.headers[PROOF] = proof(self._door.token, question)
        return reply

    def _alive(self) -> web.Response:
        stuck = stuck_since(self._door.health, self._door.clock.now())
        if stuck is not None:
            seconds = int(stuck.total_seconds())
            return refusal(503, "stuck", f"the engine has not looked at its runs for {seconds} s")
        return answer(200, {"status": "alive"})

    async def readyz(self, _request: web.Request) -> web.Response:
        """Answer 200 when the first scan is done and the database answers.

        Also in safe mode, which the body names: the daemon does what it should, and a person comes
        through this very door to end it. The metric is what calls them.
        """
        if self._door.health.scanned_at() is None:
            return refusal(503, "starting", "the engine has not looked at its runs yet")
        try:
            async with asyncio.timeout(self._door.patience.answer):
                await self._door.health.ask_database()
        except (StoreUnavailableError, TimeoutError) as error:
            self._door.observer.troubled("database", str(error) or "it took too long to answer")
            return refusal(503, "database_unreachable", "the database does not answer")
        safe_mode = self._door.health.safe_mode()
        if safe_mode is not None:
            return answer(200, {"status": "ready", "safe_mode": safe_mode.code})
        return answer(200, {"status": "ready"})

    async def metrics(self, _request: web.Request) -> web.Response:
        """Answer with the metrics."""
        headers = {**HEADERS, "Content-Type": _TEXT}
        response = web.Response(body=self._door.metrics(), headers=headers)
        response.force_close()
        return response


def stuck_since(health: Health, now: datetime) -> timedelta | None:
    """Return how long ago the last scan was if that is too long; None: all is well."""
    age = now - (health.scanned_at() or health.started_at)
    return age if age >= OLDEST_SCAN else None
