"""The examples of Promtail's documentation (``docs/sources/send-data/promtail/stages`` in grafana/loki up to 3.5), and
of Grafana's Docker driver."""

import hashlib
from typing import Any

import pytest

from tests.transforms.pipeline_stages.running import extracted, run

DOCKER = r'{"log":"log message\n","stream":"stderr","time":"2019-04-30T02:12:41.8443515Z"}'
AT = 1_556_590_361_844_351_500
LOGFMT = 'time=2012-11-01T22:08:41+00:00 app=loki level=WARN duration=125 message="this is a log line" extra="user=foo"'
CRI = "2019-01-01T01:00:00.000000001Z stderr P i'm a log message!"
ACCESS = (
    '11.11.11.11 - frank [25/Jan/2000:14:00:01 -0500] "GET /1986.js HTTP/1.1" 200 932 "-" "Mozilla/5.0 (Windows; U; '
    'Windows NT 5.1; de; rv:1.9.1.7) Gecko/20091221 Firefox/3.5.7 GTB6"'
)
AGENT = "MOZILLA/5.0 (WINDOWS; U; WINDOWS NT 5.1; DE; RV:1.9.1.7) GECKO/20091221 FIREFOX/3.5.7 GTB6"
EXTRACTED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "docker": (
        "- docker: {}",
        DOCKER,
        {"output": "log message\n", "stream": "stderr", "timestamp": "2019-04-30T02:12:41.8443515Z"},
    ),
    "cri": (
        "- cri: {}",
        "2019-04-30T02:12:41.8443515Z stdout F message",
        {"content": "message", "stream": "stdout", "flags": "F", "time": "2019-04-30T02:12:41.8443515Z"},
    ),
    "json": (
        """
- json:
    expressions:
      output: log
      stream: stream
      timestamp: time
""",
        DOCKER,
        {"output": "log message\n", "stream": "stderr", "timestamp": "2019-04-30T02:12:41.8443515Z"},
    ),
    "json using extracted data": (
        """
- json:
    expressions:
      output:    log
      stream:    stream
      timestamp: time
      extra:
- json:
    expressions:
      user:
    source: extra
""",
        (
            r'{"log":"log message\n","stream":"stderr","time":"2019-04-30T02:12:41.8443515Z",'
            r'"extra":"{\"user\":\"marco\"}"}'
        ),
        {
            "output": "log message\n",
            "stream": "stderr",
            "timestamp": "2019-04-30T02:12:41.8443515Z",
            "extra": '{"user":"marco"}',
            "user": "marco",
        },
    ),
    "json with a literal": (
        """
- json:
    expressions:
      output: log
      stream: '"grpc.stream"'
      timestamp: time
""",
        r'{"log":"log message\n","grpc.stream":"stderr","time":"2019-04-30T02:12:41.8443515Z"}',
        {"output": "log message\n", "stream": "stderr", "timestamp": "2019-04-30T02:12:41.8443515Z"},
    ),
    "logfmt": (
        """
- logfmt:
    mapping:
      timestamp: time
      app:
      duration:
      unknown:
""",
        LOGFMT,
        {"timestamp": "2012-11-01T22:08:41+00:00", "app": "loki", "duration": "125"},
    ),
    "logfmt using extracted data": (
        """
- logfmt:
    mapping:
      extra:
- logfmt:
    mapping:
      user:
    source: extra
""",
        LOGFMT,
        {"extra": "user=foo", "user": "foo"},
    ),
    "regex without source": (
        r"""
- regex:
    expression: "^(?s)(?P<time>\\S+?) (?P<stream>stdout|stderr) (?P<flags>\\S+?) (?P<content>.*)$"
""",
        CRI,
        {"time": "2019-01-01T01:00:00.000000001Z", "stream": "stderr", "flags": "P", "content": "i'm a log message!"},
    ),
    "regex with source": (
        r"""
- json:
    expressions:
      time:
- regex:
    expression: "^(?P<year>\\d+)"
    source:     "time"
""",
        '{"time":"2019-01-01T01:00:00.000000001Z"}',
        {"time": "2019-01-01T01:00:00.000000001Z", "year": "2019"},
    ),
    "replace with named groups": (
        r"""
- replace:
    expression: "^(?P<ip>\\S+) (?P<identd>\\S+) (?P<user>\\S+) \\[(?P<timestamp>[\\w:/]+\\s[+\\-]\\d{4})\\] \"(?P<action>\\S+)\\s?(?P<path>\\S+)?\\s?(?P<protocol>\\S+)?\" (?P<status>\\d{3}|-) (?P<size>\\d+|-)\\s?\"?(?P<referer>[^\"]*)\"?\\s?\"?(?P<useragent>[^\"]*)?\"?$"
    replace: '{{ .Value | ToUpper }}'
""",  # noqa: E501
        ACCESS,
        {
            "ip": "11.11.11.11",
            "identd": "-",
            "user": "FRANK",
            "timestamp": "25/JAN/2000:14:00:01 -0500",
            "action": "GET",
            "path": "/1986.JS",
            "protocol": "HTTP/1.1",
            "status": "200",
            "size": "932",
            "referer": "-",
            "useragent": AGENT,
        },
    ),
    "replace with named groups and another": (
        r"""
- replace:
    expression: "^(?P<ip>\\S+) (?P<identd>\\S+) (\\S+) \\[(?P<timestamp>[\\w:/]+\\s[+\\-]\\d{4})\\] \"(?P<action>\\S+)\\s?(?P<path>\\S+)?\\s?(?P<protocol>\\S+)?\" (?P<status>\\d{3}|-) (?P<size>\\d+|-)\\s?\"?(?P<referer>[^\"]*)\"?\\s?\"?(?P<useragent>[^\"]*)?\"?$"
    replace: '{{ .Value | ToUpper }}'
""",  # noqa: E501
        ACCESS,
        {
            "ip": "11.11.11.11",
            "identd": "-",
            "timestamp": "25/JAN/2000:14:00:01 -0500",
            "action": "GET",
            "path": "/1986.JS",
            "protocol": "HTTP/1.1",
            "status": "200",
            "size": "932",
            "referer": "-",
            "useragent": AGENT,
        },
    ),
    "replace with source": (
        r"""
- json:
    expressions:
     level:
     msg:
- replace:
    expression: "\\S+ - \"POST (\\S+) .*"
    source:     "msg"
    replace: "/loki/api/v1/push"
""",
        (
            r'{"time":"2019-01-01T01:00:00.000000001Z", "level": "info", "msg":"11.11.11.11 - \"POST /loki/api/push/ '
            r'HTTP/1.1\" 200 932 \"-\""}'
        ),
        {"level": "info", "msg": '11.11.11.11 - "POST /loki/api/v1/push HTTP/1.1" 200 932 "-"'},
    ),
}


