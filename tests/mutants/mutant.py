"""What a planted bug is: replaced snippets of shipped code, and why that is a bug. Data only."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edit:
    """One replacement: `before` occurs exactly once in `file` (a path below the repository)."""

    file: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """One bug. Several edits where the same mistake would be made in several places, or where one
    guard alone hides behind another.

    `masked_by` names what makes it harmless: such a mutant is an equivalent, and must survive.
    """

    name: str
    why: str
    edits: tuple[Edit, ...]
    masked_by: str = ""
