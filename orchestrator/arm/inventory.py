"""Listing what Azure has: subscriptions and VMs, page by page.

It selects nothing and remembers nothing.

Pages are reads and may be repeated, so tenacity does; a page's successor is a URL from outside and
passes the guard.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final
from urllib.parse import quote

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_result,
    stop_after_attempt,
    wait_exponential,
)

from orchestrator.arm import guard, headers, replies, views
from orchestrator.arm.clouds import Cloud
from orchestrator.arm.documents import Document
from orchestrator.arm.exchange import HttpReply
from orchestrator.domain.inventory import Machine
from orchestrator.ports import Clock, InventoryError, Observer

SUBSCRIPTIONS_API: Final = "2022-12-01"
MOST_PAGES: Final = 2000
_ATTEMPTS: Final = 5
_BACKOFF = wait_exponential(multiplier=1, max=30)

Unread = str
"""Why a page was not answered at all."""
Page = HttpReply | guard.Refused | Unread
Read = Callable[[str, re.Pattern[str]], Awaitable[Page]]
"""How a page is asked for: a URL, and the paths it may have."""


class Inventory:
    """Lists through `read`, which asks once and lets no URL past the guard."""

    def __init__(
        self, read: Read, cloud: Cloud, clock: Clock, observer: Observer, api_version: str
    ) -> None:
        self._read = read
        self._cloud = cloud
        self._clock = clock
        self._observer = observer
        self._api_version = api_version

    async def machines(self, subscription: str, resource_group: str | None) -> Sequence[Machine]:
        """List the VMs of a subscription or of one resource group (azure-facts 1.7).

        Each VM once, in Azure's order. Raises `InventoryError`.
        """
        within = f"/subscriptions/{quote(subscription, safe='')}"
        what = f"the virtual machines of subscription {subscription}"
        if resource_group is not None:
            within += f"/resourceGroups/{quote(resource_group, safe='()')}"
            what += f", resource group {resource_group}"
        url = self._url(f"{within}/providers/Microsoft.Compute/virtualMachines", self._api_version)
        found: dict[str, Machine] = {}
        async for entry in self._entries(url, guard.compute(subscription), what):
            machine = views.machine(entry)
            if machine is None:
                self._observer.troubled("inventory", f"an entry among {what} is no virtual machine")
            else:
                found[machine.vm_id] = machine
        return tuple(found.values())

    async def subscriptions(self) -> Sequence[str]:
        """List the subscriptions that can be read and are not disabled, in lower case, sorted.

        Raises `InventoryError`.
        """
        url = self._url("/subscriptions", SUBSCRIPTIONS_API)
        entries = self._entries(url, guard.SUBSCRIPTIONS, "the subscriptions")
        return sorted({found async for entry in entries if (found := views.subscription(entry))})

    def _url(self, path: str, api_version: str) -> str:
        return f"{self._cloud.endpoint}{path}?api-version={quote(api_version)}"

    async def _entries(
        self, url: str, paths: re.Pattern[str], what: str
    ) -> AsyncIterator[Document]:
        asked: set[str] = set()
        while url:
            if url in asked or len(asked) == MOST_PAGES:
                message = f"Azure's list of {what} does not end: {len(asked)} pages were read"
                raise InventoryError(message)
            asked.add(url)
            page = await self._page(url, paths, what)
            for entry in page.entries:
                yield entry
            url = page.next_url

    async def _page(self, url: str, paths: re.Pattern[str], what: str) -> views.Page:
        again = AsyncRetrying(
            retry=retry_if_result(_worth_repeating),
            stop=stop_after_attempt(_ATTEMPTS),
            wait=_pause,
            sleep=self._clock.sleep,
            retry_error_callback=_answer,
        )
        reply: Page = await again(self._read, url, paths)
        page = views.page(reply) if isinstance(reply, HttpReply) else None
        if page is None:
            message = f"Azure did not list {what}: {_why(reply)}"
            raise InventoryError(message)
        return page


def _worth_repeating(reply: Page) -> bool:
    if not isinstance(reply, HttpReply):
        return isinstance(reply, Unread)
    return reply.status in {401, 408, 429} or reply.status >= 500 or not reply.whole


def _pause(state: RetryCallState) -> float:
    """Wait as long as Azure asks, or longer each time (azure-facts 4.1)."""
    reply = _answer(state)
    asked = headers.retry_after(reply.headers) if isinstance(reply, HttpReply) else None
    return asked.total_seconds() if asked is not None else _BACKOFF(state)


def _answer(state: RetryCallState) -> Page:
    if state.outcome is None:
        raise RuntimeError("tenacity asked about a page before it was read")
    answer: Page = state.outcome.result()
    return answer


def _why(reply: Page) -> str:
    if isinstance(reply, Unread):
        return reply
    if isinstance(reply, guard.Refused):
        return reply.reason
    if reply.status == 403:
        return f"{replies.spoken(reply)} (the identity needs to read there)"
    if reply.status == 200:
        return "its answer is no list"
    return replies.spoken(reply)
