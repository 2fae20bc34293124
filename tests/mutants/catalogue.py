"""Every planted bug, by room."""

from typing import Final

from tests.mutants import (
    bounding,
    concluding,
    holding,
    keeping,
    rebooting,
    steering,
    submitting,
    timing,
)

MUTANTS: Final = (
    *submitting.MUTANTS,
    *concluding.MUTANTS,
    *steering.MUTANTS,
    *holding.MUTANTS,
    *keeping.MUTANTS,
    *timing.MUTANTS,
    *bounding.MUTANTS,
    *rebooting.MUTANTS,
)
