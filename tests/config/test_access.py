"""The brake needs the database and the door, and nothing else of a configuration (design 15)."""

import pytest

from orchestrator.config.loading import load_access
from orchestrator.config.problems import ConfigError
from orchestrator.config.settings import Settings
from tests.config.kit import PLAN, write

REACH = "database: sqlite:///status.db\nhttp: {listen: 127.0.0.1:9999}\n"


def reached(folder, text, **environ):
    return load_access(write(folder, text), environ)


def test_of_a_configuration_that_is_in_order_nothing_is_left_out(tmp_path):
    access, problems = reached(tmp_path, REACH + PLAN)
    assert isinstance(access, Settings)
    assert problems == ()


@pytest.mark.parametrize(
    ("elsewhere", "key"),
    [
        ("plans: [{name: p, waves: [{select: {}}]}]\n", "plans[p].waves[1].select"),
        (PLAN.replace("name: p", "name: p, schedule: {cron: x}"), "plans[p].schedule.cron"),
        ("plans: later\n", "plans"),
        ("", "plans"),
        (PLAN + "azure: {cloud: mars}\n", "azure.cloud"),
        (
            PLAN + "azure: {cloud: {endpoint: 'https://a.example'},"
            " credential: {fixed_token: NOT_SET}}\n",
            "azure.credential.fixed_token",
        ),
        (PLAN + "tracking: {poll: often}\n", "tracking.poll"),
        (PLAN + "defaults: {reboot: maybe}\n", "defaults.reboot"),
        (PLAN + "freeze: []\n", "freeze"),
        (PLAN + "defaults: {}\ndefaults: {}\n", "defaults"),
        (PLAN + "tracking:\n", "tracking"),
        (
            "plans: [{name: p, waves: [{select: {file: gone.csv}}]}]\n",
            "plans[p].waves[1].select.file",
        ),
    ],
)
def test_an_error_elsewhere_is_told_and_stops_nothing(tmp_path, elsewhere, key):
    access, problems = reached(tmp_path, REACH + elsewhere)
    assert access.database == f"sqlite:///{tmp_path}/status.db"
    assert (access.http_host, access.http_port) == ("127.0.0.1", 9999)
    assert key in {problem.key for problem in problems}


@pytest.mark.parametrize(
    "text",
    [
        PLAN + "database: mysql://x\n",
        PLAN + "database: ${NOT_SET}\n",
        PLAN + "database: [a]\n",
        PLAN + "database:\n",
        PLAN + "http: {listen: nowhere}\n",
        PLAN + "http: 7\n",
        PLAN + REACH + "database: sqlite:///other.db\n",
        "databse: sqlite:///other.db\n" + PLAN,
        "- a list\n",
        "plans: [\n",
        "",
    ],
    ids=lambda text: text[-30:],
)
def test_where_it_is_not_certain_which_database_is_meant_nothing_is_done(tmp_path, text):
    with pytest.raises(ConfigError):
        reached(tmp_path, text)


def test_a_file_that_is_not_there_is_no_configuration(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        load_access(tmp_path / "none.yaml", {})


def test_in_a_folder_a_broken_file_of_plans_does_not_matter(tmp_path):
    write(tmp_path, REACH, "main.yaml")
    write(tmp_path, "plans: [{name: p,\n", "plans.yaml")
    access, problems = load_access(tmp_path, {})
    assert access.database.endswith("/status.db")
    assert [problem.file for problem in problems] == [str(tmp_path / "plans.yaml")]


def test_in_a_folder_a_broken_file_may_be_the_one_that_names_the_database(tmp_path):
    write(tmp_path, PLAN, "plans.yaml")
    write(tmp_path, REACH + "tracking: {\n", "main.yaml")
    with pytest.raises(ConfigError):
        load_access(tmp_path, {})


def test_a_secret_of_the_database_still_comes_by_reference(tmp_path):
    text = "database: 'postgresql://u:${PASSWORD}@h/d'\nplans: later\n"
    access, _ = reached(tmp_path, text, PASSWORD="a b")
    assert access.database == "postgresql://u:a%20b@h/d"
    assert "a%20b" not in repr(access)
