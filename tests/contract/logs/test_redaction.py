"""No secret and no control character gets into a line, by whatever way."""

import logging
import warnings
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.foreign import REDACTED, redact
from orchestrator.domain.model import RunId
from orchestrator.domain.record import Fact
from orchestrator.domain.states import Why
from orchestrator.logs import Log, configure
from orchestrator.logs.redaction import Redaction
from tests.contract.arm.bench import STATUS_URL
from tests.contract.logs.bench import CANARY, HOSTILE, Lines, broken, throw
from tests.kit.clock import HandClock
from tests.kit.rows import EPOCH

LEAKS = [
    f"Authorization: Bearer {CANARY}",
    f"authorization: bearer {CANARY}",
    f"{{'Authorization': 'Bearer {CANARY}', 'Accept': '*/*'}}",
    f'{{"authorization":"Basic {CANARY}"}}',
    f"401 for bearer {CANARY}",
    f"GET {STATUS_URL.replace('ssss', CANARY, 1)} failed",
    f"https://a/op?p=1&t={CANARY}&c={CANARY}&s={CANARY}&h={CANARY}",
    f"https://a/op?p=1\\u0026t={CANARY}\\u0026s={CANARY}",
    f"https://a/op?p=1&amp;s={CANARY}",
    f"https://blob/x?sv=1&sig={CANARY}%3D",
    f"https://a/cb?code={CANARY}",
    f"postgresql+asyncpg://kim:{CANARY}@db.example/fleet",
    f"postgresql://kim:p@ss/{CANARY}@db/fleet",
    f"postgresql://kim:{CANARY}@{CANARY}@db/fleet",
    f"http://:{CANARY}@proxy:3128",
    f"client_secret={CANARY}&grant_type=x",
    f"password = '{CANARY}'",
    f'{{"access_token": "{CANARY}", "expires_in": 3599}}',
    f'{{\\"access_token\\": \\"{CANARY}\\"}}',
    f'{{"password":"a\\"{CANARY}"}}',
    f"{{'refresh_token': '{CANARY}'}}",
    f"AZURE_CLIENT_SECRET={CANARY}",
    f"{'x' * 40}_secret={CANARY}",
    f"api_key={CANARY}",
    f"eyJ0eXAiOiJKV1Qi.{CANARY}.{CANARY}",
]


@pytest.mark.parametrize("text", LEAKS)
def test_a_secret_is_known_by_its_surroundings(text):
    assert CANARY not in redact(text)
    assert REDACTED in redact(text)


@pytest.mark.parametrize("text", LEAKS)
def test_no_way_of_logging_lets_a_secret_out(lines: Lines, observer: Log, text):
    """Every path by which a text can come into a line (reliability E, S4 and S5)."""
    observer.moved(broken(text))
    why = Why("x", text)
    fact = Fact(at=EPOCH, event="run.noted", actor=text, why=why, detail={"said": text, text: 1})
    observer.noted(RunId(text), fact)
    observer.asked(text, text, 1)
    observer.troubled(text, text)
    try:
        throw(RuntimeError(text), ValueError(text))
    except RuntimeError as error:
        observer.crashed(text, error)
        logging.getLogger("asyncio").exception("Task failed: %s", text)
        structlog.stdlib.get_logger("orchestrator").exception("x", given=error, also=[{"b": text}])
    logging.getLogger("azure.identity").warning("%s and %r", text, text.encode())
    warnings.showwarning(UserWarning(text), UserWarning, "x.py", 1)
    assert len(lines.all) == 9
    assert CANARY not in lines.stream.getvalue()


@pytest.mark.parametrize("key", ["Authorization", "token", "client_secret", "DB_PASSWORD"])
def test_a_secret_is_known_by_its_key(lines: Lines, key):
    structlog.stdlib.get_logger("orchestrator").info("x.y", **{key: CANARY}, more={key: [CANARY]})
    assert lines.only[key] == lines.only["more"][key] == REDACTED


def test_a_known_secret_is_hidden_wherever_it_stands():
    written = Lines()
    secret = "correct horse/battery+staple"
    configure("info", stream=written.stream, secrets=[secret, ""])
    log = structlog.stdlib.get_logger("orchestrator")
    log.info(
        "a.b", key=f"x{secret}y", also={secret: 1}, path="?q=correct%20horse%2Fbattery%2Bstaple"
    )
    assert "battery" not in written.stream.getvalue()
    assert written.only["key"] == f"x{REDACTED}y"


@pytest.mark.parametrize(
    "text",
    [
        "https://management.azure.com/subscriptions/1/operations/8d1e?api-version=2025-04-01",
        "sqlite:////srv/orchestrator.db",
        "http://127.0.0.1:8470/livez and 127.0.0.1:9",
        "send the local token as a bearer token",
        "the token expired; status=3 at s=4",
        "https://a/?top=5&statusOnly=true&path=x",
        "reason: password policy",
    ],
)
def test_what_is_no_secret_is_left_alone(text):
    assert redact(text) == text


@pytest.mark.parametrize(
    "seed", ["://", "eyJ", "eyJ-", "a-", "Bearer ", '"token":"', "&s=", "token=", "\\", "://a:b"]
)
def test_a_hostile_text_does_not_take_long_to_read(seed):
    """No pattern backtracks: 64 KiB of the worst are read in far less than the test's time-out."""
    assert len(Redaction().text(seed * (65_536 // len(seed)))) < 5_000


def test_a_hostile_text_stays_in_its_line(lines: Lines, observer: Log):
    observer.troubled(HOSTILE, HOSTILE)
    observer.moved(broken(HOSTILE))
    logging.getLogger("lib\n").error("first\nsecond %s", HOSTILE)
    assert len(lines.raw) == len(lines.all) == 3
    for raw in lines.raw:
        assert raw.isascii()
        assert raw.isprintable()
    for line in lines.all:
        assert all(value.isprintable() for value in line.values() if isinstance(value, str))


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_is_one_line(where, reason):
    written = Lines()
    configure("info", stream=written.stream)
    Log(HandClock()).troubled(where, reason)
    assert len(written.raw) == 1
    assert written.only["event"] == "daemon.troubled"


def test_half_a_character_is_shown_as_such():
    assert Redaction().text("a\ud800b") == "a\\ud800b"


def test_text_of_people_stays_readable(lines: Lines, observer: Log):
    observer.troubled("run Größe", "原因")
    assert (lines.only["where"], lines.only["reason"]) == ("run Größe", "原因")


def test_a_very_long_text_is_cut(lines: Lines, observer: Log):
    observer.troubled("arm", "x" * 1_000_000)
    assert len(lines.raw[0]) < 5_000


class Strange:
    """It does not even know how to show itself."""

    def __str__(self) -> str:
        raise RuntimeError("no")


def test_what_json_cannot_say_is_said_somehow(lines: Lines):
    log = structlog.stdlib.get_logger("orchestrator")
    log.info("a.b", strange=Strange(), nan=float("nan"), many=list(range(10_000)), s={1})
    line = lines.only
    assert line["strange"] == "<Strange>"
    assert line["nan"] == "nan"
    assert len(line["many"]) == 200


def test_what_has_no_bottom_is_not_followed_there():
    deep: list[Any] = []
    for _ in range(50_000):
        deep = [deep]
    assert "<list>" in str(Redaction()({"event": "a.b", "deep": deep}))
