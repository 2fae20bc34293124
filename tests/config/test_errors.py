"""How errors are told: all at once, in reading order, one line each, and never a secret."""

import pytest

from tests.config.kit import PLAN, problems, write, wrong


def test_everything_that_is_wrong_is_told_at_once_in_reading_order(tmp_path):
    text = (
        "http: {listen: 0.0.0.0:1}\n"
        "tracking: {poll: x}\n"
        "plans:\n"
        "- {name: a, deadline: x, waves: [{select: {}}, {select: {ids: x}, bake: y}]}\n"
        "- {name: a, waves: []}\n"
    )
    places = [(problem.line, problem.key) for problem in wrong(tmp_path, text)]
    assert places == [
        (1, "http.listen"),
        (2, "tracking.poll"),
        (4, "plans[a].deadline"),
        (4, "plans[a].waves[1].select"),
        (4, "plans[a].waves[2].select.ids"),
        (4, "plans[a].waves[2].bake"),
        (5, "plans[a].name"),
        (5, "plans[a].waves"),
    ]


def test_a_problem_is_one_line_with_everything_a_person_needs(tmp_path):
    (problem,) = wrong(tmp_path, PLAN + "tracking: {settle: 15}\n")
    assert str(problem) == (
        f"{tmp_path}/fleet.yaml:2:20: tracking.settle: a duration needs a unit"
        ' (found "15"). Fix: write 15s, 15m, 15h or so.'
    )


def test_two_waves_of_one_name_are_told_with_the_other_place(tmp_path):
    wave = "select: {tags: {a: b}}"
    text = f"plans:\n- name: p\n  waves:\n  - {{{wave}}}\n  - {{name: '1', {wave}}}\n"
    (problem,) = wrong(tmp_path, text)
    assert problem.key == "plans[p].waves[1].name"
    assert "fleet.yaml:4" in problem.message
    assert problem.line == 5


@pytest.mark.parametrize("url", ["postgresql://u:hunter2@h/d", "postgresql://h/d?password=hunter2"])
def test_a_password_in_the_file_is_refused_and_not_shown(tmp_path, url):
    (problem,) = wrong(tmp_path, PLAN + f"database: {url}\n")
    assert "a password does not stand in a configuration" in problem.message
    assert "hunter2" not in str(problem)


@pytest.mark.parametrize(
    "line",
    [
        "database: postgresql:/u:hunter2@h",
        "database: hunter2",
        "database: {password: hunter2}",
        "azure: {credential: {fixed_token: hunter2.x}}",
        "azure: {credential: {client_secret: hunter2}}",
        "password: hunter2",
        "http: {listen: 'https://u:hunter2@h'}",
        "database: 'x://u:hunter2@h': y",
    ],
)
def test_a_secret_in_the_wrong_place_is_not_shown(tmp_path, line):
    told = "\n".join(str(problem) for problem in wrong(tmp_path, PLAN + line + "\n"))
    assert told
    assert "hunter2" not in told


def test_a_secret_from_the_environment_is_not_shown_when_it_is_no_url(tmp_path):
    (problem,) = wrong(tmp_path, PLAN + "database: ${DB}\n", DB="mysql://u:hunter2@h/d")
    assert "hunter2" not in str(problem)


def test_a_fixed_token_never_goes_to_a_public_cloud(tmp_path):
    found = wrong(tmp_path, PLAN + "azure: {credential: {fixed_token: T}}\n", T="secret")
    assert [p.message for p in found] == ["a fixed token goes only to a cloud of your own"]


def test_a_file_that_is_not_there_or_cannot_be_read_is_told(tmp_path):
    (missing,) = problems(tmp_path / "nope.yaml")
    assert "no such file" in missing.message
    assert "orchestrator init" in missing.fix
    (inside,) = problems(write(tmp_path, PLAN) / "x.yaml")
    assert "cannot be read" in inside.message
    (nul,) = problems(tmp_path / "a\0b")
    assert "cannot be read" in nul.message


def test_a_file_that_is_not_utf8_is_told_with_its_line(tmp_path):
    path = tmp_path / "fleet.yaml"
    path.write_bytes(b"a: 1\nb: \xe4\n")
    (problem,) = problems(path)
    assert (problem.line, problem.column, problem.message) == (2, 4, "not UTF-8")


def test_hundreds_of_errors_are_told_but_not_without_end(tmp_path):
    waves = "\n".join(f"  - {{wrong_{number}: 1}}" for number in range(5000))
    found = wrong(tmp_path, f"plans:\n- name: p\n  waves:\n{waves}\n")
    assert 100 < len(found) <= 400
