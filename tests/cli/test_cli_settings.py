"""A flag beats a variable beats the configuration file, for every option of every command."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pytest
from cli_world import CLASSIC, OLD, InstantService, name_of, tree

from repo_manager.app.settings import COMMAND_LINE_ONLY, PREFIX, flag_of
from repo_manager.cli.global_options import GlobalOptions
from repo_manager.cli.root import COMMANDS, root

if TYPE_CHECKING:
    from cli_world import Cli

# What a command cannot do without; the words themselves do not matter here.
ARGUMENTS: Final = {
    "parse": ("x",),
    "resolve": ("x",),
    "show": ("x",),
    "download": ("x",),
    "add": ("x",),
    "catalog update": ("x",),
    "publish": ("x",),
    "mirror": ("x",),
    "serve token": ("list",),
}


@dataclass(frozen=True)
class Option:
    """An option of a command, with three values of its kind that are told apart."""

    command: str
    flag: str
    name: str
    kind: str
    values: tuple[Any, Any, Any]
    everywhere: bool = False

    def __str__(self) -> str:
        return f"{self.command or 'any'} {self.flag}"


def _walk() -> list[Option]:
    group = root()
    context = group.make_context("repo-manager", ["list"])
    found = [_option("", parameter, everywhere=True) for parameter in group.params]
    for word in COMMANDS:
        command: Any = group.get_command(context, word)
        below = {f"{word} {name}": item for name, item in getattr(command, "commands", {}).items()} or {word: command}
        for words, item in below.items():
            found += [_option(words, parameter, everywhere=False) for parameter in item.params]
    return [option for option in found if option is not None]


def _option(command: str, parameter: Any, *, everywhere: bool) -> Option | None:  # noqa: ANN401 - the library's own
    if parameter.param_type_name != "option" or parameter.name in {"version", "help", "config"}:
        return None
    if parameter.name.startswith("global_") or parameter.name in COMMAND_LINE_ONLY:
        return None
    flag = max(parameter.opts, key=len)
    values: tuple[Any, Any, Any]
    choices = getattr(parameter.type, "choices", None)
    if parameter.is_flag:
        kind, values = "flag", (True, False, True)
    elif parameter.count or hasattr(parameter.type, "clamp"):
        kind, values = "number", (1, 2, 3)
    elif choices:
        words = [getattr(choice, "value", choice) for choice in choices]
        kind, values = "list" if parameter.multiple else "choice", (words[0], words[1], words[-1])
    elif parameter.multiple:
        kind, values = "list", ("flag-word", "variable-word", "file-word")
    else:
        kind, values = "text", ("flag-word", "variable-word", "file-word")
    return Option(command, flag, parameter.name, kind, values, everywhere)


OPTIONS: Final = _walk()


def effective(option: Option, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: ANN401 - as it comes
    """What the option is worth to the command, without running it."""
    words = (option.command or "list").split()
    module = importlib.import_module(f"repo_manager.cli.{words[0]}")
    seen: list[Any] = []
    for item in module.app.registered_commands:
        real = item.callback

        def look(real: Any = real, **values: Any) -> None:  # noqa: ANN401 - same
            context = values[next(iter(values))]
            seen.append(
                context.find_object(GlobalOptions).option(option.name) if option.everywhere else values[option.name]
            )

        look.__name__, look.__doc__ = real.__name__, real.__doc__
        look.__signature__ = __import__("inspect").signature(real, eval_str=True)  # type: ignore[attr-defined]
        look.__annotations__ = __import__("typing").get_type_hints(real, include_extras=True)
        monkeypatch.setattr(item, "callback", look)
    assert root().main(arguments, standalone_mode=False) in {0, None}
    return seen[0]


def _given(option: Option, value: Any) -> list[str]:  # noqa: ANN401 - as it comes
    if option.kind == "flag":
        return [option.flag] if value else []
    if option.name == "verbose":
        return [option.flag] * value
    return [option.flag, str(value)]


def _plain(value: Any) -> Any:  # noqa: ANN401 - as it comes
    if isinstance(value, list | tuple):
        (value,) = value
    return value if isinstance(value, bool | int) else str(getattr(value, "value", value))


@pytest.mark.parametrize("option", OPTIONS, ids=str)
def test_a_flag_beats_a_variable_beats_the_file(option: Option, tool: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    flag, variable, file = option.values
    words = [*(option.command or "list").split(), *ARGUMENTS.get(option.command, ())]
    key = option.name.rstrip("_")
    written = {True: "true", False: "false"}.get(file, f'"{file}"' if isinstance(file, str) else str(file))
    config = tool.config(f"{key}: [{written}]\n" if option.kind == "list" else f"{key}: {written}\n")
    begin = ["--config", config]
    if option.name == "profile":
        tool.config("profile: file-word\nprofiles:\n  file-word: {}\n  variable-word: {}\n  flag-word: {}\n")

    assert _plain(effective(option, [*begin, *words], monkeypatch)) == file, "the file counts"
    monkeypatch.setenv(PREFIX + key.upper(), {True: "1", False: "0"}.get(variable, str(variable)))
    assert _plain(effective(option, [*begin, *words], monkeypatch)) == variable, "the variable beats the file"
    assert _plain(effective(option, [*words, *begin], monkeypatch)) == variable, "wherever the file is named"
    assert _plain(effective(option, [*begin, *words, *_given(option, flag)], monkeypatch)) == flag, (
        "the flag beats both"
    )
    if option.everywhere:
        before = [*begin, *_given(option, flag), *words]
        assert _plain(effective(option, before, monkeypatch)) == flag, "also before the command"


def test_every_option_was_looked_at() -> None:
    names = {option.name for option in OPTIONS}
    assert names >= {
        "json",
        "profile",
        "repository",
        "release",
        "package",
        "source",
        "dry_run",
        "keep",
        "fail_on",
        "to",
    }
    assert len(OPTIONS) > 30


@pytest.mark.parametrize("key", COMMAND_LINE_ONLY)
def test_an_option_that_lowers_trust_is_refused_in_the_file_and_as_a_variable(
    key: str, tool: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool.fill(("RHEL7-64",))
    in_file = tool.repo_json("--config", tool.config(f"json: true\n{key}: true\n"), "list")
    assert (in_file.code, in_file.error["code"]) == (2, "configuration")
    assert "1 mistake" in in_file.err
    words = f"{key}: remove it; this option works on the command line only ({flag_of(key)})"
    assert f"  line 2, column 1: {words}" in in_file.err

    monkeypatch.setenv(PREFIX + key.upper(), "1")
    as_variable = tool.repo_json("list")
    assert (as_variable.code, as_variable.error["code"]) == (2, "command-line-only")
    assert flag_of(key) in as_variable.error["hint"]
    assert tool("explain", "command-line-only").code == 0

    monkeypatch.setenv(PREFIX + key.upper(), "")
    assert tool.repo_json("list").code == 0


def test_after_the_command_counts_more_than_before_it(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    assert tool("--repository", "none", "list", "--repository", "repo").code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("--config", "config.yaml", "list"),
        ("list", "--config", "config.yaml"),
        ("catalog", "--config", "config.yaml", "check"),
        ("catalog", "check", "--config", "config.yaml"),
    ],
)
def test_the_configuration_file_is_named_before_or_after_the_command(tool: Cli, arguments: tuple[str, ...]) -> None:
    tool.fill(("RHEL7-64",))
    tool.config("json: true\nrepository: repo\n")
    assert tool(*arguments).document["schema"] in {"repo-manager/list/1", "repo-manager/catalog-check/1"}


def test_the_file_that_the_flag_names_beats_that_of_the_variable(tool: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    tool.fill(("RHEL7-64",))
    tool.config("repository: repo\n")
    monkeypatch.setenv("REPO_MANAGER_CONFIG", "none.yaml")
    assert tool("list").code == 2
    assert tool("--config", "config.yaml", "list").code == 0
    assert tool("list", "--config", "config.yaml").code == 0


def test_several_packages_stand_in_one_variable(tool: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    tool.repository.mkdir()
    monkeypatch.setenv("REPO_MANAGER_PACKAGE", "rhel7-64 OL7-64")
    document = tool.repo_json("sync", "--source", str(tool.fill_source()), "--dry-run").document
    assert {item["package"] for item in document["actions"] if item["action"] == "download"} == {"RHEL7-64", "OL7-64"}


def test_the_machine_wide_file_counts_where_none_is_named(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    folder = tool.folder.parent / "program-data" / "repo-manager"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("repository: repo\njson: true\n", encoding="ascii")
    assert tool("list").document["repository"] == tool.shown
    (folder / "config.yaml").write_text("repositori: repo\n", encoding="ascii")
    assert (tool("list").code, tool("list").out) == (2, "")


MISTAKES: Final = """\
profle: classic
json: yes please
keep: minus
package: {a: b}
retired_days: -3
reserve_mb: lots
hosts: 7
profiles:
  mine:
    experience: futuristic
    servce: x