@pytest.mark.parametrize(("stages", "line", "expected"), EXTRACTED.values(), ids=EXTRACTED)
def test_what_is_extracted(stages: str, line: str, expected: dict[str, Any]) -> None:
    made = extracted(stages, line)
    assert {name: value for name, value in made.items() if value is not None} == expected


TEMPLATES: dict[str, tuple[str, str, dict[str, str], str | None]] = {
    "a new key": ("new_key", "hello world!", {}, "hello world!"),
    "a suffix": ("app", "{{ .Value }}_some_suffix", {"app": "loki"}, "loki_some_suffix"),
    "ToLower": ("app", "{{ ToLower .Value }}", {"app": "LOKI"}, "loki"),
    "of others": (
        "output_msg",
        "{{ .level }} for app {{ ToUpper .app }}",
        {"app": "loki", "level": "warn"},
        "warn for app LOKI",
    ),
    "of itself and others": (
        "app",
        "{{ .level }} for app {{ ToUpper .Value }} in module {{.module}}",
        {"app": "loki", "level": "warn", "module": "test"},
        "warn for app LOKI in module test",
    ),
    "Replace once": ("app", '{{ Replace .Value "loki" "blokey" 1 }}', {"app": "loki loki"}, "blokey loki"),
    "the line": ("message", "{{.app }}: {{ .Entry }}", {"app": "loki"}, "loki: a line"),
    "ToUpper by a pipe": ("out", "{{ .app | ToUpper }}", {"app": "loki"}, "LOKI"),
    "Replace twice": ("output", '{{ Replace .Value "loki" "Loki" 2 }}', {"output": "loki loki loki"}, "Loki Loki loki"),
    "Trim": ("output", '{{ Trim .Value ",. " }}', {"output": ", a.b, ."}, "a.b"),
    "TrimSpace": ("output", "{{ TrimSpace .Value }}", {"output": "\t a b\n"}, "a b"),
    "TrimPrefix": ("output", '{{ TrimPrefix .Value "--" }}', {"output": "----x"}, "--x"),
    "regexReplaceAll": (
        "output",
        '{{ regexReplaceAll "(a*)bc" .Value "${1}a" }}',
        {"output": "aaaabc bc"},
        "aaaaa a",
    ),
    "regexReplaceAllLiteral": (
        "output",
        '{{ regexReplaceAllLiteral "(ts=)" .Value "timestamp=" }}',
        {"output": "ts=1 a=2"},
        "timestamp=1 a=2",
    ),
    "Hash": (
        "output",
        '{{ Hash .Value "salt" }}',
        {"output": "11.11.11.11"},
        hashlib.sha3_256(b"11.11.11.11salt").hexdigest(),
    ),
    "Sha2Hash": (
        "output",
        '{{ Sha2Hash .Value "salt" }}',
        {"output": "11.11.11.11"},
        hashlib.sha256(b"11.11.11.11salt").hexdigest(),
    ),
    # Of Promtail's own tests, ``template_test.go``.
    "nothing in it": ("level", "{{ .Value }} x {{.gone}}", {"level": "a"}, "a x <no value>"),
    "a function of what is not there": ("testval", "{{ .Value | ToLower }}", {}, None),
    "an empty result": ("testval", "{{ if false }}x{{ end }}", {"testval": "x"}, None),
    "sprig": ("testval", "{{ add 7 3 }}", {"testval": "Value"}, "10"),
    "a bad pattern": ("testval", r'{{ regexReplaceAll "\\K" .Value "x" }}', {"testval": "Silly"}, "Silly"),
    "a group": ("testval", '{{ regexReplaceAll "(Silly)" .Value "${1}foo" }}', {"testval": "Silly x"}, "Sillyfoo x"),
}


