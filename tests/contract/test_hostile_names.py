"""Hostile names where they come in, from Azure's answers, and where Prometheus reads them."""

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from prometheus_client.parser import text_string_to_metric_families

from orchestrator.arm import replies, results, views, wire
from orchestrator.arm.exchange import HttpReply
from orchestrator.domain.answer import Collapsed, Conflicted, Rejected
from orchestrator.domain.model import RunId
from orchestrator.domain.view import RunView
from orchestrator.metrics import Metrics, Standing
from orchestrator.store.column_types import plain
from tests.contract.arm.bench import EVENING, PUBLIC, STATUS_URL, SUBSCRIPTION, VM
from tests.kit.hostile import NAMES
from tests.kit.rows import a_snapshot, a_wave

NEVER = set("\x1b\n\r\x07\x9b\u202e\u2028\u2029\ud800\udfff\0\x85\b\t")
"""What no word from Azure keeps; what is left of others is for each output to clean."""


def kept(text: str, most: int) -> str:
    """Return a text that came in, after a look at it."""
    assert not set(text) & NEVER
    assert len(text) <= most
    assert plain(text) == text, "a database keeps it as it is"
    return text


@pytest.mark.parametrize("name", NAMES)
def test_a_machine_of_a_list_has_plain_names(name):
    said = NAMES[name]
    tags = {said: said, "ring": said}
    path = VM.replace("vm-1", said.replace("/", "")).replace("rg-web", said.replace("/", ""))
    entry = {"id": path, "name": said, "location": said, "tags": tags, "properties": {}}
    page = views.page(HttpReply(status=200, body=json.dumps({"value": [entry]}).encode()))
    assert page is not None
    machine = views.machine(page.entries[0])
    if machine is None:
        return
    kept(machine.vm_id, 2000)
    for text in (machine.name, machine.resource_group, machine.region):
        kept(text, 2000)
    for key, value in machine.tags.items():
        kept(key, 600)
        kept(value, 600)


@pytest.mark.parametrize("name", NAMES)
def test_a_result_has_plain_words(name):
    said = NAMES[name]
    error = {"code": said or "x", "message": said, "details": [{"code": said, "message": said}]}
    patch: dict[str, object] = {"patchId": said, "name": said, "version": said, "kbId": said}
    patch |= {"installationState": said, "classifications": [said, said]}
    output = {"status": said, "rebootStatus": said, "error": error, "patches": [patch]}
    report = results.report(json.loads(json.dumps(output)), json.dumps(output).encode())
    for text in (report.result.error_code, report.result.error_message, report.result.status):
        kept(text, 1000)
    for one in report.patches:
        for text in (one.patch_id, one.name, one.version, one.kb_id, one.state):
            kept(text, 1000)
        for text in one.classifications:
            kept(text, 300)


@pytest.mark.parametrize("name", NAMES)
def test_an_error_of_azures_has_plain_words(name):
    said = NAMES[name]
    error = {"code": said or "x", "message": said}
    body = json.dumps({"error": error, "status": "Failed"}).encode()
    headers = {"x-ms-request-id": said, "retry-after": said, "date": said}
    for status in (200, 400, 403, 404, 409, 429, 500):
        reply = HttpReply(status=status, headers=headers, body=body)
        kept(replies.spoken(reply), 1400)
        heard = (
            wire.submitted(reply, PUBLIC, SUBSCRIPTION),
            wire.polled(reply, STATUS_URL),
            wire.located(reply),
            views.looked(reply, VM, EVENING),
        )
        for answer in heard:
            kept(getattr(answer, "reason", ""), 1500)
            if isinstance(answer, Rejected | Conflicted | Collapsed):
                kept(answer.code, 300)
                kept(answer.message, 1000)


# ------------------------------------------------------------------------------------- metrics


def _scraped(metrics: Metrics) -> Counter[tuple[str, tuple[tuple[str, str], ...]]]:
    """Read the exposition as Prometheus does; count each series."""
    text = metrics.text().decode("utf-8")
    assert not set(text) & (NEVER - {"\n"})
    return Counter(
        (sample.name, tuple(sorted(sample.labels.items())))
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    )


def _driven(name: str) -> RunView:
    snapshot = a_snapshot((a_wave(), 1), name=name)
    return RunView(replace(snapshot, run=replace(snapshot.run, id=RunId(name))))


def test_every_name_at_once_breaks_no_scrape():
    """Two names that look alike to Prometheus would be one series twice, and cost the scrape."""
    metrics = Metrics("1")
    views_of_all = [_driven(name) for name in NAMES.values()]
    at = datetime(2026, 11, 22, tzinfo=UTC)
    metrics.watch(
        Standing(
            runs=lambda: views_of_all,
            next_fires=lambda: dict.fromkeys(NAMES.values(), at),
            tokens=lambda: [(name, float(n)) for n, name in enumerate(NAMES.values())],
        )
    )
    for name in NAMES.values():
        metrics.asked(name, name, 1.0)
        metrics.troubled(name, name)
        metrics.crashed(name, RuntimeError(name))
    series = _scraped(metrics)
    assert {each: count for each, count in series.items() if count > 1} == {}
    for name in ("run_status", "next_fire_timestamp_seconds", "arm_tokens"):
        assert sum(each[0] == f"orchestrator_{name}" for each in series) >= 50
    assert all(len(value) <= 201 for _, labels in series for _, value in labels)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_alone_is_a_series_of_its_own(name):
    metrics = Metrics("1")
    driven = [_driven(NAMES[name])]
    at = {NAMES[name]: datetime(2026, 11, 22, tzinfo=UTC)}
    metrics.watch(
        Standing(runs=lambda: driven, next_fires=lambda: at, tokens=lambda: [(NAMES[name], 1.0)])
    )
    series = _scraped(metrics)
    for gauge in ("run_status", "next_fire_timestamp_seconds", "arm_tokens"):
        assert sum(each[0] == f"orchestrator_{gauge}" for each in series) == 1
