"""Kinds of values of the log-opts that shape records, and the names that these know."""

import re
from dataclasses import dataclass

from plugin.config import parsing
from plugin.config.parsing import hint, quote
from plugin.config.types import Kind
from plugin.docker.attributes import compile_pattern
from plugin.docker.tag import compile_tag

LANGUAGES = ("java", "python", "go", "ruby", "dotnet", "php", "js", "rust", "postgres")
"""Languages whose stack traces can be joined, and PostgreSQL, whose messages have details."""

FORMATS = ("json", "logfmt", "klog", "nginx", "apache")
"""Formats of lines that can be parsed."""

_OF_AGENTS = {
    "docker": "leave it out: lines that Docker cuts are whole here",
    "cri": "leave it out, or give loki-pipeline-stages the stage cri for lines that a program prints in that format",
    "regex": "give log-opt parse-pattern, or multiline-pattern for events",
    "endswith": r"give log-opt multiline-pattern, such as '\\$', with multiline-mode=continue_past",
    "equal": "give log-opt multiline-pattern, such as '^---$', with multiline-mode=halt_with",
    **dict.fromkeys(("node", "nodejs", "javascript", "typescript"), "it is called js"),
    **dict.fromkeys(("csharp", "c#", ".net", "fsharp"), "it is called dotnet"),
    "golang": "it is called go",
    **dict.fromkeys(("kotlin", "scala", "groovy", "clojure"), "its stack traces are those of java"),
    "postgresql": "it is called postgres",
    **dict.fromkeys(("glog", "kubernetes"), "it is called klog"),
    **dict.fromkeys(("apache2", "apache_error", "httpd", "common", "combined"), "it is called apache"),
    **dict.fromkeys(
        ("csv", "ltsv", "grok", "syslog", "syslog-rfc5424", "syslog-rfc3164"), "give log-opt parse-pattern"
    ),
}
"""What to use in place of names that other programs have for these, and of what is not supported."""

SENSITIVE = (
    "email",
    "ipv4",
    "ipv6",
    "mac",
    "card",
    "iban",
    "us-ssn",
    "jwt",
    "bearer",
    "basic-auth",
    "password",
    "url-password",
    "aws-key",
    "github-token",
    "gitlab-token",
    "slack-token",
    "google-key",
    "stripe-key",
    "private-key",
)
"""Kinds of text that can be redacted."""

LEVELS = {"trace": 1, "debug": 5, "info": 9, "warn": 13, "error": 17, "fatal": 21}
"""Levels, and the OpenTelemetry SeverityNumber at which each begins."""

AUTO = "auto"
ALL = "all"

_RATE = re.compile(r"([0-9]{1,12})/(s|m)", re.ASCII)
_NAMED_GROUP = re.compile(r"\(\?P?<[A-Za-z_]")
_DIRECTIVE = re.compile("%.", re.DOTALL)

# The table of moby's awslogs driver (strftimeToRegex in daemon/logger/awslogs/cloudwatchlogs.go), oddities included.
_STRFTIME = {
    "%a": "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)",
    "%A": "(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)",
    "%w": "[0-6]",
    "%d": "(?:0[1-9]|[1,2][0-9]|3[0,1])",
    "%b": "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)",
    "%B": "(?:January|February|March|April|May|June|July|August|September|October|November|December)",
    "%m": "(?:0[1-9]|1[0-2])",
    "%Y": r"\d{4}",
    "%y": r"\d{2}",
    "%H": "(?:[0,1][0-9]|2[0-3])",
    "%I": "(?:0[0-9]|1[0-2])",
    "%p": "[A,P]M",
    "%M": "[0-5][0-9]",
    "%S": "[0-5][0-9]",
    "%f": r"\d{6}",
    "%z": r"[+-]\d{4}",
    "%Z": "[A-Z]{1,4}T",
    "%j": "(?:0[0-9][1-9]|[1,2][0-9][0-9]|3[0-5][0-9]|36[0-6])",
    "%L": r"\.\d{3}",
}


@dataclass(frozen=True, slots=True)
class Rate:
    """How many records are let through in ``seconds`` seconds; ``text`` is how it was written."""

    records: int
    seconds: int
    text: str


def datetime_pattern(form: str) -> str:
    """Return the pattern for a date in ``strftime`` notation, as Docker's awslogs driver has it.

    What is not a directive is part of the pattern as it is. Raises `ValueError` for a directive that is not known, and
    for what is no pattern then.
    """
    for directive in _DIRECTIVE.findall(form):
        if directive not in _STRFTIME:
            known = " ".join(_STRFTIME)
            raise ValueError(f"{quote(form)} has the directive {quote(directive)} (known are {known})")
    pattern = _DIRECTIVE.sub(lambda found: _STRFTIME[found[0]], form)
    compile_pattern(pattern)
    return pattern


def _parse_form(text: str) -> str:
    datetime_pattern(text)
    return text


def _parse_pattern(text: str) -> str:
    compile_pattern(text)
    return text


def _parse_pattern_of_fields(text: str) -> str:
    compile_pattern(text)
    if not _NAMED_GROUP.search(text):
        raise ValueError(f"{quote(text)} names no field (write groups as (?P<name>…))")
    return text


def _parse_template(text: str) -> str:
    compile_tag(text)
    return text


def _parse_rate(text: str) -> Rate:
    match = _RATE.fullmatch(text)
    if match is None or int(match[1]) == 0:
        raise ValueError(f"{quote(text)} is not a rate (examples: 1000/s, 500/m)")
    return Rate(int(match[1]), {"s": 1, "m": 60}[match[2]], text)


def _parse_share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise ValueError(f"{quote(text)} is not a share (expected: a number above 0 and up to 1, such as 0.1)")
    return share


def names_of(known: tuple[str, ...], every: str) -> Kind[tuple[str, ...]]:
    """Names with commas, of those that are known; the word ``every`` stands for all of them."""

    def parse(text: str) -> tuple[str, ...]:
        names = parsing.parse_list(text)
        for name in names:
            if name != every and name not in known:
                accepted = ", ".join((every, *known))
                instead = _OF_AGENTS.get(name.lower())
                more = f" ({instead})" if instead else hint(name, known)
                raise ValueError(f"{quote(name)} is not one of {accepted}{more}")
        return known if every in names else tuple(dict.fromkeys(names))

    return Kind(parse=parse, accepts=f"{every}, or names with commas: {', '.join(known)}")


PATTERN: Kind[str] = Kind(parse=_parse_pattern, accepts="RE2 pattern")
PATTERN_OF_FIELDS: Kind[str] = Kind(parse=_parse_pattern_of_fields, accepts="RE2 pattern with named groups")
DATETIME_FORMAT: Kind[str] = Kind(parse=_parse_form, accepts="strftime format such as %Y-%m-%d %H:%M:%S")
TEMPLATE: Kind[str] = Kind(parse=_parse_template, accepts="Go template")
NAMES: Kind[tuple[str, ...]] = Kind(parse=parsing.parse_list, accepts="names with commas", keeps_empty=True)
RATE: Kind[Rate] = Kind(parse=_parse_rate, accepts="rate such as 1000/s, 500/m")
SHARE: Kind[float] = Kind(parse=_parse_share, accepts="a number above 0 and up to 1")
