"""The summary of a result as columns of its operation, and back. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from orchestrator.domain.result import Result

RESULT: Final = (
    "result_status", "installed", "failed", "pending", "excluded", "not_selected",
    "reboot_status", "window_exceeded", "error_code", "error_message",
    "failed_patches",
)  # fmt: skip
"""The columns."""
_SEPARATOR: Final = ", "


def result_to_row(result: Result | None) -> dict[str, Any]:
    """Flatten a result; nothing for none."""
    if result is None:
        return {}
    return {
        "result_status": result.status,
        "installed": result.installed,
        "failed": result.failed,
        "pending": result.pending,
        "excluded": result.excluded,
        "not_selected": result.not_selected,
        "reboot_status": result.reboot,
        "window_exceeded": result.window_exceeded,
        "error_code": result.error_code,
        "error_message": result.error_message,
        "failed_patches": _SEPARATOR.join(result.culprits) or None,
    }


def result_from_row(row: Mapping[Any, Any]) -> Result | None:
    """Rebuild a result; None where the row has none."""
    if row["result_status"] is None:
        return None
    return Result(
        status=row["result_status"],
        installed=row["installed"],
        failed=row["failed"],
        pending=row["pending"],
        excluded=row["excluded"],
        not_selected=row["not_selected"],
        reboot=row["reboot_status"],
        window_exceeded=row["window_exceeded"],
        error_code=row["error_code"],
        error_message=row["error_message"],
        culprits=tuple(row["failed_patches"].split(_SEPARATOR)) if row["failed_patches"] else (),
    )
