"""The settings of the plugin itself, each declared once: flag, environment variable, default and meaning.

A flag wins over its variable, a variable over the default. A variable that is empty counts as not set, since that is
how the engine hands over the variables of a managed plugin that nobody has set.
"""

import argparse
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, Literal, TypeVar

from plugin.config import types
from plugin.config.common_options import JOURNAL_ONLY
from plugin.config.defaults import parse_defaults
from plugin.config.files import MANAGED_DATA, FileAccess, FileRoot, parse_roots
from plugin.config.listen_address import LISTEN_ADDRESS, ListenAddress
from plugin.config.options import defaults_faults
from plugin.config.parsing import hint, parse_list, printable, quote
from plugin.config.schema import Schema
from plugin.config.secrets import Secret, read_secret
from plugin.config.types import Kind
from plugin.errors import SettingError

T_co = TypeVar("T_co", covariant=True)

_PREFIX = "PEAVEY_"
_SHORTEST_TOKEN = 16
_LONGEST_SOCKET_PATH = 107  # bytes: sun_path of unix(7), less the NUL


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting(Generic[T_co]):
    """One setting of the plugin."""

    name: str
    """Its field in `Settings`, and with dashes its flag."""
    variable: str
    kind: Kind[T_co]
    default: str
    help: str
    """Its meaning, in one or two sentences of plain text."""
    managed: Literal["settable", "fixed", "absent"] = "settable"
    """Whether a managed plugin declares the variable so that `docker plugin set` takes it, declares it with a value of
    its own, or leaves it at the default."""
    managed_value: str | None = None
    """The value in a managed plugin, where it is not the default."""

    @property
    def flag(self) -> str:
        """The flag on the command line, such as ``--logging-dir``."""
        return "--" + self.name.replace("_", "-")


def _parse_socket(text: str) -> Path:
    path = types.PATH.parse(text)
    if len(bytes(path)) > _LONGEST_SOCKET_PATH:
        raise ValueError(
            f"{quote(text)} is too long for a socket (at most {_LONGEST_SOCKET_PATH} bytes, made absolute)"
        )
    return path


def _or_off(kind: Kind[T_co]) -> Kind[T_co | None]:
    """Make 0 the value that switches a limit off, read as None."""
    return Kind(parse=lambda text: kind.parse(text) or None, accepts=f"{kind.accepts}; 0 = off")


def _parse_token(text: str) -> Secret:
    """Read a token, which is not shown in what is raised."""
    if text.startswith("@"):
        text = read_secret(text[1:])
    if text and (len(text) < _SHORTEST_TOKEN or not text.isascii() or not text.isprintable() or " " in text):
        raise ValueError(
            f"a token has at least {_SHORTEST_TOKEN} printable ASCII characters and no blank"
            " (such as what 'openssl rand -hex 32' prints)"
        )
    return Secret(text)


_OPTIONAL_PATH: Kind[Path | None] = Kind(
    parse=lambda text: types.PATH.parse(text) if text else None, accepts="path", keeps_empty=True
)

