"""File + environment -> settings.

A flag beats a variable beats the file. Keys of the file are the options' names with underscores;
variables are the same in capitals with `REPO_MANAGER_` before. What concerns one place rather than
one run (profiles, hosts, proxy, retention) has no flag and is set here alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from repo_manager.core.address import refuse_share
from repo_manager.core.errors import InputError, NoSmbClientError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from repo_manager.core.catalog.strict_yaml import Mapping as Section
    from repo_manager.core.names import Release
    from repo_manager.core.service import Timeouts

PREFIX: Final = "REPO_MANAGER_"

# Evidence: the overview article of September 2020 names the service; the appliance's folder is in
# the public documentation of the modernized experience.
PUSH_SERVICE: Final = "InMage PushInstall"

TEXT_OPTIONS: Final = (
    "profile",
    "repository",
    "catalog",
    "release",
    "source",
    "to",
    "update_to",
    "demo_keep",
    "format",
    "output",
    "fail_on",
    "os_release",
    "cs_ip",
    "passphrase_file",
    "install_dir",
    "role",
    "platform",
    "log",
    "signatures",
    "keys",
    "trust",
    "root",
    "limit_rate",
    "set",
    "listen",
    "tls_cert",
    "tls_key",
    "tokens",
    "token_role",
    "reports",
    "report_to",
    "host",
    "fleet",
    "since",
    "advise_to",
)
FLAG_OPTIONS: Final = (
    "json",
    "quiet",
    "no_color",
    "dry_run",
    "yes",
    "no_restart",
    "manual_only",
    "deep",
    "allow_older",
    "online",
    "polling",
    "renew",
    "verify",
    "no_report",
    "save",
)
LIST_OPTIONS: Final = ("package", "window", "rotate", "behind_proxy", "server", "advise_from", "inventory")
NUMBER_OPTIONS: Final = (
    "verbose",
    "keep",
    "settle",
    "interval",
    "expires",
    "jitter",
    "silent_after",
    "max_connections",
    "drain",
    "time_limit",
)

COMMAND_LINE_ONLY: Final = (
    "replace_trust",
    "accept_expired",
    "unsigned",
    "drop",
    "create",
    "allow_plain_http",
    "fix_permissions",
)
"""Options that lower trust or secrecy, or accept harm, for one run. A forgotten key or variable would do so for every
run."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Where a repository is and which service belongs to it.

    `repository` is None where the folder must be looked for; `service` is None where there is none;
    `classic` says which experience the servers run; `require` lists the wanted packages, empty for
    all that the release has.
    """

    name: str
    repository: str | None = None
    service: str | None = None
    classic: bool = True
    second_folder: str | None = None
    require: tuple[str, ...] = ()


BUILT_IN: Final = MappingProxyType(
    {
        "classic": Profile("classic", service=PUSH_SERVICE),
        "appliance": Profile("appliance", classic=False),
    }
)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set, with the defaults.

    `options` holds what the file says of the commands' options, by option name. `hosts` may be
    downloaded from beside the catalog's. `patience` is None for the usual one. Sizes are bytes.
    """

    options: Mapping[str, object] = field(default_factory=dict)
    profiles: Mapping[str, Profile] = field(default_factory=lambda: BUILT_IN)
    hosts: tuple[str, ...] = ()
    proxy: str | None = None
    ca_file: Path | None = None
    store_credentials: Path | None = None
    report_credentials: Path | None = None
    publisher: str | None = None
    signature_roots: Path | None = None
    attempts: int = 5
    server_release: Release | None = None
    retired_keep: int = 4
    retired_days: int = 365
    audits_keep: int = 30
    reserve_bytes: int = 256 * 1024 * 1024
    patience: Timeouts | None = None

    def profile(self, name: str) -> Profile:
        """The profile of that name.

        Raises:
            InputError: there is none; the hint names those there are. Or only an SMB client could open one of its
                folders.
        """
        found = self.profiles.get(name)
        if found is None:
            raise InputError(
                "unknown-profile",
                f"there is no profile {name!r}",
                f"choose one of {', '.join(sorted(self.profiles))}, or add it to the configuration file",
            )
        for folder in filter(None, (found.repository, found.second_folder)):
            refuse_share(folder)
        return found


def parse(text: str, name: str) -> Settings:
    """Read a configuration file's text.

    Raises:
        DocumentError: with every mistake in it.
        NoSmbClientError: it has a key of the SMB client, which was removed.
    """
    from repo_manager.core import service as restart
    from repo_manager.core.catalog import strict_yaml

    written = [line.strip() for line in text.splitlines() if line.strip()]
    if written and all(line.startswith("#") for line in written):
        # Nothing but comments is how many a configuration begins; nothing at all is a file that was cut off.
        return Settings()
    root = strict_yaml.read(text)
    _refuse_smb(root, name)
    settings = Settings(
        options=_options(root),
        profiles=_profiles(root),
        hosts=root.texts("hosts", ()),
        proxy=_optional(root, "proxy"),
        ca_file=Path(root.text("ca_file")) if "ca_file" in root else None,
        store_credentials=Path(root.text("store_credentials")) if "store_credentials" in root else None,
        report_credentials=Path(root.text("report_credentials")) if "report_credentials" in root else None,
        publisher=_optional(root, "publisher"),
        signature_roots=Path(root.text("signature_roots")) if "signature_roots" in root else None,
        attempts=root.integer("attempts", 5, least=1, most=100),
        server_release=root.release("server_release") if "server_release" in root else None,
        retired_keep=root.integer("retired_keep", 4, most=1000),
        retired_days=root.integer("retired_days", 365, most=36500),
        audits_keep=root.integer("audits_keep", 30, least=1, most=1000),
        reserve_bytes=root.integer("reserve_mb", 256, most=1_000_000) * 1024 * 1024,
        patience=restart.Timeouts(
            stop_s=root.integer("stop_timeout", 120, least=1, most=86400),
            start_s=root.integer("start_timeout", 120, least=1, most=86400),
            steady_s=root.integer("steady_time", 5, most=3600),
        ),
    )
    root.finish()
    root.raise_problems("configuration", name, "mend the lines above; the keys are in docs/reference/configuration.md")
    return settings