@pytest.mark.parametrize(("source", "template", "values", "expected"), TEMPLATES.values(), ids=TEMPLATES)
def test_templates(source: str, template: str, values: dict[str, str], expected: str | None) -> None:
    quoted = template.replace("'", "''")
    made = extracted(f"[{{template: {{source: {source}, template: '{quoted}'}}}}]", "a line", **values)
    assert made.get(source) == expected


CLOCK = r"""
- regex:
    expression: '^(?P<date_local>\S+), (?P<time_local>\S+) (?P<hour_period>AM|PM)$'
- template:
    source: time
    template: "\
      {{ .date_local | substr 6 10 }}-{{ .date_local | substr 0 2 }}-{{ .date_local | substr 3 5 }}T\
      {{ if eq (.time_local | substr 0 2) \"12\" }}\
          {{ if eq .hour_period \"AM\" }}00{{ else }}12{{ end }}{{ .time_local | substr 2 10}}Z\
      {{ else }}\
          {{ if eq .hour_period \"AM\" }}\
              {{ if or (eq (.time_local | substr 0 2) \"11\") (eq (.time_local | substr 0 2) \"10\") }}{{ .time_local }}Z\
                  {{ else }}0{{ .time_local }}Z\
              {{ end }}\
          {{ else }}\
              {{ if eq (.time_local | substr 0 2) \"11\" }}23{{ .time_local | substr 2 10 }}Z{{ end }}\
              {{ if eq (.time_local | substr 0 2) \"10\" }}22{{ .time_local | substr 2 10 }}Z{{ end }}\
              {{ if eq (.time_local | substr 0 2) \"9:\" }}21{{ .time_local | substr 1 10 }}Z{{ end }}\
              {{ if eq (.time_local | substr 0 2) \"8:\" }}20{{ .time_local | substr 1 10 }}Z{{ end }}\
              {{ if and (le (.time_local | substr 0 1) \"7\") (eq (.time_local | substr 1 2) \":\") }}1{{ add (.time_local | substr 0 1) 2 }}{{ .time_local | substr 1 10 }}Z{{ end }}\
          {{ end }}\
      {{ end }}"
- timestamp:
    source: time
    format: RFC3339
"""  # noqa: E501


