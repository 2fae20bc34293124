"""The keys under `patches`: every field that installPatches takes (azure-facts 1.1)."""

from typing import Self

from pydantic import model_validator

from orchestrator.config import values
from orchestrator.config.keys import Keys
from orchestrator.config.problems import Wrong
from orchestrator.config.values import Many


class WindowsKeys(Keys):
    """Which patches Windows VMs install."""

    classifications: Many[values.WindowsClassification] | None = None
    """Which kinds of patches."""
    kb_include: Many[values.KbText] | None = None
    """KB numbers to install besides."""
    kb_exclude: Many[values.KbText] | None = None
    """KB numbers to leave out."""
    exclude_kbs_requiring_reboot: bool = False
    """Leave out whatever may need a reboot."""
    max_publish_date: values.Instant | None = None
    """Leave out what was published later: a date, or a time with its offset."""
    name_masks_include: Many[values.NameMask] | None = None
    """Masks over patch names to install: letters, digits, * and ?."""
    name_masks_exclude: Many[values.NameMask] | None = None
    """Masks over patch names to leave out."""


class LinuxKeys(Keys):
    """Which packages Linux VMs install."""

    classifications: Many[values.LinuxClassification] | None = None
    """Which kinds of packages; Critical and Security only together."""
    package_masks_include: Many[values.PackageMask] | None = None
    """Packages to install besides: name_version, with wildcards."""
    package_masks_exclude: Many[values.PackageMask] | None = None
    """Packages to leave out."""
    maintenance_run_id: values.Text | None = None
    """Sent as it is; Azure notes it with the result."""

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        """For the guest's extension they are one unit (azure-facts 1.1)."""
        given = set(self.classifications or ()) & {"Critical", "Security"}
        if len(given) == 1:
            missing = ({"Critical", "Security"} - given).pop()
            message = "on Linux Critical and Security are one unit: both or neither"
            raise Wrong(message, f"add {missing}")
        return self


class PatchesKeys(Keys):
    """Which patches, by operating system."""

    windows: WindowsKeys | None = None
    """For Windows VMs."""
    linux: LinuxKeys | None = None
    """For Linux VMs."""
