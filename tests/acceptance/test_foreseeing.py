"""`plan`, `diff` and `explain` as people type them, against a simulated Azure."""

import json

from orchestrator.simulator.machines import Machine
from tests.acceptance.processes import staged, wait_for

GROUP = "/subscriptions/0de30000-0000-4000-8000-000000000001/resourceGroups/rg"
PLAN = """\
- name: monthly
  waves:
  - {name: canary, select: {tags: {ring: canary}}, bake: 24h}
  - {name: broad, select: {tags: {ring: [canary, broad]}}, exclude: {tags: {patching: "off"}}}
"""


def a_machine(name: str, **tags: str) -> Machine:
    vm_id = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/{name}"
    return Machine(vm_id=vm_id, os="Linux", tags=tags)


FLEET = (
    a_machine("one", ring="canary"),
    *(a_machine(f"many-{n}", ring="broad") for n in range(3)),
    a_machine("held", ring="broad", patching="off"),
    a_machine("stranger"),
)


def test_a_plan_names_who_is_in_it_who_is_not_and_how_long_it_takes(tmp_path):
    with staged(tmp_path, FLEET, PLAN, 600) as on:
        done = on.run("plan", "monthly")
        assert (done.returncode, done.stderr) == (0, "")
        lines = done.stdout.splitlines()
        assert lines[0] == "plan monthly: 4 VMs in 2 waves"
        assert lines[1].startswith("  wave 1 canary: 1 VM, 1 at once, 0 failures allowed, about ")
        assert lines[1].endswith(", then bakes 1d")
        assert "    many-2  Linux  westeurope  rg" in lines
        assert "    held: wave broad excludes it" in lines
        assert "    one is in wave broad too; canary, the first, has it" in lines
        assert lines[-1].endswith(" it fits into the deadline of 14d")
        assert "stranger" not in done.stdout
        rows = [
            json.loads(line) for line in on.run("plan", "monthly", "--json").stdout.split("\n")[:-1]
        ]
        assert [(row["wave"], row["vm_name"], row["planned"]) for row in rows] == [
            ("canary", "one", True),
            *(("broad", f"many-{n}", True) for n in range(3)),
            ("broad", "held", False),
        ]
        assert on.installations() == {}


def test_a_plan_that_does_not_fit_says_so_without_a_window_and_without_a_figure_too_small(tmp_path):
    short = PLAN.replace("  waves:", "  deadline: 1h\n  waves:").replace("bake: 24h", "bake: 30m")
    with staged(tmp_path, FLEET, short, 600) as on:
        lines = on.run("plan", "monthly").stdout.splitlines()
        assert "long: not started before the deadline" in "".join(lines)
        assert lines[-2].endswith(
            "would not be started before the deadline, with long installations"
        )
        assert "with long installations more than 1h" in lines[-1]
        assert lines[-1].endswith("it DOES NOT FIT into the deadline of 1h")
        assert "long: 0s" not in "".join(lines)


def test_a_plan_that_is_not_there_is_named_with_what_is(tmp_path):
    with staged(tmp_path, FLEET, PLAN, 600) as on:
        done = on.run("plan", "montly")
        assert (done.returncode, done.stdout) == (2, "")
        assert "Did you mean monthly?" in done.stderr


def test_a_changed_configuration_says_which_keys_differ_and_which_vms_move(tmp_path):
    with staged(tmp_path, FLEET, PLAN, 600) as on:
        changed = PLAN.replace("bake: 24h", "bake: 2h").replace(
            "select: {tags: {ring: canary}}", "select: {tags: {ring: [canary, broad]}}"
        )
        on.configure(
            changed.replace('exclude: {tags: {patching: "off"}}', "max_parallel: 10%"), name="new"
        )
        done = on.run("diff", "orchestrator.yaml", "new.yaml")
        assert (done.returncode, done.stderr) == (0, "")
        lines = done.stdout.splitlines()
        assert "plan monthly waves[canary].bake: 1d -> 2h" in lines
        assert "plan monthly waves[broad].max_parallel: not set -> 10%" in lines
        assert "plan monthly waves[canary].select.tags.ring: canary -> [canary, broad]" in lines
        assert (
            "plan monthly: 3 VMs move from wave broad to canary (many-0, many-1, many-2)" in lines
        )
        assert "plan monthly: 1 VM newly in wave canary (held)" in lines
        same = on.run("diff", "new.yaml", "new.yaml", "--offline")
        assert (same.returncode, same.stdout) == (0, "nothing differs\n")
        rows = on.run("diff", "orchestrator.yaml", "new.yaml", "--json").stdout.splitlines()
        assert {"plan", "vm_id", "before", "after"} == set(json.loads(rows[-1]))


def test_a_halted_run_explains_itself_and_each_of_its_vms(tmp_path):
    fleet = (a_machine("one", ring="canary"), a_machine("two", ring="broad"))
    with staged(tmp_path, fleet, PLAN.replace("24h", "1h"), 600) as on:
        on.serve()
        on.start("run", "monthly", "--json")
        wait_for(lambda: bool(on.rows()) and on.newest()["succeeded"] == 1, "the canary's end")
        run_id = on.newest()["run_id"]
        assert on.run("pause", run_id, "--because", "lunch").returncode == 0
        told = on.run("explain", run_id)
        assert (told.returncode, told.stderr) == (0, "")
        lines = told.stdout.splitlines()
        assert lines[0].startswith(f"run {run_id} is paused since 20")
        assert lines[0].endswith(": lunch")
        assert "  1 VM queued: the run is paused: lunch" in lines
        assert f'      ends: orchestrator resume {run_id} --because "…"' in lines
        one = on.run("explain", run_id, "two").stdout.splitlines()
        assert one[0].startswith(f"two (wave broad of run {run_id}) is queued since ")
        assert any("wave broad comes after wave canary, which bakes until" in line for line in one)
        row = json.loads(on.run("explain", "ONE", "--json").stdout)
        assert (row["vm_name"], row["state"]) == ("one", "succeeded")
        assert row["holds"][0]["ends"] == "it has ended"
