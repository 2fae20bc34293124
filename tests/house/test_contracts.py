"""The import contracts describe the tree that is there."""

import re
import tomllib

from tests.house import tree

CONTRACTS = tomllib.loads(tree.text(tree.ROOT / "pyproject.toml"))["tool"]["importlinter"]


def test_only_a_layer_that_does_not_exist_yet_is_optional():
    layers = next(item for item in CONTRACTS["contracts"] if item["id"] == "layers")["layers"]
    optional = re.findall(r"\((\w+)\)", " ".join(layers))
    package = tree.ROOT / "orchestrator"
    there = {path.stem for path in package.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert not there.intersection(optional), "take their parentheses away in pyproject.toml"
