"""The documentation says what the program does: every page is held against the code, and every example is run."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from cli_world import InstantService, QuickRun
from fleet_world import report
from typer._click.core import Context
from typer.core import TyperGroup

from repo_manager import cli
from repo_manager.app import settings
from repo_manager.cli.root import COMMANDS, root
from repo_manager.core import catalog, fleet
from repo_manager.core.audit import findings
from repo_manager.core.errors import ExitCode, InputError
from repo_manager.core.service import Timeouts
from repo_manager.demo import sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from typer._click.core import Command, Parameter

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
REFERENCE: Final = DOCS / "reference"
PAGES: Final = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md")))
TUTORIAL: Final = DOCS / "tutorial" / "first-sync.md"

_FENCE: Final = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_PROMPT: Final = re.compile(r"(?:\$|C:\\>) (.*)")
_LINK: Final = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")

# What differs from run to run: transactions, and the age of a date.
_VOLATILE: Final = (
    (re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{4}"), "ID"),
    (re.compile(r" +[0-9]+ (mon|yr?s?|days?|y|d)\b"), " AGE"),
)


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    if spec is None or spec.loader is None:
        raise AssertionError(DOCS)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


GENERATE: Final = _generator()


def _named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _blocks(path: Path, language: str) -> Iterator[str]:
    for indent, found, body in _FENCE.findall(path.read_text(encoding="utf-8")):
        if found == language:
            yield "".join(line.removeprefix(indent) for line in body.splitlines(keepends=True))


def _shown_commands(path: Path) -> list[str]:
    lines = (line for block in _blocks(path, "console") for line in block.splitlines())
    return [match[1] for line in lines if (match := _PROMPT.fullmatch(line))]


def _words(line: str) -> list[str]:
    r"""The words of a command line. In a Windows path a backslash means itself."""
    return [word.strip('"') for word in shlex.split(line, posix=False)]


def _commands() -> list[tuple[str, Command]]:
    return list(GENERATE.commands())


def _options() -> list[tuple[str, Parameter]]:
    return [(name, option) for name, command in _commands() for option in GENERATE.own_options(command)]


# The generated page


def test_the_page_of_the_commands_is_what_the_commands_say() -> None:
    assert (REFERENCE / "commands.md").read_text(encoding="utf-8") == GENERATE.page()


@pytest.mark.parametrize("name", [*COMMANDS, *(name for name, _ in GENERATE.commands() if " " in name)])
def test_every_command_has_a_section(name: str) -> None:
    text = (REFERENCE / "commands.md").read_text(encoding="utf-8")
    assert re.search(rf"^##+ {re.escape(name)}$", text, re.MULTILINE)


def test_check_says_when_the_page_on_disk_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(GENERATE, "PAGE", tmp_path / "commands.md")
    assert GENERATE.main(["--check"]) == 1
    assert "run 'make docs'" in capsys.readouterr().err
    assert GENERATE.main([]) == 0
    assert GENERATE.main(["--check"]) == 0


# What the code knows is on a page


@pytest.mark.parametrize("code", list(findings.Code))
def test_every_finding_has_a_page_and_a_line_in_the_index(code: findings.Code) -> None:
    assert (REFERENCE / "findings" / f"{code}.md").read_text(encoding="utf-8").startswith(f"# {code}\n")
    assert f"[`{code}`]({code}.md)" in (REFERENCE / "findings" / "index.md").read_text(encoding="utf-8")


def test_no_page_is_about_a_finding_that_is_gone() -> None:
    pages = {path.stem for path in (REFERENCE / "findings").glob("*.md")} - {"index"}
    assert pages == set(findings.Code)


_OPTION_KEYS: Final = {
    *settings.TEXT_OPTIONS,
    *settings.FLAG_OPTIONS,
    *settings.LIST_OPTIONS,
    *settings.NUMBER_OPTIONS,
}
_KEYS_OF_PROFILES: Final = {"repository", "service", "experience", "second_folder", "require"}


def _documented_keys(heading: str) -> set[str]:
    text = (REFERENCE / "configuration.md").read_text(encoding="utf-8")
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `([a-z_]+)` \|", section, re.MULTILINE))


def _accepted_keys(candidates: set[str]) -> set[str]:
    """The candidates that the reader of the configuration file knows: it complains of all the others at once."""
    text = "".join(f"{key}: x\n" for key in sorted(candidates))
    with pytest.raises(InputError) as caught:
        settings.parse(text, "probe.yaml")
    return candidates - set(re.findall(r"unknown key '([a-z_]+)'", caught.value.message))


def test_every_key_of_an_option_is_documented_and_no_other() -> None:
    assert _documented_keys("Options of commands") == _OPTION_KEYS


def test_every_other_key_is_documented() -> None:
    source = Path(settings.__file__).read_text(encoding="utf-8")
    read = set(
        re.findall(r'(?:root\.(?:text|texts|flag|integer|release|mapping)\(|_optional\(root, )"([a-z_]+)"', source)
    )
    assert _documented_keys("Places and retention") == read


def test_every_documented_key_is_accepted() -> None:
    documented = _documented_keys("Options of commands") | _documented_keys("Places and retention")
    assert _accepted_keys(documented | {"surely_not"}) == documented


def test_the_keys_of_a_profile_are_documented_and_accepted() -> None:
    documented = _documented_keys("Profiles") & _KEYS_OF_PROFILES
    assert documented == _KEYS_OF_PROFILES
    own = {field.name for field in fields(settings.Profile)} - {"name", "classic"} | {"experience"}
    assert own == _KEYS_OF_PROFILES


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("retired_keep", settings.Settings().retired_keep),
        ("retired_days", settings.Settings().retired_days),
        ("attempts", settings.Settings().attempts),
        ("reserve_mb", settings.Settings().reserve_bytes // 1024**2),
        ("stop_timeout", Timeouts().stop_s),
        ("start_timeout", Timeouts().start_s),
        ("steady_time", Timeouts().steady_s),
    ],
)
def test_the_documented_default_is_the_default(key: str, value: float) -> None:
    text = (REFERENCE / "configuration.md").read_text(encoding="utf-8")
    assert f"| `{key}` | {value:g} |" in text


def test_every_exit_code_is_documented() -> None:
    text = (REFERENCE / "exit-codes.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([0-9]+) \| ([A-Z]+) \|", text, re.MULTILINE)
    assert [(int(number), name) for number, name in rows] == [(code.value, code.name) for code in ExitCode]


def test_every_documented_error_can_be_raised() -> None:
    text = (REFERENCE / "errors.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]*`) \| [0-9]+ \|", text, re.MULTILINE)
    documented = {code for row in rows for code in re.findall(r"`([a-z-]+)`", row)}
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "repo_manager").rglob("*.py"))
    assert documented
    assert {code for code in documented if f'"{code}"' not in source} == set()


# Options


@pytest.mark.parametrize(
    ("command", "option"), _options(), ids=lambda value: value if isinstance(value, str) else value.name
)
def test_every_option_has_a_variable_and_a_key_unless_it_lowers_trust(command: str, option: Parameter) -> None:
    key = str(option.name).removesuffix("_")
    if key in settings.COMMAND_LINE_ONLY:
        assert option.envvar is None, command
        return
    assert option.envvar == f"{settings.PREFIX}{key.upper()}", command
    assert key in _OPTION_KEYS, command


def test_every_global_option_has_a_variable_and_a_key() -> None:
    # The file cannot name itself, and the version is no setting.
    options = {str(option.name): option.envvar for option in root().params if option.name != "version"}
    assert options == {name: f"{settings.PREFIX}{name.upper()}" for name in options}
    assert options.keys() - {"config"} <= _OPTION_KEYS


def test_every_key_belongs_to_an_option() -> None:
    of_commands = {str(option.name).removesuffix("_") for _, option in _options()} - set(settings.COMMAND_LINE_ONLY)
    assert of_commands | {str(option.name) for option in root().params} - {"config", "version"} == _OPTION_KEYS


# Links


def _anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_every_relative_link_resolves(page: Path) -> None:
    broken = []
    for link in _LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            broken.append(link)
    assert broken == []


def test_every_page_can_be_reached_from_the_index() -> None:
    seen: set[Path] = set()
    waiting = [DOCS / "index.md"]
    while waiting:
        page = waiting.pop()
        seen.add(page)
        links = (link.partition("#")[0] for link in _LINK.findall(page.read_text(encoding="utf-8")))
        targets = {(page.parent / link).resolve() for link in links if link.endswith(".md") and "://" not in link}
        waiting += targets - seen
    assert [_named(page) for page in sorted(DOCS.rglob("*.md")) if page.resolve() not in seen] == []


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_pages_are_plain_ascii(page: Path) -> None:
    assert page.read_text(encoding="utf-8").isascii()


# Commands that are shown


def _all_shown() -> list[tuple[str, str]]:
    shown = [(_named(page), line) for page in PAGES for line in _shown_commands(page)]
    return [(page, line) for page, line in shown if line.startswith("repo-manager")]


def _parse(words: list[str], command: Command, context: Context) -> None:
    """Parse as the program would, without running anything: unknown options and missing arguments are refused."""
    values, rest, order = command.make_parser(context).parse_args(words)
    if isinstance(command, TyperGroup) and (rest or not command.invoke_without_command):
        below = command.get_command(context, rest[0])
        assert below is not None, rest[0]
        return _parse(rest[1:], below, Context(below, parent=context, info_name=rest[0]))
    assert rest == []
    for parameter in order:
        given = values.get(str(parameter.name))
        assert given or not parameter.required, parameter.name
        if given is not None:
            parameter.type_cast_value(context, given)
    return None


def test_there_are_commands_to_look_at() -> None:
    assert {line.split()[1] for _, line in _all_shown() if "--" not in line.split()[1]} >= {"audit", "sync", "restore"}


@pytest.mark.parametrize(("page", "line"), _all_shown())
def test_every_command_that_is_shown_parses(page: str, line: str) -> None:
    del page
    group = root()
    # Other systems than Windows refuse a UNC path.
    words = [f"D:\\{word[2:]}" if word.startswith("\\\\") else word for word in _words(line)]
    _parse(words[1:], group, Context(group, info_name="repo-manager"))


@pytest.mark.parametrize(
    "line",
    ["audit --no-such-option", "audit --format docx", "nonsense", "show", "catalog updates x", "prune --keep many"],
)
def test_a_command_that_does_not_exist_would_be_noticed(line: str) -> None:
    group = root()
    with pytest.raises(Exception):  # noqa: B017, PT011 - whichever way the parser refuses
        _parse(line.split(), group, Context(group, info_name="repo-manager"))


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_every_configuration_that_is_shown_is_accepted(page: Path) -> None:
    for block in _blocks(page, "yaml"):
        settings.parse(block, page.name)


# Commands that are run


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with nothing of this machine's settings."""
    for name in list(os.environ):
        if name.startswith(settings.PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.setenv("REPO_MANAGER_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("REPO_MANAGER_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("ProgramData", str(tmp_path / "ProgramData"))
    monkeypatch.setenv("COLUMNS", "80")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


def _made(folder: Path) -> None:
    text = (ROOT / "catalog.yaml").read_text(encoding="utf-8")
    sandbox.make(folder, catalog.parse(text))


def _steady(text: str) -> str:
    for pattern, word in _VOLATILE:
        text = pattern.sub(word, text)
    return text


def _carry_out(words: list[str]) -> None:
    """The few other commands that a page shows, done the same on every system."""
    match words:
        case ["rm", path]:
            Path(path).unlink()
        case ["cp", old, new]:
            shutil.copy(old, new)
        case _:
            raise AssertionError(words)


def _expect(shown: list[str], real: str, command: str) -> None:
    """Every shown line comes in the real output, in order; `...` stands for lines left out."""
    lines = iter(_steady(real).splitlines())
    for wanted in map(_steady, shown):
        if wanted == "...":
            continue
        assert any(line.rstrip() == wanted.rstrip() for line in lines), f"{command}: not printed: {wanted}"


@pytest.mark.usefixtures("world")
def test_the_tutorial_can_be_followed_and_prints_what_it_shows(capsys: pytest.CaptureFixture[str]) -> None:
    ran = 0
    for block in _blocks(TUTORIAL, "console"):
        for part in re.split(r"^(?=\$ )", block, flags=re.MULTILINE):
            if not part:
                continue
            first, *shown = part.splitlines()
            words = shlex.split(first.removeprefix("$ "))
            if words[0] != "repo-manager":
                _carry_out(words)
                continue
            code = cli.main(words[1:])
            captured = capsys.readouterr()
            assert code in {ExitCode.DONE, ExitCode.FINDINGS}, captured.err
            # Windows makes every path a whole one.
            _expect(shown, captured.out.replace(f"{Path.cwd()}{os.sep}", "").replace("\\", "/"), first)
            ran += 1
    assert ran >= 10


@pytest.mark.usefixtures("world")
def test_the_audit_in_the_readme_is_a_real_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["demo", "--keep", "sandbox"]) == ExitCode.DONE
    story = capsys.readouterr().out
    (excerpt,) = (block for block in _blocks(ROOT / "README.md", "text") if "PACKAGE" in block)
    missing = [line for line in excerpt.splitlines() if line not in story.splitlines()]
    assert missing == []


def test_a_secret_in_a_source_is_printed_nowhere(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The page on security promises it."""
    (world / "repository").mkdir()
    source = "http://someone:hush@127.0.0.1:9/set?sig=hush"
    line = ["--repository", "repository", "sync", "--source", source, "--package", "RHEL7-64", "--dry-run"]
    for words in (line, [*line, "--json"]):
        assert cli.main(words) == ExitCode.TRANSFER
        captured = capsys.readouterr()
        assert "RHEL7-64" in captured.out
        assert "127.0.0.1" in captured.err
        assert "hush" not in captured.out + captured.err


# JSON


def _shape(value: object) -> Any:  # noqa: ANN401 - a shape is as nested as what it describes
    """Keys and kinds: a dict's shape by key, the merged shape of a list's items, the kinds of a scalar."""
    if isinstance(value, dict):
        return {key: _shape(item) for key, item in value.items()}
    if isinstance(value, list):
        merged: Any = None
        for item in value:
            merged = _merged(merged, _shape(item))
        return [merged]
    return {type(value).__name__}


def _merged(one: Any, other: Any) -> Any:  # noqa: ANN401 - see _shape
    if one is None:
        return other
    if isinstance(one, dict) and isinstance(other, dict):
        return {key: _merged(one.get(key), other.get(key, one.get(key))) for key in {**one, **other}}
    if isinstance(one, list) and isinstance(other, list):
        return [_merged(one[0], other[0])] if other[0] is not None else one
    if isinstance(one, set) and isinstance(other, set):
        return one | other
    # A null beside a document: the document says more.
    return one if isinstance(other, set) else other


def _differences(shown: Any, real: Any, where: str = "") -> list[str]:  # noqa: ANN401 - see _shape
    """Where an example says something else than the program."""
    if isinstance(shown, dict) and isinstance(real, dict):
        if where.endswith("links"):
            return []  # keyed by package, not by a word of the schema
        odd = [f"{where}.{key}" for key in sorted(shown.keys() ^ real.keys())]
        return odd + [
            line for key in shown.keys() & real.keys() for line in _differences(shown[key], real[key], f"{where}.{key}")
        ]
    if isinstance(shown, list) and isinstance(real, list):
        return _differences(shown[0], real[0], f"{where}[]") if shown[0] is not None else []
    if isinstance(shown, set) and isinstance(real, set):
        return [] if shown <= real else [f"{where}: {shown} is shown, {real} is printed"]
    return [f"{where}: {shown} is shown, {real} is printed"]


def _json_examples() -> list[tuple[str, dict[str, Any]]]:
    commands = _shown_commands(REFERENCE / "json.md")
    documents = [json.loads(block) for block in _blocks(REFERENCE / "json.md", "json")]
    return list(zip(commands, documents, strict=True))


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each command of the page prints, run in the page's order: the later ones need what the earlier did."""
    folder = tmp_path_factory.mktemp("json")
    _made(folder / "srv")
    shutil.copy(ROOT / "tests" / "data" / "AgentDownloadLinks.md", folder / "srv" / "links.md")
    _make_a_fleet(folder / "srv")
    documents = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPO_MANAGER_CACHE_DIR", str(folder / "cache"))
        patch.setenv("REPO_MANAGER_STATE_DIR", str(folder / "state"))
        patch.setenv("ProgramData", str(folder / "ProgramData"))
        for line, _ in _json_examples():
            words = [word.replace("/srv", str(folder / "srv")) for word in shlex.split(line)[1:]]
            documents[line] = json.loads(_stdout_of(words))
    return documents


def _make_a_fleet(folder: Path) -> None:
    """Two servers: one reports and can be looked at, the other one does neither."""
    (folder / "set" / "reports").mkdir(parents=True)
    made = fleet.document(report("ps-01", 1, exit_code=3, error="no-space"))
    (folder / "set" / "reports" / "report-ps-01.json").write_text(json.dumps(made), encoding="utf-8")
    servers = [{"name": "ps-01", "repository": str(folder / "repository")}, {"name": "ps-02"}]
    text = json.dumps({"set": str(folder / "set"), "servers": servers})
    (folder / "fleet.yaml").write_text(text, encoding="utf-8")


def _stdout_of(words: list[str]) -> str:
    import contextlib
    import io

    out = io.StringIO()

    class Here(QuickRun):
        stand_in = InstantService() if "restart" in words else None

    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        cli.main(words, Here)
    return out.getvalue()


@pytest.mark.parametrize(
    ("line", "example"), _json_examples(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_json_example_has_the_shape_of_what_is_printed(
    line: str, example: dict[str, Any], printed: dict[str, Any]
) -> None:
    real = printed[line]
    assert example["schema"] == real["schema"]
    assert _differences(_shape(example), _shape(real)) == []


def test_every_schema_has_an_example() -> None:
    sources = (ROOT / "repo_manager").rglob("*.py")
    known = {found for path in sources for found in re.findall(r'"(repo-manager/[a-z-]+/1)"', path.read_text("utf-8"))}
    own_files = {
        "repo-manager/journal/1",
        "repo-manager/records/1",
        "repo-manager/kernels/1",
        "repo-manager/compiled-catalog/1",
        "repo-manager/reporting/1",
        "repo-manager/trust/1",
    }
    # Printed for as long as somebody watches, or on Windows alone: tests/docs/test_watch_page.py
    elsewhere = {"repo-manager/watch/1", "repo-manager/watch-install/1", "repo-manager/watch-remove/1"}
    # Of the server: tests/docs/test_http_page.py
    elsewhere |= {f"repo-manager/{what}/1" for what in ("serve", "serve-token", "serve-tokens", "tokens")}
    elsewhere |= {f"repo-manager/{what}/1" for what in ("report", "received", "reports")}
    assert {example["schema"] for _, example in _json_examples()} == known - own_files - elsewhere


def test_the_map_names_every_module() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    package = ROOT / "repo_manager"
    commands = {package / "cli" / f"{name}.py" for name in COMMANDS}
    inside = set((package / "core" / "systems").glob("*.py"))
    modules = set(package.rglob("*.py")) - commands - inside
    named = {path.name for path in modules if path.name not in {"__init__.py", "__main__.py"}}
    assert sorted(name for name in named if f"`{name}`" not in text) == []
