"""The order in which the workers run the tests."""

import pytest

from tests.kit.dealing import dealt


def stretches(items, workers):
    """Cut what is collected as xdist does: what is left, by the workers that are left."""
    for left in range(workers, 0, -1):
        length = len(items) // left
        yield items[:length]
        items = items[length:]


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 7])
@pytest.mark.parametrize(("short", "long"), [(100, 10), (101, 9), (3, 20), (0, 5), (50, 0)])
def test_every_test_is_run_once_and_each_worker_begins_with_its_share_of_the_long(
    workers, short, long
):
    longs, shorts = [f"long {n}" for n in range(long)], [f"short {n}" for n in range(short)]
    order = dealt(longs, shorts, workers)
    assert sorted(order) == sorted(longs + shorts)
    for stretch in stretches(order, workers) if short > long else ():
        share = sum(item.startswith("long") for item in stretch)
        assert share in {long // workers, -(-long // workers)}
        assert all(item.startswith("long") for item in stretch[:share])
