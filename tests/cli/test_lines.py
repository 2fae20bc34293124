"""The log of a command that looks or steers, which is set up by its first line."""

import json
import logging

import pytest

from orchestrator.cli.lines import write_errors
from tests.kit.logging import logging_as_before

SECRET = "hush-hush-hush"


@pytest.fixture(autouse=True)
def _as_before():
    with logging_as_before():
        yield


def test_every_error_is_one_line_without_secrets(capsys):
    write_errors([SECRET])
    logging.getLogger("library").error("the password is %s", SECRET)
    logging.getLogger("orchestrator").critical("and a second line")
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert (first["level"], first["event"]) == ("error", "the password is [redacted]")
    assert (second["level"], second["event"]) == ("critical", "and a second line")


def test_nothing_below_an_error_is_written(capsys):
    write_errors([])
    logging.getLogger("library").warning("whatever")
    logging.getLogger("orchestrator").info("whatever")
    assert capsys.readouterr() == ("", "")


def test_what_was_set_up_twice_writes_once(capsys):
    write_errors([])
    write_errors([])
    logging.getLogger("library").error("once")
    assert capsys.readouterr().err.count("once") == 1