stop_timeout: 0
"""


def test_ten_mistakes_are_all_reported_with_line_and_column(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    before = tree(tool.repository)
    answer = tool.json("--config", tool.config(MISTAKES), "sync", "--repository", "repo")
    assert (answer.code, answer.error["code"]) == (2, "configuration")
    lines = {int(line.split()[1].strip(",")) for line in answer.error["message"].splitlines() if "column" in line}
    assert lines == {1, 2, 3, 4, 5, 6, 7, 10, 11, 12}
    assert "did you mean 'profile'?" in answer.err
    assert answer.error["hint"]
    assert tree(tool.repository) == before


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"a: [\n", "cut off"),
        (b"a: &x [*x]\n", "an alias"),
        (b"json: true\njson: false\n", "a key twice"),
        (b"\xff\xfe\x00", "no text"),
        (b"- a\n- b\n", "a list"),
        (b"!!python/object/apply:os.system [ls]\n", "a tag"),
    ],
)
def test_a_file_that_is_no_configuration_is_one_clear_message(tool: Cli, data: bytes, reason: str) -> None:
    (tool.folder / "config.yaml").write_bytes(data)
    answer = tool.json("--config", "config.yaml", "list")
    assert answer.code == 2, reason
    assert "config.yaml" in answer.error["message"]
    assert answer.error["hint"]


def test_a_file_of_comments_sets_nothing(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    assert tool.repo("--config", tool.config("# json: true\n\n  # nothing yet\n"), "list").code == 0


def test_an_unknown_profile_is_told_those_there_are(tool: Cli) -> None:
    config = tool.config("profiles:\n  lab: {repository: repo}\n")
    answer = tool.json("--config", config, "--profile", "labb", "list")
    assert (answer.code, answer.error["code"]) == (2, "unknown-profile")
    assert "appliance, classic, lab" in answer.error["hint"]


def test_a_profile_of_the_file_has_its_own_folder_service_and_experience(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    config = tool.config("profiles:\n  lab: {repository: repo, service: Lab Service, experience: modernized}\n")
    assert tool.json("--config", config, "--profile", "lab", "list").document["repository"] == tool.shown
    audit = tool.json("--config", config, "--profile", "lab", "audit").document
    assert audit["profile"] == "lab"
    assert len(audit["packages"]) == 26
    tool.service = InstantService("Lab Service")
    restart = tool.json("--config", config, "--profile", "lab", "restart", "--dry-run").document
    assert restart["actions"][0]["name"] == "Lab Service"


def test_a_profile_without_a_service_restarts_nothing(tool: Cli) -> None:
    tool.mess()
    config = tool.config("profiles:\n  lab: {repository: repo, service: none}\n")
    actions = tool.json("--config", config, "--profile", "lab", "prune", "--dry-run").document["actions"]
    assert {item["action"] for item in actions} == {"retire"}


@pytest.mark.parametrize("where", ["the file", "the profile"])
def test_the_require_list_says_which_packages_are_wanted(tool: Cli, where: str) -> None:
    tool.fill(("RHEL7-64",))
    listed = "require: [rhel7-64, RHEL9-64]"
    config = tool.config(f"{listed}\n" if where == "the file" else f"profiles:\n  classic: {{{listed}}}\n")
    document = tool.repo_json("--config", config, "audit").document
    assert {item["package"] for item in document["packages"]} == {"RHEL7-64", "RHEL9-64"}
    asked = tool.repo_json("--config", config, "audit", "--package", "OL7-64").document
    assert {item["package"] for item in asked["packages"] if item["required"]} == {"OL7-64"}


def test_a_require_list_with_an_unknown_package_names_the_nearest(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    answer = tool.repo_json("--config", tool.config("require: [RHEL77-64]\n"), "audit")
    assert (answer.code, answer.error["code"]) == (2, "unknown-package")
    assert "RHEL7-64" in answer.error["hint"]


def test_the_servers_own_release_makes_newer_agents_a_finding(tool: Cli) -> None:
    tool.fill(CLASSIC)
    config = tool.config('server_release: "9.64"\n')
    answer = tool.repo_json("--config", config, "audit")
    assert answer.code == 1
    assert {item["code"] for item in answer.document["findings"]} == {"newer-than-server"}


def test_keys_for_one_command_do_not_reach_another(tool: Cli) -> None:
    """`keep` is a number for prune and `to` a folder for download; demo and catalog update have words of their own."""
    config = tool.config("keep: 2\nto: carry\nformat: csv\n")
    assert tool("--config", config, "catalog", "check").code == 0
    answer = tool.json("--config", config, "demo")
    assert answer.code == 0, answer.err
    assert {path.name for path in tool.folder.iterdir()} == {"config.yaml"}


def test_fixes_carry_the_options_of_the_run(tool: Cli) -> None:
    tool.fill(("RHEL7-64",), OLD)
    tool.config("require: [RHEL7-64]\n")
    arguments = ("--config", "config.yaml", "--profile", "appliance", "--repository", "repo")
    answer = tool("--json", *arguments, "audit", "--release", "latest")
    (finding,) = answer.document["findings"][:1]
    begin = "repo-manager --profile appliance --repository repo --config config.yaml sync --release 9.66"
    assert finding["fix"] == f"{begin} --package RHEL7-64"
    words = tool(*arguments, "audit", "--release", "latest").out.splitlines()[-1]
    assert words == f"to mend it: {begin}"
    tool.fill_source()
    assert tool(*finding["fix"].split()[1:], "--source", "source", "--yes").code == 0
    assert tool.names() == {name_of("RHEL7-64")}
