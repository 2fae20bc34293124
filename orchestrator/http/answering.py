"""How the door answers: JSON, never cached, with headers that let a browser do nothing with it."""

import json
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def answer(status: int, body: Mapping[str, Any]) -> web.Response:
    """Answer with a JSON object, in ASCII: nothing in it steers a terminal or ends a line."""
    response = web.Response(
        status=status, body=json.dumps(body).encode("ascii") + b"\n", headers=HEADERS
    )
    response.content_type = "application/json"
    response.force_close()
    return response


def refusal(status: int, code: str, message: str) -> web.Response:
    """Answer with an error: a stable code for programs, a sentence for people."""
    return answer(status, {"error": {"code": code, "message": message}})
