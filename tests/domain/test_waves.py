"""From an inventory to waves: who is selected, in which order, and what is said about the rest."""

from random import Random

import pytest

from orchestrator.domain.inventory import Machine, Scope, covers, matches, scopes
from orchestrator.domain.model import PlanSpec, RunId, Selection, WaveSpec
from orchestrator.domain.states import Queued, Skipped
from orchestrator.domain.waves import Origin, open_run, resolve
from tests.kit.rows import EPOCH, SUBSCRIPTION, a_vm


def a_machine(number, group="rg", **tags):
    return Machine(
        vm_id=a_vm(number),
        name=f"vm-{number:04d}",
        subscription_id=SUBSCRIPTION,
        resource_group=group,
        region="westeurope",
        os="Linux",
        tags=tags,
    )


def wave(name="w", exclude=None, **select):
    return WaveSpec(name=name, select=Selection(**select), exclude=exclude or Selection())


def members(plan_waves, fleet):
    found = resolve(PlanSpec(name="p", waves=plan_waves), fleet)
    return [[target.name for target in wave] for wave in found.waves], found


@pytest.mark.parametrize(
    ("selection", "held"),
    [
        (Selection(), False),
        (Selection(ids=(a_vm(1),)), True),
        (Selection(ids=(a_vm(2),)), False),
        (Selection(subscriptions=(SUBSCRIPTION,)), True),
        (Selection(resource_groups=("rg",)), True),
        (Selection(resource_groups=("other",)), False),
        (Selection(tags=(("ring", ("canary",)),)), True),
        (Selection(tags=(("RING", ("Canary",)),)), True),
        (Selection(tags=(("ring", ("early", "canary")),)), True),
        (Selection(tags=(("ring", ("early",)),)), False),
        (Selection(tags=(("ring", ("canary",)), ("app", ("db",)))), False),
        (Selection(resource_groups=("other",), tags=(("ring", ("canary",)),)), False),
    ],
)
def test_every_kind_given_must_match_and_any_value_of_it_will_do(selection, held):
    assert matches(selection, a_machine(1, ring="canary", app="web")) is held


def test_a_selection_that_covers_another_means_every_machine_that_the_other_means():
    rng, covered = Random(0), 0

    def drawn():
        def some(*values):
            return tuple(rng.sample(values, rng.choice([0, 0, 1, 2])))

        tags = tuple((name, some("x", "Y")) for name in rng.choice([(), ("a",), ("A", "b")]))
        ids, groups = some(a_vm(0), a_vm(1)), some("rg", "other")
        return Selection(ids=ids, resource_groups=groups, tags=tags)

    def one():
        number, group = rng.randrange(3), rng.choice(["rg", "other"])
        return a_machine(number, group, **{rng.choice("aA"): rng.choice("xXy"), "B": "x"})

    fleet = [one() for _ in range(30)]
    for _ in range(4_000):
        wide, narrow = drawn(), drawn()
        if covers(wide, narrow):
            covered += 1
            assert all(matches(wide, each) for each in fleet if matches(narrow, each))
    assert covered > 200
    assert not covers(Selection(), Selection())  # nothing given matches nothing


def test_a_vm_belongs_to_the_first_wave_that_selects_it_and_the_plan_says_so():
    names, found = members(
        (wave("one", resource_groups=("rg",)), wave("two", ids=(a_vm(1),))), [a_machine(1)]
    )
    assert names == [["vm-0001"], []]
    assert found.notes == ("vm-0001 is in wave two too; one, the first, has it",)


def test_excluded_vms_are_left_for_a_later_wave():
    keep_off = Selection(tags=(("patching", ("off",)),))
    fleet = [a_machine(1), a_machine(2, patching="OFF")]
    names, _ = members(
        (wave("one", keep_off, resource_groups=("rg",)), wave("two", resource_groups=("rg",))),
        fleet,
    )
    assert names == [["vm-0001"], ["vm-0002"]]


def test_ids_keep_their_order_and_the_rest_is_sorted():
    fleet = [a_machine(number) for number in (3, 1, 2)]
    assert members((wave(ids=(a_vm(3), a_vm(1), a_vm(2))),), fleet)[0] == [
        ["vm-0003", "vm-0001", "vm-0002"]
    ]
    assert members((wave(resource_groups=("rg",)),), fleet)[0] == [
        ["vm-0001", "vm-0002", "vm-0003"]
    ]


def test_an_id_that_azure_does_not_list_is_skipped_with_that_reason():
    plan = PlanSpec(name="p", waves=(wave(ids=(a_vm(1), a_vm(9))),))
    membership = resolve(plan, [a_machine(1)])
    origin = Origin(run_id=RunId("r"), config_hash="x", opened_by="ann", now=EPOCH)
    rows = open_run(origin, plan, membership, {})
    assert [type(op.state) for op in rows.operations] == [Queued, Skipped]
    assert rows.operations[1].state.why.code == "not_found"
    assert (rows.waves[0].vms, membership.vms) == (2, 1)


def test_the_list_calls_are_as_few_as_the_selections_allow():
    ids = Selection(ids=(a_vm(1), a_vm(2)))
    assert scopes([ids], ()) == (Scope(subscription=SUBSCRIPTION, resource_group="rg"),)
    tags = Selection(tags=(("ring", ("canary",)),))
    assert scopes([tags], ("a", "b")) == (Scope(subscription="a"), Scope(subscription="b"))
    whole = Selection(subscriptions=(SUBSCRIPTION,))
    assert scopes([ids, whole], ()) == (Scope(subscription=SUBSCRIPTION),)
    groups = Selection(subscriptions=("a",), resource_groups=("x", "y"))
    assert scopes([groups], ()) == (
        Scope(subscription="a", resource_group="x"),
        Scope(subscription="a", resource_group="y"),
    )