@pytest.mark.parametrize(
    ("line", "time"),
    [
        ("11/08/2022, 12:53:24 PM", 1_667_912_004),
        ("11/08/2022, 12:53:24 AM", 1_667_868_804),
        ("11/08/2022, 9:53:24 AM", 1_667_901_204),
        ("11/08/2022, 3:53:24 PM", 1_667_922_804),
    ],
)
def test_a_clock_of_twelve_hours_by_a_template(line: str, time: int) -> None:
    (sent,) = run(CLOCK, line)
    assert sent.time == time * 1_000_000_000


def test_docker() -> None:
    (sent,) = run("- docker: {}", DOCKER)
    assert (sent.line, sent.labels, sent.time) == ("log message\n", {"stream": "stderr"}, AT)


def test_cri() -> None:
    (sent,) = run("- cri: {}", "2019-04-30T02:12:41.8443515Z stdout F message")
    assert (sent.line, sent.labels, sent.time) == ("message", {"stream": "stdout"}, AT)


def test_cri_takes_only_its_own_format() -> None:
    lines = ["2019-01-01 T01:00:00.000000001Z stderr testgood", "2019-01-01T01:00:00.000000001Z testgood"]
    assert [sent.line for sent in run("- cri: {}", *lines)] == lines


def test_cri_joins_parts() -> None:
    at = "2019-01-01T01:00:00.000000001Z stderr"
    lines = [f"{at} P a", "2019-01-01T01:00:00.000000001Z stdout P x", f"{at} P b", f"{at} F c", f"{at} F d"]
    sent = run("- cri: {}", *lines)
    assert [(one.line, one.labels["stream"]) for one in sent] == [("abc", "stderr"), ("d", "stderr"), ("x", "stdout")]


def test_labels() -> None:
    (sent,) = run("[{json: {expressions: {stream: stream}}}, {labels: {stream: }}]", DOCKER)
    assert sent.labels == {"stream": "stderr"}


def test_structured_metadata_of_the_line() -> None:
    line = r'{"log":"log message\n","stream":"stderr","traceID":"0242ac120002","time":"2019-04-30T02:12:41.8443515Z"}'
    stages = """
- json:
    expressions:
      stream: stream
      traceID: traceID
- labels:
    stream:
- structured_metadata:
    traceID:
"""
    (sent,) = run(stages, line)
    assert (sent.line, sent.labels, sent.metadata) == (line, {"stream": "stderr"}, {"traceID": "0242ac120002"})


def test_structured_metadata_of_labels() -> None:
    labels = {"pod_uid": "b3937321-fe90-4e15-ac94-495c8fdb9202", "pod_host_ip": "127.0.0.1", "app": "web"}
    (sent,) = run("[{structured_metadata: {pod_uid: , pod_host_ip: }}]", "sample log", labels=labels)
    assert sent.labels == {"app": "web"}
    assert sent.metadata == {name: labels[name] for name in ("pod_uid", "pod_host_ip")}


def test_static_labels() -> None:
    stages = """
- json:
    expressions:
      stream: stream
- labels:
    stream:
- static_labels:
    custom_key: custom_val
    nothing:
"""
    (sent,) = run(stages, DOCKER)
    assert sent.labels == {"stream": "stderr", "custom_key": "custom_val"}


def test_output() -> None:
    stages = """
- json:
    expressions:
      user: user
      message: message
- labels:
    user:
- output:
    source: message
"""
    (sent,) = run(stages, '{"user": "alexis", "message": "hello, world!"}')
    assert (sent.line, sent.labels) == ("hello, world!", {"user": "alexis"})


MATCH = """
pipeline_stages:
- json:
    expressions:
      app:
- labels:
    app:
- match:
    selector: '{app="loki"}'
    stages:
    - json:
        expressions:
          msg: message
- match:
    pipeline_name: "app2"
    selector: '{app="pokey"}'
    action: keep
    stages:
    - json:
        expressions:
          msg: msg
- match:
    selector: '{app="promtail"} |~ ".*noisy error.*"'
    action: drop
    drop_counter_reason: promtail_noisy_error
- output:
    source: msg
"""


def test_match() -> None:
    lines = [
        (
            '{ "time":"2012-11-01T22:08:41+00:00", "app":"loki", "component": ["parser","type"], "level" : "WARN",'
            ' "message" : "app1 log line" }'
        ),
        (
            '{ "time":"2012-11-01T22:08:41+00:00", "app":"promtail", "component": ["parser","type"], "level" : "ERROR",'
            ' "message" : "foo noisy error" }'
        ),
    ]
    (sent,) = run(MATCH, *lines)
    assert (sent.line, sent.labels) == ("app1 log line", {"app": "loki"})


