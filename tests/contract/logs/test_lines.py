"""Where lines go, how they look, and what happens to those that cannot be written."""

import io
import json
import logging
import sys

import structlog

from orchestrator.domain.foreign import REDACTED
from orchestrator.logs import Log, configure
from tests.contract.logs.bench import (
    CANARY,
    HOSTILE,
    Lines,
    Terminal,
    broken,
    throw,
)
from tests.kit.clock import HandClock


def test_a_terminal_gets_plain_words_and_a_file_gets_json():
    for stream, plain in [(Terminal(), True), (io.StringIO(), False)]:
        configure("info", stream=stream)
        Log(HandClock()).moved(broken())
        assert stream.getvalue().startswith("{") is not plain
        assert "operation.moved" in stream.getvalue()


def test_json_can_be_asked_for_and_refused():
    for asked in (True, False):
        for stream in (Terminal(), io.StringIO()):
            configure("info", json=asked, stream=stream)
            Log(HandClock()).moved(broken())
            assert stream.getvalue().startswith("{") is asked


def test_plain_words_are_one_line_too_and_steer_no_terminal():
    stream = Terminal()
    configure("info", stream=stream)
    Log(HandClock()).troubled("arm", HOSTILE + f" ?a=1&s={CANARY}")
    line = stream.getvalue().removesuffix("\n")
    assert line.isprintable()
    assert CANARY not in line
    assert "warning daemon.troubled where=arm reason=" in line


def test_a_traceback_in_plain_words_is_indented():
    stream = Terminal()
    configure("info", stream=stream)
    Log(HandClock()).crashed("Poll", RuntimeError("a\nb"))
    first, *rest = stream.getvalue().splitlines()
    assert "daemon.crashed" in first
    assert rest
    assert all(line.startswith("    ") for line in rest)


def test_libraries_speak_from_warning_upward_in_the_same_form(lines: Lines):
    logging.getLogger("azure.core").info("Request URL: https://x")
    logging.getLogger("azure.core").warning("slow: %d s", 3)
    line = lines.only
    assert (line["event"], line["logger"], line["level"]) == ("slow: 3 s", "azure.core", "warning")


def test_who_wants_errors_only_gets_no_warnings_of_libraries():
    written = Lines()
    configure("error", stream=written.stream)
    logging.getLogger("azure.core").warning("slow")
    Log(HandClock()).troubled("arm", "x")
    assert written.all == []


def test_configured_twice_it_writes_once():
    first, second = Lines(), Lines()
    configure("info", stream=first.stream)
    configure("info", stream=second.stream)
    Log(HandClock()).moved(broken())
    assert first.all == []
    assert len(second.all) == 1


def test_stderr_is_where_lines_go(capsys):
    configure("info", json=True)
    Log(HandClock()).moved(broken())
    written = capsys.readouterr()
    assert written.out == ""
    assert json.loads(written.err)["event"] == "operation.moved"


class Broken(io.StringIO):
    """A pipe that nobody reads any more."""

    def write(self, _text: str) -> int:
        raise BrokenPipeError


def test_a_line_that_cannot_be_written_fails_nobody(capsys):
    configure("info", stream=Broken())
    Log(HandClock()).moved(broken())
    assert capsys.readouterr() == ("", "")


def test_a_line_that_cannot_be_made_is_told_of_without_what_it_was(lines: Lines):
    root = logging.getLogger()
    kept = [each for each in root.handlers if getattr(each, "stream", None) is lines.stream]
    root.handlers[:] = kept  # pytest's own would raise
    logging.getLogger("lib").warning("%d", CANARY)
    assert lines.only == {"level": "error", "event": "log.failed", "logger": "lib"}


def test_nothing_is_lost_before_a_process_ends(lines: Lines):
    try:
        throw(RuntimeError(f"password={CANARY}"))
    except RuntimeError:
        structlog.stdlib.get_logger("orchestrator").error("x.y", exc_info=sys.exc_info())
    assert lines.only["traceback"][-1] == f"RuntimeError: password={REDACTED}"
