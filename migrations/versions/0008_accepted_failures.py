"""What counts against a budget, and what a person or a quarantine has accepted, in the views."""

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change no table: the views are made anew after each upgrade."""