FLASK = r"""[2020-12-03 11:36:20] "GET /hello HTTP/1.1" 200 -
[2020-12-03 11:36:23] ERROR in app: Exception on /error [GET]
Traceback (most recent call last):
  File "/home/pallets/src/deployment_tools/hello.py", line 10, in error
    raise Exception("Sorry, this route always breaks")
Exception: Sorry, this route always breaks
[2020-12-03 11:36:23] "GET /error HTTP/1.1" 500 -
[2020-12-03 11:36:26] "GET /hello HTTP/1.1" 200 -"""


def test_multiline() -> None:
    stages = r"""
- multiline:
    firstline: '^\[\d{4}-\d{2}-\d{2} \d{1,2}:\d{2}:\d{2}\]'
    max_wait_time: 3s
- regex:
    expression: '^(?P<time>\[\d{4}-\d{2}-\d{2} \d{1,2}:\d{2}:\d{2}\]) (?P<message>(?s:.*))$'
- output:
    source: message
"""
    sent = [one.line for one in run(stages, *FLASK.split("\n"))]
    assert len(sent) == 4
    assert sent[1].startswith("ERROR in app")
    assert sent[1].endswith("Exception: Sorry, this route always breaks")
    assert sent[1].count("\n") == 4


def test_multiline_by_a_zero_width_space() -> None:
    stages = r"""
- multiline:
    firstline: '^\x{200B}\['
    max_wait_time: 3s
"""
    lines = [
        "\u200b[2021-01-07 14:17:43,494] [DEBUG]",
        "\u200b[2021-01-07 14:17:43,499] [ERROR]",
        "java.lang.Exception: x",
        "\tat y",
    ]
    assert [one.line for one in run(stages, *lines)] == [lines[0], "\n".join(lines[1:])]


def test_tenant_of_the_line() -> None:
    line = r'{"customer_id":"1","log":"log message\n","stream":"stderr","time":"2019-04-30T02:12:41.8443515Z"}'
    stages = """
pipeline_stages:
  - json:
      expressions:
        customer_id: customer_id
  - tenant:
      source: customer_id
"""
    (sent,) = run(stages, line, '{"a":1}')[:1]
    assert (sent.tenant, sent.labels) == ("1", {})


def test_tenant_by_value() -> None:
    stages = """
pipeline_stages:
  - json:
      expressions:
        app:
        message:
  - labels:
      app:
  - match:
      selector: '{app="api"}'
      stages:
        - tenant:
            value: "team-api"
  - output:
      source: message
"""
    sent = run(stages, '{"app":"api","log":"x"}', '{"app":"web","message":"y"}')
    assert [one.tenant for one in sent] == ["team-api", ""]
    assert [one.labels for one in sent] == [{"app": "api"}, {"app": "web"}]


def test_tenant_of_a_label() -> None:
    stages = """
    - match:
        selector: '{namespace=~".+"}'
        stages:
          - tenant:
              label: "namespace"
    - output:
         source: message
"""
    assert run(stages, "x", labels={"namespace": "blue"})[0].tenant == "blue"
    assert run(stages, "x", labels={"app": "blue"})[0].tenant == ""