SOCKET = Setting(
    name="socket",
    variable="PEAVEY_SOCKET",
    kind=Kind(parse=_parse_socket, accepts="path"),
    default="/run/docker/plugins/peavey.sock",
    help="The Unix socket on which the engine is answered. In this folder the engine finds it by its name.",
    managed="absent",
)
DATA = Setting(
    name="data",
    variable="PEAVEY_DATA",
    kind=types.PATH,
    default="/var/lib/peavey",
    help="The folder for journals and all else that must outlive the process.",
    managed="fixed",
    managed_value=MANAGED_DATA,
)
LOGGING_DIR = Setting(
    name="logging_dir",
    variable="PEAVEY_LOGGING_DIR",
    kind=types.PATH,
    default="/run/docker/logging",
    help="The folder of the engine's FIFOs; the plugin opens none outside.",
    managed="absent",
)
LOG_OPTS = Setting(
    name="log_opts",
    variable="PEAVEY_LOG_OPTS",
    kind=Kind(parse=parse_defaults, accepts="JSON object, or @FILE that holds one"),
    default="{}",
    help='Log-opts for all containers, such as {"max-size": "50m", "labels": "team,app"}; a container\'s own win.',
)
CONFIG = Setting(
    name="config",
    variable="PEAVEY_CONFIG",
    kind=types.PATH,
    default="/etc/peavey/peavey.yaml",
    help=(
        "The file of profiles and routes, which need not exist: sets of log-opts by name, and for which containers "
        "they are (docs/profiles.md). It is read again when it changes."
    ),
)
FILE_ROOTS = Setting(
    name="file_roots",
    variable="PEAVEY_FILE_ROOTS",
    kind=Kind(parse=parse_roots, accepts="folders with commas, :ro behind those that are only read"),
    default="/etc/peavey:ro,/etc/ssl/certs:ro,/var/log/peavey",
    help=(
        "The folders below which log-opts may name files: certificates, secrets, and the files of json-file-path. "
        "Whoever starts containers can have the plugin read and write there. / stands for the whole host."
    ),
    managed_value="/etc/peavey:ro,/etc/ssl/certs:ro,/run/docker/logging/files",
)
KEEP_STOPPED = Setting(
    name="keep_stopped",
    variable="PEAVEY_KEEP_STOPPED",
    kind=_or_off(types.duration()),
    default="168h",
    help=(
        "How long the delivered logs of a stopped container are kept, since the engine never says that a container was "
        "removed. With 0 they stay until the disk limits take them."
    ),
)
KEEP_UNDELIVERED = Setting(
    name="keep_undelivered",
    variable="PEAVEY_KEEP_UNDELIVERED",
    kind=_or_off(types.duration()),
    default="720h",
    help=(
        "How long after a container has stopped its sinks may still take what they have not got. Then it is given up, "
        "which is counted and logged. With 0 they may for ever, within the disk limits."
    ),
)
DISK_LIMIT = Setting(
    name="disk_limit",
    variable="PEAVEY_DISK_LIMIT",
    kind=_or_off(types.size()),
    default="10g",
    help=(
        "How much disk all journals together may take. With 0 only the limits of each container hold. What a container "
        "with overflow=throttle has not delivered is kept beyond it, and the container slowed down."
    ),
)
DISK_FREE = Setting(
    name="disk_free",
    variable="PEAVEY_DISK_FREE",
    kind=_or_off(types.size()),
    default="1g",
    help=(
        "How much of the disk is left free, whoever fills it, at most a tenth of the disk. With 0 the journals may "
        "fill it up. What a container with overflow=throttle has not delivered may take nine tenths of it, slowly."
    ),
)
MAX_FOLLOWERS = Setting(
    name="max_followers",
    variable="PEAVEY_MAX_FOLLOWERS",
    kind=types.integer(1, 100_000),
    default="1000",
    help="How many 'docker logs --follow' may run at the same time.",
)
DELIVERY_WORKERS = Setting(
    name="delivery_workers",
    variable="PEAVEY_DELIVERY_WORKERS",
    kind=types.integer(1, 64),
    default="1",
    help="How many processes deliver logs to sinks; containers are shared out among them.",
)
HTTP = Setting(
    name="http",
    variable="PEAVEY_HTTP",
    kind=LISTEN_ADDRESS,
    default="",
    help=(
        "The TCP address on which /status, /metrics and /healthz are given, besides the plugin's socket. Whoever "
        "reaches it may read them."
    ),
)
HTTP_HOSTS = Setting(
    name="http_hosts",
    variable="PEAVEY_HTTP_HOSTS",
    kind=Kind(parse=parse_list, accepts="names with commas"),
    default="",
    help=(
        "Names by which PEAVEY_HTTP may be called, besides IP addresses, localhost and this host's own name: a request "
        "with another Host is refused, since a page in somebody's browser could send it."
    ),
)
CONSOLE = Setting(
    name="console",
    variable="PEAVEY_CONSOLE",
    kind=types.BOOLEAN,
    default="false",
    help=(
        "Whether the web page with containers' logs is served on PEAVEY_HTTP, too (docs/console.md): to this host, or, "
        "with PEAVEY_HTTP_TOKEN, to all who know the token."
    ),
)
HTTP_TOKEN = Setting(
    name="http_token",
    variable="PEAVEY_HTTP_TOKEN",
    kind=Kind(parse=_parse_token, accepts="at least 16 characters, or @FILE that holds them", secret=True),
    default="",
    help=(
        "What must be known to use PEAVEY_HTTP while PEAVEY_CONSOLE is true: browsers ask for it, programs send it as "
        "'Authorization: Bearer TOKEN'. Needed for any address but a loopback one."
    ),
)
HTTP_TLS_CERT = Setting(
    name="http_tls_cert",
    variable="PEAVEY_HTTP_TLS_CERT",
    kind=_OPTIONAL_PATH,
    default="",
    help="A PEM file with the certificate, and those between it and the root, by which the page is served with HTTPS.",
)
HTTP_TLS_KEY = Setting(
    name="http_tls_key",
    variable="PEAVEY_HTTP_TLS_KEY",
    kind=_OPTIONAL_PATH,
    default="",
    help="A PEM file with the key of that certificate, without a password. Empty: it is in the certificate's file.",
)
LOG_LEVEL = Setting(
    name="log_level",
    variable="LOG_LEVEL",
    kind=types.choice("debug", "info", "warning", "error", any_case=True),
    default="info",
    help="Log verbosity; the log goes to stdout.",
)