def load(path: Path | None, environ: Mapping[str, str], read: Callable[[Path], bytes] = Path.read_bytes) -> Settings:
    """Read the configuration file that is named, or the machine's, or none. `read` may refuse a file.

    Raises:
        InputError: the named file cannot be read, or holds mistakes.
    """
    named = path or (Path(environ[f"{PREFIX}CONFIG"]) if environ.get(f"{PREFIX}CONFIG") else None)
    file = named or machine_wide(environ)
    try:
        data = read(file)
    except FileNotFoundError as error:
        if named is None:
            return Settings()
        raise InputError("no-configuration", f"there is no file {file}", "check --config") from error
    except OSError as error:
        raise InputError("no-configuration", f"{file} cannot be read: {error.strerror}", "check --config") from error
    from repo_manager.core.catalog import strict_yaml

    return parse(strict_yaml.decode(data, str(file), "configuration"), str(file))


def machine_wide(environ: Mapping[str, str]) -> Path:
    """Where the configuration of the whole machine lies."""
    if environ.get("ProgramData"):
        return Path(environ["ProgramData"]) / "repo-manager" / "config.yaml"
    return Path("/etc/repo-manager/config.yaml")


def _options(root: Section) -> Mapping[str, object]:
    options: dict[str, object] = {}
    for key in TEXT_OPTIONS:
        if key in root:
            options[key] = root.text(key)
    for key in FLAG_OPTIONS:
        if key in root:
            options[key] = root.flag(key)
    for key in LIST_OPTIONS:
        if key in root:
            options[key] = root.texts(key)
    for key in NUMBER_OPTIONS:
        if key in root:
            options[key] = root.integer(key, most=1000)
    for key in filter(root.__contains__, COMMAND_LINE_ONLY):
        root.problem_at_key(key, f"{key}: remove it; this option works on the command line only ({flag_of(key)})")
    return MappingProxyType(options)


def _refuse_smb(root: Section, name: str) -> None:
    if _SMB_KEY in root:
        place = Problem(root.line(_SMB_KEY), root.column(_SMB_KEY), f"the key {_SMB_KEY} is not supported; remove it")
        raise NoSmbClientError(f"{name}: {place}")


_SMB_KEY: Final = "smb_credentials"


def flag_of(option: str) -> str:
    """The flag of an option, as in `--replace-trust`."""
    return f"--{option.replace('_', '-')}"


def refuse_variables(environ: Mapping[str, str]) -> None:
    """Refuse environment variables for options that work on the command line only.

    Raises:
        InputError: `command-line-only`; such a variable is set.
    """
    for key in COMMAND_LINE_ONLY:
        name = f"{PREFIX}{key.upper()}"
        if environ.get(name):
            raise InputError(
                "command-line-only",
                f"the environment variable {name} is set; this option works on the command line only",
                f"remove the variable, and add {flag_of(key)} to the one run that needs it",
            )


def _profiles(root: Section) -> Mapping[str, Profile]:
    """The built-in profiles, with the top level's folder settings for `classic`, and the file's own."""
    profiles = dict(BUILT_IN)
    own = root.mapping("profiles", required=False)
    for name in own:
        section = own.mapping(name)
        base = profiles.get(name, Profile(name, service=PUSH_SERVICE))
        profiles[name] = Profile(
            name,
            repository=_optional(section, "repository") or base.repository,
            service=_service(section, base),
            classic=section.text("experience", "classic" if base.classic else "modernized") == "classic",
            second_folder=_optional(section, "second_folder"),
            require=section.texts("require", ()),
        )
        if "experience" in section and section.text("experience") not in {"classic", "modernized"}:
            section.problem("experience", "experience: expected classic or modernized")
        section.finish()
    second = _optional(root, "second_folder")
    require = root.texts("require", ())
    return MappingProxyType(
        {
            name: Profile(
                name,
                profile.repository,
                profile.service,
                profile.classic,
                profile.second_folder or second,
                profile.require or require,
            )
            for name, profile in profiles.items()
        }
    )


def _service(section: Section, base: Profile) -> str | None:
    """A service's name; the word `none` for a profile without one."""
    name = section.text("service", base.service or "none")
    return None if name == "none" else name


def _optional(section: Section, key: str) -> str | None:
    return section.text(key) if key in section else None
