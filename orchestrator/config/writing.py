"""Values as a configuration file writes them, each on one line. Pure."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from enum import Enum
from typing import Final

from orchestrator.config.durations import show_duration
from orchestrator.config.scalars import resolve
from orchestrator.domain.foreign import redact

Value = object
"""What `written` knows: texts, numbers, yes and no, spans, times, names of a choice, and lists
(tuples) and mappings of these."""

_PLAIN: Final = re.compile(r"-?[\w/+.](?:[\w ./+*%@-]*[\w./+*%@-])?(?:://[\w./:?=@%-]*\w)?")
"""What needs no quotes anywhere, and a number of other things less, such as a time of day."""


def written(value: Value) -> str:
    """Return the value as YAML on one line: `30m`, `"22:00"`, `[1, 5, 25%]`, `{count: 3}`. It has
    no secret in it."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"{value:.15g}"
        case Mapping():
            items = (f"{_text(str(key))}: {written(each)}" for key, each in value.items())
            return f"{{{', '.join(items)}}}"
        case tuple():
            return f"[{', '.join(map(written, value))}]"
        case _:
            return _text(_spelt(value))


def _spelt(value: Value) -> str:
    match value:
        case timedelta():
            return show_duration(value)
        case Enum():
            return str(value.value)
        case datetime():
            return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        case time():
            return f"{value:%H:%M}"
        case _:
            return str(value)


def _text(text: str) -> str:
    """Quote a text that would be read as something else, or end a list. What is secret in a URL
    is left out, each text by itself: what hides it knows nothing of brackets."""
    text = redact(text)
    if _PLAIN.fullmatch(text) and resolve(text) == text:
        return text
    return json.dumps(text, ensure_ascii=False)