TIMEZONE = Setting(
    name="timezone",
    variable="TZ",
    kind=types.TEXT,
    default="",
    help=(
        "The time zone of times that are written in local time, as by syslog, such as Europe/Berlin. Empty: the host's "
        "zone where the plugin sees it, which a managed one does not: there it is UTC."
    ),
)

HTTP_PROXY = Setting(
    name="http_proxy",
    variable="HTTP_PROXY",
    kind=types.SECRET,
    default="",
    help=(
        "The proxy for destinations with http:// whose log-opts name none, such as http://proxy.example.com:3128, but "
        "never for this host."
    ),
)
HTTPS_PROXY = Setting(
    name="https_proxy",
    variable="HTTPS_PROXY",
    kind=types.SECRET,
    default="",
    help="The same for destinations with https://.",
)
NO_PROXY = Setting(
    name="no_proxy",
    variable="NO_PROXY",
    kind=types.TEXT,
    default="",
    help="Hosts, domains and networks that are reached without a proxy, with commas, as Go and curl read it.",
)

SETTINGS: tuple[Setting[Any], ...] = (
    SOCKET,
    DATA,
    LOGGING_DIR,
    LOG_OPTS,
    CONFIG,
    FILE_ROOTS,
    KEEP_STOPPED,
    KEEP_UNDELIVERED,
    DISK_LIMIT,
    DISK_FREE,
    MAX_FOLLOWERS,
    DELIVERY_WORKERS,
    HTTP,
    HTTP_HOSTS,
    CONSOLE,
    HTTP_TOKEN,
    HTTP_TLS_CERT,
    HTTP_TLS_KEY,
    LOG_LEVEL,
    TIMEZONE,
    HTTP_PROXY,
    HTTPS_PROXY,
    NO_PROXY,
)

