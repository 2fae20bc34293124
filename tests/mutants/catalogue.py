"""Every planted bug, by room."""

from typing import Final

from tests.mutants import concluding, keeping, steering, submitting

MUTANTS: Final = (
    *submitting.MUTANTS,
    *concluding.MUTANTS,
    *steering.MUTANTS,
    *keeping.MUTANTS,
)
