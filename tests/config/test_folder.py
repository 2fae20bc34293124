"""A folder of files as one configuration: plans are strung together, any other key stands once."""

from orchestrator.config.loading import load
from tests.config.kit import problems, write

AZURE = "azure: {cloud: usgov}\ndatabase: sqlite:///x.db\n"


def plan(name: str) -> str:
    return f"plans: [{{name: {name}, waves: [{{select: {{tags: {{a: b}}}}}}]}}]\n"


def test_the_files_of_a_folder_are_one_configuration(tmp_path):
    write(tmp_path, AZURE, "azure.yaml")
    write(tmp_path, plan("one"), "one.yml")
    write(tmp_path, plan("two"), "two.yaml")
    write(tmp_path, "# nothing yet\n", "three.yaml")
    write(tmp_path, "not: [yaml", ".hidden.yaml")
    write(tmp_path, "not: [yaml", "notes.txt")
    settings = load(tmp_path, {})
    assert [each.spec.name for each in settings.plans] == ["one", "two"]
    assert settings.azure.cloud == "usgov"
    assert settings.database == f"sqlite:///{tmp_path}/x.db"


def test_a_key_in_two_files_is_refused_naming_both(tmp_path):
    write(tmp_path, AZURE + plan("p"), "a.yaml")
    write(tmp_path, "\n" + AZURE, "b.yaml")
    found = problems(tmp_path)
    assert [(p.file, p.line, p.key) for p in found] == [
        (f"{tmp_path}/b.yaml", 2, "azure"),
        (f"{tmp_path}/b.yaml", 3, "database"),
    ]
    assert f"{tmp_path}/a.yaml:1" in found[0].message


def test_a_plan_in_two_files_is_refused_naming_both(tmp_path):
    write(tmp_path, plan("p"), "a.yaml")
    write(tmp_path, "#\n" + plan("p"), "b.yaml")
    (problem,) = problems(tmp_path)
    assert (problem.file, problem.line) == (f"{tmp_path}/b.yaml", 2)
    assert f"{tmp_path}/a.yaml:1" in problem.message


def test_the_errors_of_every_file_are_told_with_its_name(tmp_path):
    write(tmp_path, "tracking: {poll: x}\n", "a.yaml")
    write(tmp_path, plan("p").replace("tags", "tgas"), "b.yaml")
    assert [p.file.rpartition("/")[2] for p in problems(tmp_path)] == ["a.yaml", "b.yaml"]


def test_files_that_are_no_yaml_are_told_together(tmp_path):
    write(tmp_path, "a: b: c\n", "a.yaml")
    write(tmp_path, "[", "b.yaml")
    write(tmp_path, "- x\n", "c.yaml")
    files = [p.file.rpartition("/")[2] for p in problems(tmp_path)]
    assert files == ["a.yaml", "b.yaml", "c.yaml"]


def test_a_folder_without_files_is_told(tmp_path):
    (problem,) = problems(tmp_path)
    assert "the folder holds 0" in problem.message


def test_a_folder_with_comments_only_is_told(tmp_path):
    write(tmp_path, "# nothing yet\n")
    (problem,) = problems(tmp_path)
    assert "nothing is configured" in problem.message