CLOUD_VARIABLES: Mapping[str, str] = MappingProxyType(
    {
        "AWS_REGION": "The AWS region, where log-opts name none.",
        "AWS_ACCESS_KEY_ID": "The id of an AWS access key. docker plugin inspect shows it and its secret.",
        "AWS_SECRET_ACCESS_KEY": "The secret of that access key.",
        "AWS_SESSION_TOKEN": "The session token of that access key, if it is temporary.",
        "AWS_PROFILE": "The profile of AWS's shared files that is used.",
        "AWS_SHARED_CREDENTIALS_FILE": "The file of AWS credentials by profile, such as /etc/peavey/aws-credentials.",
        "AWS_CONFIG_FILE": "The file of AWS settings by profile, such as /etc/peavey/aws-config.",
        "AWS_ROLE_ARN": "The AWS role that a web identity takes.",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "The file with the token of that web identity.",
        "GOOGLE_APPLICATION_CREDENTIALS": "The file of Google's credentials, such as /etc/peavey/shop-4711.json.",
    }
)
"""What sinks read of the environment as the tools of clouds do, and what it is for; all of it may be missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The plugin's settings: sizes in bytes, durations in seconds, None for a limit that is off."""

    socket: Path
    data: Path
    logging_dir: Path
    log_opts: Mapping[str, str] = field(repr=False)
    config: Path
    file_roots: tuple[FileRoot, ...]
    keep_stopped: float | None
    keep_undelivered: float | None
    disk_limit: int | None
    disk_free: int | None
    max_followers: int
    delivery_workers: int
    http: ListenAddress | None
    http_hosts: tuple[str, ...]
    console: bool
    http_token: Secret
    http_tls_cert: Path | None
    http_tls_key: Path | None
    log_level: str
    timezone: str
    http_proxy: Secret
    https_proxy: Secret
    no_proxy: str
    warnings: tuple[str, ...] = ()
    """Variables that look like a setting but are not: worth a line in the log, not a reason to stop."""

    @property
    def file_access(self) -> FileAccess:
        """Which files log-opts may name."""
        return FileAccess(self.file_roots, str(self.data), str(self.logging_dir))


def load_settings(
    arguments: Mapping[str, object],
    environ: Mapping[str, str],
    schema: Schema = JOURNAL_ONLY,
    names: Container[str] | None = None,
) -> Settings:
    """Read the settings from parsed arguments (``vars`` of what argparse gave; None is not given) and the environment.

    ``schema`` checks the plugin-wide log-opts. With ``names``, fields of `Settings`, all others are at their defaults:
    for a command that only needs those. Raises `SettingError` with all faults.
    """
    faults: list[str] = []

    def read(setting: Setting[T_co]) -> T_co:
        if names is not None and setting.name not in names:
            return setting.kind.parse(setting.default)
        source, text = _given(setting, arguments, environ)
        try:
            return setting.kind.parse(text)
        except ValueError as fault:
            faults.append(f"{source}: {fault}")
            return setting.kind.parse(setting.default)

    settings = Settings(
        socket=read(SOCKET),
        data=read(DATA),
        logging_dir=read(LOGGING_DIR),
        log_opts=read(LOG_OPTS),
        config=read(CONFIG),
        file_roots=read(FILE_ROOTS),
        keep_stopped=read(KEEP_STOPPED),
        keep_undelivered=read(KEEP_UNDELIVERED),
        disk_limit=read(DISK_LIMIT),
        disk_free=read(DISK_FREE),
        max_followers=read(MAX_FOLLOWERS),
        delivery_workers=read(DELIVERY_WORKERS),
        http=read(HTTP),
        http_hosts=read(HTTP_HOSTS),
        console=read(CONSOLE),
        http_token=read(HTTP_TOKEN),
        http_tls_cert=read(HTTP_TLS_CERT),
        http_tls_key=read(HTTP_TLS_KEY),
        log_level=read(LOG_LEVEL),
        timezone=read(TIMEZONE),
        http_proxy=read(HTTP_PROXY),
        https_proxy=read(HTTPS_PROXY),
        no_proxy=read(NO_PROXY),
        warnings=tuple(_unknown_variables(environ)),
    )
    source, _ = _given(LOG_OPTS, arguments, environ)
    faults += [f"{source}: {fault}" for fault in defaults_faults(settings.log_opts, schema)]
    faults += _console_faults(settings)
    if faults:
        raise SettingError("; ".join(faults))
    return settings


