"""What Prometheus answers to an instant query: bytes in, a reading out. Pure."""

import json
from collections.abc import Iterator
from math import nan
from typing import Any

from orchestrator.domain.foreign import harmless
from orchestrator.domain.gate import Bound, Reading

_LONGEST_SAID = 200


def read(content: bytes, bound: Bound | None) -> Reading:
    """Judge an answer of `/api/v1/query`: there must be a value, and each must be within the
    bound."""
    if bound is None:
        return Reading(False, "the gate has no bound")
    try:
        said = json.loads(content)
        if said["status"] != "success":
            words = harmless(str(said["error"])[:_LONGEST_SAID])
            return Reading(False, f"Prometheus says {words}")
        figures = list(_figures(said["data"]))
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        return Reading(False, "the answer is none of Prometheus")
    if not figures:
        return Reading(False, "the query has no value")
    bad = [figure for figure in figures if not bound.holds(figure)]
    if bad:
        among = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        return Reading(False, f"{bad[0]:g} is not {bound}{among}")
    return Reading(True, f"{figures[0]:g} is {bound}")


def _figures(data: Any) -> Iterator[float]:  # noqa: ANN401 - any JSON
    """Yield the values of an instant vector or of a scalar."""
    if data["resultType"] == "scalar":
        yield _figure(data["result"][1])
        return
    if data["resultType"] != "vector":
        raise ValueError("a gate's query is an instant vector or a scalar")
    for sample in data["result"]:
        yield _figure(sample["value"][1])


def _figure(text: Any) -> float:  # noqa: ANN401 - any JSON
    """Read a value as Prometheus writes it: `NaN` and `+Inf` are values, too."""
    return float(text) if isinstance(text, str) else nan
