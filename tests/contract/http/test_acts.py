"""What comes of a wish: acts are written, runs are opened, refusals say why."""

import pytest

from orchestrator.domain.model import RunId, Share, VmId
from orchestrator.domain.record import Act, ActKind, Resolution
from orchestrator.http.behind import Patience
from orchestrator.ports import DamagedError, InventoryError, StoreUnavailableError
from orchestrator.service import NotOpened, Opened
from tests.contract.http.bench import EVENING, HALT, NEW_ID, RUN, Bench

OWN_ID = "0b1f6471-1bf0-4dda-aec3-1111111111aa"
RETRY = {
    "act": "retry",
    "run": RUN,
    "because": "the proxy is back",
    "vms": ["vm-1", "vm-2"],
    "wave": "canary",
    "reason_code": "rejected",
    "actor": "kim",
    "id": OWN_ID.upper(),
}


async def test_an_act_is_written_as_it_was_asked_and_its_driver_is_told(bench: Bench):
    async with bench.served() as visitor:
        reply = await visitor.post(RETRY)
    assert (reply.status, reply.said) == (202, {"act_id": OWN_ID, "run_id": RUN})
    assert bench.desk.acts == [
        Act(
            id=OWN_ID,
            run_id=RUN,
            kind=ActKind.RETRY,
            actor="kim",
            because="the proxy is back",
            at=EVENING,
            vms=(VmId("vm-1"), VmId("vm-2")),
            wave="canary",
            code="rejected",
        )
    ]
    assert bench.nudged == [RUN]


@pytest.mark.parametrize("kind", ["pause", "resume", "halt", "cancel"])
async def test_an_act_without_an_id_gets_one_and_one_without_an_actor_is_local(bench: Bench, kind):
    async with bench.served() as visitor:
        reply = await visitor.post({"act": kind, "run": RUN, "because": "why not"})
    assert reply.said["act_id"] == NEW_ID
    assert [(act.kind, act.actor) for act in bench.desk.acts] == [(ActKind(kind), "local")]


@pytest.mark.parametrize("end", list(Resolution))
async def test_a_person_resolves_in_the_words_of_the_command_line(bench: Bench, end: Resolution):
    wish = {"act": "resolve", "vms": ["vm-1"], "as": str(end), "because": "I looked"}
    async with bench.served() as visitor:
        assert (await visitor.post(wish)).status == 202
    assert [act.resolution for act in bench.desk.acts] == [end]


@pytest.mark.parametrize(
    ("written", "share"),
    [(50, Share(count=50)), ("50", Share(count=50)), ("25%", Share(percent=25.0))],
)
async def test_how_many_at_once_is_a_count_or_a_percentage(bench: Bench, written, share):
    wish = {"act": "set", "wave": "broad", "max_parallel": written, "because": "it is late"}
    async with bench.served() as visitor:
        assert (await visitor.post(wish)).status == 202
    assert [(act.kind, act.wave, act.max_parallel) for act in bench.desk.acts] == [
        (ActKind.SET, "broad", share)
    ]


@pytest.mark.parametrize(
    ("wish", "kind"),
    [({"act": "approve", "wave": "broad"}, "approve"), ({"act": "skip", "vms": ["vm-1"]}, "skip")],
)
async def test_a_wave_is_approved_and_vms_are_skipped_through_the_door(bench: Bench, wish, kind):
    async with bench.served() as visitor:
        assert (await visitor.post({**wish, "because": "I looked"})).status == 202
    assert [(act.kind, act.because) for act in bench.desk.acts] == [(ActKind(kind), "I looked")]


async def test_the_same_act_asked_twice_has_the_same_id(bench: Bench):
    async with bench.served() as visitor:
        replies = [await visitor.post(RETRY) for _ in range(2)]
    assert [reply.said["act_id"] for reply in replies] == [OWN_ID, OWN_ID]
    assert {act.id for act in bench.desk.acts} == {OWN_ID}


async def test_no_named_run_means_the_only_open_one(bench: Bench):
    async with bench.served() as visitor:
        reply = await visitor.post({"act": "pause"})
    assert reply.said["run_id"] == RUN


