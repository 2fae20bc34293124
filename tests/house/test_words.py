"""What no text of the repository may say, and how long the first one may be."""

import re
from pathlib import Path

import pytest

from tests.house import tree

# Written in two parts, for this file is read too.
REGISTRIES = tuple(
    "".join(parts)
    for parts in [
        ("pypi", ".org"),
        ("python", "hosted.org"),
        ("npmjs", ".org"),
        ("npmjs", ".com"),
        ("crates", ".io"),
        ("proxy.golang", ".org"),
        ("docker", ".io"),
        ("ghcr", ".io"),
        ("quay", ".io"),
        ("mcr.microsoft", ".com"),
        ("deb.debian", ".org"),
        ("index", "-url"),
    ]
)
SOMEBODYS_HOME = re.compile(r"(?<![\w.}~])/(root|home/\w+|Users/\w+)/")
README_LINES = 120
SLASH = "/"


def test_no_text_names_a_registry():
    assert not [
        f"{tree.name(path)} names {word}"
        for path in tree.files()
        for word in REGISTRIES
        if word in tree.text(path).lower()
    ]


def test_no_text_names_a_path_of_somebodys_machine():
    assert not [
        f"{tree.name(path)} names {found}"
        for path in tree.files()
        for found in machine_paths(tree.text(path), tree.ROOT)
    ]


def test_the_readme_is_short():
    assert len(tree.text(tree.ROOT / "README.md").splitlines()) <= README_LINES


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see /srv/checkouts/fleet/orchestrator", ["/srv/checkouts/fleet/"]),
        (f"in {SLASH}root/.venv", [f"{SLASH}root/"]),
        (f"in {SLASH}home/kim/fleet", [f"{SLASH}home/kim/"]),
        ("GET /api/root/x and /srv/checkouts/fleet-two", []),
    ],
)
def test_a_path_of_a_machine_is_seen(text, found):
    assert machine_paths(text, Path("/srv/checkouts/fleet")) == found


def machine_paths(text: str, checkout: Path) -> list[str]:
    """Return the paths that only one machine has: in the checkout, or in a person's home."""
    found = [match[0] for match in SOMEBODYS_HOME.finditer(text)]
    return found + [f"{checkout}/"] * (f"{checkout}/" in text)