@pytest.mark.parametrize(
    ("stages", "line", "expected"),
    [
        (
            r'[{replace: {expression: "password (\\S+)", replace: "****"}}]',
            "2019-01-01T01:00:00.000000001Z stderr P i'm a log message with password xyz!",
            "2019-01-01T01:00:00.000000001Z stderr P i'm a log message with password ****",
        ),
        (
            r"""
- replace:
    expression: "^(\\S+) (\\S+) (\\S+) \\[([\\w:/]+\\s[+\\-]\\d{4})\\] \"(\\S+)\\s?(\\S+)?\\s?(\\S+)?\" (\\d{3}|-) (\\d+|-)\\s?\"?([^\"]*)\"?\\s?\"?([^\"]*)?\"?$"
    replace: '{{ if eq .Value "200" }}{{ Replace .Value "200" "HttpStatusOk" -1 }}{{ else }}{{ .Value | ToUpper }}{{ end }}'
""",  # noqa: E501
            ACCESS,
            # The documentation shows the others as they were, but its template says ToUpper.
            f'11.11.11.11 - FRANK [25/JAN/2000:14:00:01 -0500] "GET /1986.JS HTTP/1.1" HttpStatusOk 932 "-" "{AGENT}"',
        ),
        (
            r"""[{replace: {expression: "11.11.11.11 - (\\S+\\s)", replace: ""}}]""",
            ACCESS,
            ACCESS.replace("frank ", ""),
        ),
        (
            r"""
- replace:
    # SSN
    expression: '([0-9]{3}-[0-9]{2}-[0-9]{4})'
    replace: '*SSN*{{ .Value | Hash "salt" }}*'
- replace:
    # email
    expression: '([\w\.=-]+@[\w\.-]+\.[\w]{2,64})'
    replace: '*email*{{ .Value | Hash "salt" }}*'
""",
            "a@b.example has 123-45-6789",
            "*email*{}* has *SSN*{}*".format(
                *(hashlib.sha3_256(b"salt" + each).hexdigest() for each in (b"a@b.example", b"123-45-6789"))
            ),
        ),
    ],
    ids=["a group", "a template", "an empty text", "hashes"],
)
def test_replace(stages: str, line: str, expected: str) -> None:
    (sent,) = run(stages, line)
    assert sent.line == expected


PUSH = (
    r'{{"time":"2019-01-01T01:00:00.000000001Z", "level": "{level}", "msg":"11.11.11.11 - \"POST /loki/api/push/ x"}}'
)
OLD = '{{"time":"2020-08-11T{hour}:00:00Z", "level": "error", "msg":"trace"}}'
AGE = """
- json:
    expressions:
     time:
     msg:
- timestamp:
    source: time
    format: RFC3339
- drop:
    older_than: 24h
    drop_counter_reason: "line_too_old"
"""
NOON = 1_597_233_600_000_000_000
"""2020-08-12T12:00:00Z."""


@pytest.mark.parametrize(
    ("stages", "line", "dropped"),
    [
        ('[{logfmt: {mapping: {level: , msg: }}}, {drop: {source: ["level","msg"]}}]', "level=a msg=b", True),
        ('[{logfmt: {mapping: {level: , msg: }}}, {drop: {source: ["level","msg"]}}]', "level=a", False),
        ('[{drop: {expression: ".*debug.*"}}]', "a debug line", True),
        ('[{drop: {expression: ".*debug.*"}}]', "a line", False),
        *(
            (
                r"""
- json:
    expressions:
     level:
     msg:
- drop:
    source:     ["level","msg"]
    separator:   "#"
    expression:  "(error|ERROR)#.*\/loki\/api\/push.*"
""",
                PUSH.format(level=level),
                level != "info",
            )
            for level in ("error", "ERROR", "info")
        ),
        *(
            (
                '[{json: {expressions: {level: , msg: }}}, {drop: {source: "level", value: "error"}}]',
                PUSH.format(level=level),
                level == "error",
            )
            for level in ("error", "errors")
        ),
        (AGE, OLD.format(hour="11"), True),
        (AGE, OLD.format(hour="13"), False),
        ("[{drop: {longer_than: 8kb, drop_counter_reason: line_too_long}}]", "x" * 8193, True),
        ("[{drop: {longer_than: 8kb, drop_counter_reason: line_too_long}}]", "x" * 8192, False),
        ('[{drop: {expression: ".*debug.*", longer_than: 1kb}}]', "debug" + "x" * 1024, True),
        ('[{drop: {expression: ".*debug.*", longer_than: 1kb}}]', "debug", False),
        ('[{drop: {expression: ".*debug.*", longer_than: 1kb}}]', "x" * 1025, False),
        (
            AGE + '- drop: {longer_than: 8kb}\n- drop: {source: msg, expression: ".*trace.*"}',
            OLD.format(hour="13"),
            True,
        ),
    ],
)
def test_drop(stages: str, line: str, dropped: bool) -> None:
    assert len(run(stages, line, time=NOON)) == (not dropped)


def test_the_example_of_the_docker_driver() -> None:
    stages = r"""
- regex:
    expression: '(level|lvl|severity)=(?P<level>\w+)'
- labels:
    level:
"""
    sent = run(stages, "lvl=info a", "b", "severity=warn", labels={"host": "n"})
    assert [one.labels for one in sent] == [
        {"host": "n", "level": "info"},
        {"host": "n"},
        {"host": "n", "level": "warn"},
    ]