async def test_several_open_runs_are_named_and_none_is_touched(bench: Bench):
    bench.desk.runs = [RunId(f"run-{number}") for number in range(12)]
    async with bench.served() as visitor:
        reply = await visitor.post({"act": "pause"})
    assert (reply.status, reply.code) == (409, "several_open_runs")
    assert "run-0, run-1," in reply.message
    assert reply.message.endswith("run-9 and 2 more")
    assert bench.desk.acts == []


async def test_without_an_open_run_there_is_nothing_to_pause(bench: Bench):
    bench.desk.runs = []
    async with bench.served() as visitor:
        reply = await visitor.post({"act": "pause"})
    assert (reply.status, reply.code) == (409, "no_open_run")


async def test_a_plan_is_opened_by_name_and_taken_up_at_once(bench: Bench):
    async with bench.served() as visitor:
        reply = await visitor.post({"act": "run", "plan": "monthly", "actor": "kim"})
    assert reply.status == 201
    assert reply.said == {"run_id": RUN, "vms": 3, "notes": ["vm-1 is in two waves"]}
    assert bench.desk.opened == [("monthly", "kim")]
    assert bench.nudged == [RUN]


async def test_a_retry_that_opens_a_run_says_so(bench: Bench):
    bench.desk.answer = Opened(run_id=RunId("monthly-2"), vms=2)
    async with bench.served() as visitor:
        reply = await visitor.post(RETRY)
    assert (reply.status, reply.said["run_id"]) == (201, "monthly-2")
    assert bench.nudged == ["monthly-2"]


@pytest.mark.parametrize("wish", [RETRY, {"act": "run", "plan": "monthly"}])
async def test_a_run_that_cannot_be_opened_is_a_conflict_with_its_reason(bench: Bench, wish):
    bench.desk.answer = NotOpened(code="already_open", reason="monthly-1 is open")
    async with bench.served() as visitor:
        reply = await visitor.post(wish)
    assert (reply.status, reply.code) == (409, "already_open")
    assert reply.message == "monthly-1 is open"
    assert bench.nudged == []


@pytest.mark.parametrize(
    ("wish", "code"), [(HALT, "unknown_run"), ({"act": "run", "plan": "x"}, "unknown_plan")]
)
async def test_what_is_not_there_is_not_found(bench: Bench, wish, code):
    bench.desk.error = LookupError("there is none")
    async with bench.served() as visitor:
        reply = await visitor.post(wish)
    assert (reply.status, reply.code) == (404, code)


@pytest.mark.parametrize("wish", [HALT, {"act": "run", "plan": "x"}])
async def test_a_bug_behind_the_door_is_not_taken_for_a_missing_run(bench: Bench, wish):
    bench.desk.error = KeyError("canary")
    async with bench.served() as visitor:
        reply = await visitor.post(wish)
    assert (reply.status, reply.code) == (500, "internal")
    assert b"canary" not in reply.content
    assert [(where, type(error)) for where, error in bench.memory.crashes] == [
        ("http POST /api/v1/acts", KeyError)
    ]


@pytest.mark.parametrize("wish", [HALT, {"act": "pause"}, {"act": "run", "plan": "x"}])
async def test_a_database_out_of_reach_is_told_without_its_place(bench: Bench, wish):
    bench.desk.error = StoreUnavailableError("postgresql://kim:hunter2@db/x and /srv/private.db")
    async with bench.served() as visitor:
        reply = await visitor.post(wish)
    assert (reply.status, reply.code) == (503, "database_unreachable")
    assert b"private" not in reply.content
    assert b"hunter2" not in reply.content
    assert [where for where, _ in bench.memory.troubles] == ["database"]


async def test_a_run_whose_rows_make_no_sense_is_told_as_such_and_is_no_bug_of_ours(bench: Bench):
    bench.desk.error = DamagedError("the rows of run monthly-1 are not what was written")
    async with bench.served() as visitor:
        reply = await visitor.post(HALT)
    assert (reply.status, reply.code) == (503, "damaged")
    assert "monthly-1" in reply.message
    assert not bench.memory.crashes