def _console_faults(settings: Settings) -> Iterator[str]:
    """Yield why the page cannot be served as it is asked for."""
    if settings.http_tls_key is not None and settings.http_tls_cert is None:
        yield f"{HTTP_TLS_KEY.variable}: {HTTP_TLS_CERT.variable} is needed, too"
    if not settings.console:
        return
    if settings.http is None:
        yield f"{CONSOLE.variable}: {HTTP.variable} is needed, the address of the page (such as 127.0.0.1:9464)"
    elif not settings.http.is_loopback and not settings.http_token.reveal():
        yield (
            f"{CONSOLE.variable}: the page shows logs, and others can reach {settings.http}: "
            f"set {HTTP_TOKEN.variable}, or a loopback address as {HTTP.variable}"
        )


def _given(setting: Setting[Any], arguments: Mapping[str, object], environ: Mapping[str, str]) -> tuple[str, str]:
    """Return where a setting's text comes from, and the text."""
    if (argument := arguments.get(setting.name)) is not None:
        return setting.flag, str(argument)
    return setting.variable, environ.get(setting.variable) or setting.default


def written_settings(arguments: Mapping[str, object], environ: Mapping[str, str]) -> str:
    """Return the settings in force on one line, as they were written; they must have been read without faults.

    Of log-opts only the names are shown: their values can be secret. Nothing is shown of a proxy, which may hold a
    password.
    """

    def shown(setting: Setting[Any]) -> str:
        text = _given(setting, arguments, environ)[1]
        if setting.kind.secret:
            return str(setting.kind.parse(text)) if text else ""
        return ",".join(sorted(parse_defaults(text))) if setting is LOG_OPTS else printable(text)

    return " ".join(f"{setting.variable}={shown(setting) or 'none'}" for setting in SETTINGS)


def as_variables(arguments: Mapping[str, object]) -> dict[str, str]:
    """Return the settings that came as flags as variables, for processes that are started."""
    given = ((setting.variable, arguments.get(setting.name)) for setting in SETTINGS)
    return {variable: str(value) for variable, value in given if value is not None}


def _unknown_variables(environ: Mapping[str, str]) -> Iterator[str]:
    known = [setting.variable for setting in SETTINGS]
    for name in sorted(environ):
        if name.startswith(_PREFIX) and environ[name] and name not in known:
            yield f"unknown setting {quote(name)} in the environment{hint(name, known)}"


def add_arguments(parser: argparse.ArgumentParser, names: Iterable[str] | None = None) -> None:
    """Add the flags of the settings to a parser, of all or of those named by their fields in `Settings`.

    What is parsed is left as text, and as None where it is not given: `load_settings` reads it.
    """
    for setting in SETTINGS:
        if names is None or setting.name in names:
            text = f"{setting.help} ({setting.kind.accepts}; {setting.variable}; default: {setting.default or 'none'})"
            parser.add_argument(setting.flag, metavar="VALUE", help=text.replace("%", "%%"))


def plugin_environment() -> list[dict[str, object]]:
    """Return the ``env`` part of a managed plugin's config.json: what `docker plugin set` takes, and what is fixed."""
    declared: list[dict[str, object]] = [
        {
            "name": setting.variable,
            "description": setting.help,
            "settable": ["value"] if setting.managed == "settable" else [],
            "value": setting.default if setting.managed_value is None else setting.managed_value,
        }
        for setting in SETTINGS
        if setting.managed != "absent"
    ]
    clouds: list[dict[str, object]] = [
        {"name": name, "description": meaning, "settable": ["value"], "value": ""}
        for name, meaning in CLOUD_VARIABLES.items()
    ]
    return declared + clouds
