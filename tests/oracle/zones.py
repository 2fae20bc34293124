"""Zones to be walked: all of the IANA database, and some that no government has thought of."""

import struct
import zoneinfo
from pathlib import Path

NOT_OURS = ("localtime", "Factory", "posixrules", "posix/", "right/")
# None whose change spills over into another year: there Python's zoneinfo contradicts itself.
INVENTED = {
    "Odd_Minutes": "AAA-3BBB-3:45,M3.2.0/0:17,M11.1.0/1:02",
    "Backwards": "IST-1GMT0,M10.5.0,M3.5.0/1",
    "At_Midnight": "AAA3BBB,M4.1.5/0,M9.5.4/24",
    "Three_Hours": "AAA-5BBB-8,M3.5.0/2,M10.5.0/3",
    "Before_Midnight": "AAA-2BBB,M3.5.6/23:30,M10.5.6/23:30",
    "Far_West": "AAA11:30BBB10:30,M3.5.0/1:30,M10.5.0/2:30",
    "Far_East": "AAA-14BBB-14:20,M3.5.0/1,M10.5.0/1:20",
    "Short_Summer": "AAA-1BBB,M6.1.0/2,M6.2.0/3",
    "Twenty_Minutes": "AAA-1BBB-1:20,M3.5.0/2:50,M10.5.0/3:10",
}


def known() -> list[str]:
    """Return the names of the zones that a schedule may have."""
    names = zoneinfo.available_timezones()
    return sorted(name for name in names if not name.startswith((*NOT_OURS, "Oracle/")))


def invent(folder: Path) -> list[str]:
    """Write the invented zones into a folder, let them be found, and return their names."""
    (folder / "Oracle").mkdir(exist_ok=True)
    for name, rule in INVENTED.items():
        (folder / "Oracle" / name).write_bytes(compiled(rule))
    zoneinfo.reset_tzpath(to=[str(folder), *zoneinfo.TZPATH])
    return [f"Oracle/{name}" for name in INVENTED]


def compiled(rule: str) -> bytes:
    """Return a TZif file (RFC 8536) that holds nothing but its rule."""
    header = b"TZif2" + bytes(15) + struct.pack(">6I", 0, 0, 0, 0, 1, 4)
    block = header + struct.pack(">lBB", 0, 0, 0) + b"UTC\0"
    return block + block + f"\n{rule}\n".encode()