async def test_azure_out_of_reach_is_told_with_its_fix_but_without_a_secret(bench: Bench):
    bench.desk.error = InventoryError("rg-1: 403; grant Reader. GET https://a/?p=1&s=CANARY0123")
    async with bench.served() as visitor:
        reply = await visitor.post({"act": "run", "plan": "monthly"})
    assert (reply.status, reply.code) == (503, "azure_unreachable")
    assert "grant Reader" in reply.message
    assert "CANARY" not in reply.message


@pytest.mark.parametrize(
    ("wish", "patience"),
    [
        (HALT, Patience(answer=0.05)),
        ({"act": "pause"}, Patience(answer=0.05)),
        (RETRY, Patience(opening=0.05)),
        ({"act": "run", "plan": "x"}, Patience(opening=0.05)),
    ],
)
async def test_what_takes_too_long_is_given_up_and_may_be_repeated(bench: Bench, wish, patience):
    """What may open a run waits for Azure, everything else for the database only."""
    bench.desk.hangs = True
    bench.patience = patience
    async with bench.served() as visitor:
        reply = await visitor.post(wish)
    assert (reply.status, reply.code) == (504, "too_slow")
    assert [where for where, _ in bench.memory.troubles] == ["http door"]


async def test_hostile_words_come_back_as_ascii_json(bench: Bench):
    bench.desk.answer = NotOpened(code="already_open", reason="\x1b[2J\u202e<script>\n\ud800")
    async with bench.served() as visitor:
        reply = await visitor.post({"act": "run", "plan": "monthly"})
    assert reply.content.isascii()
    assert reply.content.strip().decode().isprintable()
    assert reply.headers["Content-Type"].startswith("application/json")
    assert reply.message == "\x1b[2J\u202e<script>\n\ud800"


@pytest.mark.parametrize(("act", "said"), [("halt", "everything is halted"), ("resume", "lifted")])
async def test_the_whole_fleet_is_halted_and_resumed_and_the_answer_is_a_sentence(
    bench: Bench, act, said
):
    wish = {"act": act, "all": True, "because": "a bad patch", "actor": "kim"}
    async with bench.served() as visitor:
        reply = await visitor.post(wish)
    assert (reply.status, reply.said) == (200, {"said": said})
    assert bench.desk.fleet == [(act, "kim", "a bad patch")]
    assert bench.desk.acts == []


async def test_a_schedule_is_disabled_and_enabled_through_the_door(bench: Bench):
    wish = {"act": "disable", "plan": "monthly", "because": "Christmas", "actor": "kim"}
    async with bench.served() as visitor:
        reply = await visitor.post({**wish, "until": "2026-12-24T00:00:00Z"})
        assert (reply.status, reply.said) == (200, {"said": "disabled"})
        reply = await visitor.post({**wish, "act": "enable"})
        assert (reply.status, reply.said) == (200, {"said": "enabled"})
        bench.desk.error = LookupError("there is none")
        assert (await visitor.post(wish)).code == "unknown_plan"
    assert bench.desk.fleet == [
        ("disable monthly 2026-12-24 00:00:00+00:00", "kim", "Christmas"),
        ("enable monthly", "kim", "Christmas"),
    ]


async def test_who_approved_an_emergency_goes_with_the_run(bench: Bench):
    wish = {"act": "run", "plan": "zero-day", "approved_by": "the CISO", "because": "a CVE"}
    async with bench.served() as visitor:
        assert (await visitor.post(wish)).status == 201
    assert bench.desk.fleet == [("emergency", "the CISO", "a CVE")]


async def test_the_database_is_confirmed_through_the_door(bench: Bench):
    async with bench.served() as visitor:
        reply = await visitor.post({"act": "confirm", "because": "looked", "actor": "kim"})
        assert (reply.status, reply.said) == (200, {"said": "confirmed: it is an older copy"})
        assert bench.desk.fleet == [("confirm", "kim", "looked")]
        assert (await visitor.post({"act": "confirm"})).code == "bad_request"
        assert "run" in (await visitor.post({**HALT, "act": "confirm"})).message
