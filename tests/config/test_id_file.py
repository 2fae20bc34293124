"""Files of VM ids: their forms, and the lines that are told when they are wrong."""

import json

import pytest

from orchestrator.config.id_file import MOST_PROBLEMS, WrongFile, read
from tests.config.kit import OTHER_VM, VM, loaded, write, wrong

BOTH = [VM.lower(), OTHER_VM.lower()]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("vms.txt", f"# ours\n{VM}\n\n  {OTHER_VM}  # the second\n{VM}/\n"),
        ("vms", f"{VM}\r\n{OTHER_VM}\r\n"),
        ("vms.csv", f"name,ID\nvm-1,{VM}\n\nvm-2,{OTHER_VM}\n"),
        ("vms.CSV", f'resource_id\n"{VM}"\n"{OTHER_VM}"\n{VM.upper()}\n'),
        ("vms.jsonl", f'{json.dumps({"id": VM})}\n\n"{OTHER_VM}"\n'),
        ("vms.json", f"{json.dumps({'resourceId': VM, 'x': 1})}\n{json.dumps({'Id': OTHER_VM})}"),
    ],
)
def test_ids_are_read_in_their_order_each_once(tmp_path, name, text):
    assert read(write(tmp_path, "\ufeff" + text, name)) == BOTH


@pytest.mark.parametrize(
    ("name", "text", "lines", "words"),
    [
        ("vms.txt", f"{VM}\nvm-2\nvm-3\n", [2, 3], "not the resource id"),
        ("vms.csv", f"id\n{VM}\nx\n", [3], "not the resource id"),
        ("vms.csv", f"id,b\n{VM},1\n,2\n", [3], "not the resource id"),
        ("vms.csv", f"name\n{VM}\n", [1], "no column"),
        ("vms.csv", "", [1], "no column"),
        ("vms.jsonl", f'"{VM}"\n{{"id": 3}}\n', [2], "neither a text nor an object"),
        ("vms.jsonl", f'"{VM}"\n[{VM}\n', [2], "not JSON"),
        ("vms.jsonl", "[" * 100_000 + "\n", [1], "not JSON"),
    ],
)
def test_a_wrong_line_is_told_with_its_number(tmp_path, name, text, lines, words):
    path = write(tmp_path, text, name)
    with pytest.raises(WrongFile) as caught:
        read(path)
    assert [problem.line for problem in caught.value.problems] == lines
    assert all(words in problem.message for problem in caught.value.problems)
    assert all(problem.file == str(path) for problem in caught.value.problems)


def test_wrong_lines_are_told_but_not_without_end(tmp_path):
    with pytest.raises(WrongFile) as caught:
        read(write(tmp_path, "x\n" * 1000, "vms.txt"))
    assert len(caught.value.problems) == MOST_PROBLEMS


def test_a_file_without_any_id_is_told(tmp_path):
    with pytest.raises(WrongFile, match="names no VM"):
        read(write(tmp_path, "# nobody yet\n", "vms.txt"))


def test_a_file_that_is_not_utf8_is_told(tmp_path):
    path = tmp_path / "vms.txt"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(WrongFile, match="not UTF-8"):
        read(path)


def config(name: str) -> str:
    return f"plans: [{{name: p, waves: [{{select: {{file: {name}, ids: {VM}}}}}]}}]\n"


def test_ids_and_file_of_a_selection_are_one_list_without_doubles(tmp_path):
    write(tmp_path, f"{OTHER_VM}\n{VM}\n", "vms.txt")
    wave = loaded(tmp_path, config("vms.txt")).plans[0].spec.waves[0]
    assert list(wave.select.ids) == BOTH


def test_the_lines_of_a_referred_file_are_told_beside_the_other_problems(tmp_path):
    write(tmp_path, "x\n", "vms.txt")
    found = wrong(tmp_path, config("vms.txt") + "tracking: {poll: x}\n")
    assert [(p.file.rpartition("/")[2], p.line) for p in found] == [
        ("fleet.yaml", 2),
        ("vms.txt", 1),
    ]
