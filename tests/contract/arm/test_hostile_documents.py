"""No document from outside makes the reading of it fail (reliability A2 32, A3 42)."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.arm import documents, replies, results, views, wire
from orchestrator.arm.exchange import HttpReply
from tests.contract.arm.bench import EVENING, PUBLIC, STATUS_URL, SUBSCRIPTION, VM, recorded

FILES = [
    "running.json",
    "succeeded_windows.json",
    "succeeded_linux.json",
    "failed.json",
    "result_failed_linux.json",
    "error_429_compute.json",
    "vm_with_view.json",
    "vm_list.json",
]
DOCUMENTS = [json.loads(recorded(name)) for name in FILES]

leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["Succeeded", "Failed", "", "\ud800", "\x00", "0001-01-01T00:00:00", VM]),
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
header_values = st.text(max_size=40) | st.sampled_from([STATUS_URL, "5", "nan", "/x"])
header_lines = st.dictionaries(
    st.sampled_from(
        ["azure-asyncoperation", "location", "retry-after", "date", "x-ms-request-id", "other"]
    ),
    header_values,
)
statuses = st.integers(100, 599) | st.sampled_from([200, 202, 400, 404, 409, 429])


@st.composite
def mangled(draw):
    """Take a recorded document and put anything in the place of anything in it."""
    document = json.loads(json.dumps(draw(st.sampled_from(DOCUMENTS))))
    for _ in range(draw(st.integers(1, 4))):
        place = document
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(place[key], dict | list) and place[key] and draw(st.booleans()):
                place = place[key]
                continue
            place[key] = draw(values)
            break
    return json.dumps(document).encode(errors="surrogatepass")


bodies = st.one_of(mangled(), values.map(lambda v: json.dumps(v).encode()), st.binary(max_size=60))
replies_of_anybody = st.builds(
    HttpReply, status=statuses, headers=header_lines, body=bodies, whole=st.booleans()
)


@given(replies_of_anybody)
def test_any_answer_is_read(answer):
    said = [
        wire.submitted(answer, PUBLIC, SUBSCRIPTION),
        wire.polled(answer, STATUS_URL),
        wire.located(answer),
        views.looked(answer, VM, EVENING),
        replies.spoken(answer),
    ]
    repr(said).encode()  # what cannot be encoded cannot be stored
    for entry in getattr(views.page(answer), "entries", ()):
        repr((views.machine(entry), views.subscription(entry))).encode()


@given(st.text(max_size=40) | values)
def test_any_value_is_read(value):
    text = documents.text(value, 5)
    assert len(text) <= 5
    assert not {unicodedata.category(character) for character in text} & {"Cc", "Cs", "Zl", "Zp"}
    counted = documents.count(value)
    assert counted is None or 0 <= counted < 2**31
    at = documents.instant(value)
    assert at is None or 2000 <= at.year < 2200


@given(mangled())
def test_every_string_of_a_report_can_be_stored(body):
    document = documents.read(body)
    assert document is not None
    output = documents.inner(document, "properties", "output") or document
    report = results.report(output, body)
    strings = [report.activity, report.result.error_code, report.result.error_message]
    strings += [
        t for p in report.patches for t in (p.patch_id, p.name, p.version, *p.classifications)
    ]
    for string in strings:
        assert "\x00" not in string
        string.encode()


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a": ' + b"9" * 10_000 + b"}",
        b'{"a": NaN, "b": Infinity}',
        b'\xef\xbb\xbf{"a": 1}',
        '{"a": 1}'.encode("utf-16"),
        b'{"a": "\\ud800"}',
        b'{"a": "\xed\xa0\x80"}',
        b'{"a": 1, "a": 2}',
        b"\x00" * 100,
    ],
    ids=range(10),
)
def test_json_that_means_harm_is_an_object_or_nothing(body):
    document = documents.read(body)
    assert document is None or set(document) <= {"a", "b"}
