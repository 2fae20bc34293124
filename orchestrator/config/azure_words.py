"""Values that Azure will read: resource ids, guids, KB numbers, classifications, masks.

Each function returns the one spelling that we send or compare, and raises `Wrong`. The patterns
have no backtracking worth the name: they read what strangers wrote.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import partial
from ipaddress import ip_address

from orchestrator.config.problems import Wrong
from orchestrator.domain.model import VmId, vm_id

WINDOWS_CLASSIFICATIONS = (
    "Critical",
    "Security",
    "UpdateRollUp",
    "FeaturePack",
    "ServicePack",
    "Definition",
    "Tools",
    "Updates",
)
LINUX_CLASSIFICATIONS = ("Critical", "Security", "Other")
"""Both lists: azure-facts 1.1."""

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_VM = re.compile(
    r"/subscriptions/([^/]{1,64})/resourcegroups/([^/]{1,90})"
    r"/providers/(microsoft\.[a-z]{1,40})/([a-z]{1,40})/([^/]{1,64})",
    re.IGNORECASE,
)
_ORIGIN = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9.-]{1,253}|\[[0-9a-f:.]{2,45}\])"
    r"(:(?P<port>[1-9][0-9]{0,4}))?/?",
    re.IGNORECASE,
)
_NAME = re.compile(r"[\w.()-]+")
_KB = re.compile(r"(KB)?([0-9]{6,8})", re.IGNORECASE)
_MASK = re.compile(r"[A-Za-z0-9*?]+")
_SHAPE = (
    "write /subscriptions/<guid>/resourceGroups/<group>/providers/Microsoft.Compute"
    "/virtualMachines/<name>"
)


def read_guid(text: str) -> str:
    """Return a guid in lower case."""
    if not _GUID.fullmatch(text):
        raise Wrong("not a guid", "write it like 01234567-89ab-cdef-0123-456789abcdef")
    return text.lower()


def read_vm_id(text: str) -> VmId:
    """Return the resource id of a VM in lower case."""
    parts = _VM.fullmatch(text.strip().rstrip("/"))
    if not parts:
        raise Wrong("not the resource id of a VM", _SHAPE)
    subscription, group, provider, kind, name = parts.groups()
    match (provider.lower(), kind.lower()):
        case ("microsoft.compute", "virtualmachines"):
            pass
        case ("microsoft.hybridcompute", "machines"):
            raise Wrong("Arc machines are not supported yet", "leave it out")
        case _:
            raise Wrong("not the resource id of a VM", _SHAPE)
    if not _GUID.fullmatch(subscription):
        raise Wrong("the subscription in this resource id is not a guid", _SHAPE)
    if not (_NAME.fullmatch(group) and _NAME.fullmatch(name)):
        raise Wrong("a name in this resource id has characters that Azure does not allow", _SHAPE)
    return vm_id(text)


def read_resource_group(text: str) -> str:
    """Return the name of a resource group in lower case."""
    if not _NAME.fullmatch(text) or len(text) > 90:  # noqa: PLR2004 - Azure's longest name
        raise Wrong("not the name of a resource group", "write the name alone, without a path")
    return text.lower()


def read_kb(text: str) -> str:
    """Return a KB number as Azure wants it: `KB4512508`; without the prefix it answers 400."""
    found = _KB.fullmatch(text.strip())
    if not found:
        raise Wrong("not a KB number", "write it like KB4512508")
    if not found[1]:
        raise Wrong("a KB number without its prefix", f"write KB{found[2]}")
    return f"KB{found[2]}"


def read_classification(text: str, known: Sequence[str]) -> str:
    """Return a classification in Azure's spelling; it is compared without case."""
    spelled = {word.lower(): word for word in known}
    if exact := spelled.get(text.strip().lower()):
        return exact
    raise Wrong(f"not one of {', '.join(known)}", partial(_similar, text[:40], spelled))


def _similar(text: str, spelled: Mapping[str, str]) -> str:
    close = get_close_matches(re.sub(r"[\s_-]", "", text.lower()), spelled, n=1)
    words = ", ".join(spelled.values())
    return f"did you mean {spelled[close[0]]}?" if close else f"write one of {words}"


def read_name_mask(text: str) -> str:
    """Return a mask over names of Windows patches: letters, digits, `*` and `?` only."""
    if not _MASK.fullmatch(text):
        raise Wrong("a mask has only letters, digits, * and ?", "write it like *Defender*")
    return text


def read_package_mask(text: str) -> str:
    """Return a mask over Linux packages: `name_version` with wildcards, or a name."""
    if not text or re.search(r"\s", text):
        raise Wrong("a package mask has no spaces and is not empty", "write it like kernel*")
    return text


def read_instant(text: str) -> datetime:
    """Return a date (its first instant in UTC) or a time with an offset, in UTC."""
    try:
        instant = datetime.fromisoformat(text.strip())
    except ValueError:
        raise Wrong("neither a date nor a time", "write 2026-11-30 or an RFC 3339 time") from None
    if instant.tzinfo is None and len(text.strip()) > len("2026-11-30"):
        raise Wrong("a time without an offset", f"write {text.strip()}Z or give another offset")
    try:
        return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except OverflowError:
        raise Wrong("a time beyond the calendar", "write a later or earlier one") from None


def read_origin(text: str) -> str:
    """Return an https origin without a slash at the end. Plain http is for loopback only."""
    found = _ORIGIN.fullmatch(text)
    if not found or int(found["port"] or 1) > 65535:  # noqa: PLR2004 - the last port
        how = "write it like https://management.azure.com"
        raise Wrong("not the URL of a host: scheme, host and perhaps a port", how)
    scheme, rest = found["scheme"].lower(), text.partition("://")[2].rstrip("/").lower()
    if scheme == "http" and not is_loopback(found["host"].strip("[]")):
        raise Wrong("plain http is for loopback only", f"write https://{rest}")
    return f"{scheme}://{rest}"


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address can only be this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
