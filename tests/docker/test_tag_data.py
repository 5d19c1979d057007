"""What a template can say of a container: the fields and methods of Go's logger.Info."""

import json
import socket

import pytest

from plugin.docker.info import Info
from plugin.docker.tag import TagError, compile_tag, render_tag

CONTAINER_ID = "abcdef01234567890abcdef01234567890abcdef01234567890abcdef0123456"
IMAGE_ID = "sha256:582c496ccf79d8aa6f8203a79d32aaf7ffd8b13362c60a701a2f9ac64886c93d"
INFO = Info(
    container_id=CONTAINER_ID,
    config={"tag": "x", "labels": "app", "env-regex": "^P"},
    container_name="/web",
    container_entrypoint="/bin/sh",
    container_args=["-c", "hello"],
    container_image_id=IMAGE_ID,
    container_image_name="docker.io/library/hello:alpine",
    container_created="2024-05-01T12:34:56.1234567Z",
    container_env=["PATH=/bin", "LANG=C"],
    container_labels={"app": "<shop>", "com.docker.compose.service": "api", "empty": ""},
    log_path="/log",
    daemon_name="docker",
)
BARE = Info(container_id="ab12")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{.ID}}", "abcdef012345"),
        ("{{.FullID}}", CONTAINER_ID),
        ("{{.Name}}", "web"),
        ("{{.Command}}", "/bin/sh -c hello"),
        ("{{.ImageID}}", "582c496ccf79"),
        ("{{.ImageFullID}}", IMAGE_ID),
        ("{{.ImageName}}", "docker.io/library/hello:alpine"),
        ("{{.DaemonName}}", "docker"),
        ("{{.Hostname}}", socket.gethostname()),
        ("{{.Config}}", "map[env-regex:^P labels:app tag:x]"),
        ("{{.ContainerID}}", CONTAINER_ID),
        ("{{.ContainerName}}", "/web"),
        ("{{.ContainerEntrypoint}}", "/bin/sh"),
        ("{{.ContainerArgs}}", "[-c hello]"),
        ("{{.ContainerImageID}}", IMAGE_ID),
        ("{{.ContainerImageName}}", "docker.io/library/hello:alpine"),
        ("{{.ContainerCreated}}", "2024-05-01 12:34:56.1234567 +0000 UTC"),
        ("{{.ContainerEnv}}", "[PATH=/bin LANG=C]"),
        ("{{.ContainerLabels}}", "map[app:<shop> com.docker.compose.service:api empty:]"),
        ("{{.LogPath}}", "/log"),
        ("{{.ExtraAttributes nil}}", "map[PATH:/bin app:<shop>]"),
    ],
)
def test_fields_and_methods(text: str, expected: str) -> None:
    assert render_tag(text, INFO) == expected


def test_the_container_as_a_whole() -> None:
    assert render_tag("{{$}}", INFO) == (
        f"{{map[env-regex:^P labels:app tag:x] {CONTAINER_ID} /web /bin/sh [-c hello] {IMAGE_ID} "
        "docker.io/library/hello:alpine 2024-05-01 12:34:56.1234567 +0000 UTC [PATH=/bin LANG=C] "
        "map[app:<shop> com.docker.compose.service:api empty:] /log docker}"
    )


def test_what_the_engine_did_not_say_is_empty() -> None:
    assert render_tag("{{.ID}}|{{.Name}}|{{.Command}}|{{.ImageID}}", BARE) == "ab12|||"
    assert render_tag("{{.ContainerEnv}}|{{.ContainerLabels}}|{{.ExtraAttributes nil}}", BARE) == "[]|map[]|map[]"
    assert (
        render_tag("{{json .ContainerArgs}} {{json .ContainerLabels}} {{eq .ContainerEnv nil}}", BARE)
        == "null null true"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{.ContainerLabels.app}}", "<shop>"),
        ('{{index .ContainerLabels "com.docker.compose.service"}}', "api"),
        ("{{(.ExtraAttributes nil).PATH}}", "/bin"),
        ("{{.Config.tag}}", "x"),
        ("{{.ContainerLabels.nothing}}", "<no value>"),
        ("{{.ContainerLabels.com.docker.compose}}", "<no value>"),
        ("{{print .ContainerLabels.nothing}}", "<nil>"),
        ('{{index .ContainerLabels "nothing"}}', ""),
        ("{{if .ContainerLabels.nothing}}a{{else}}b{{end}}", "b"),
        ('{{or .ContainerLabels.nothing "default"}}', "default"),
        ('{{or (index .ContainerLabels "empty") .Name}}', "web"),
        (
            "{{range $k, $v := .ContainerLabels}}{{$k}}={{$v}} {{end}}",
            "app=<shop> com.docker.compose.service=api empty= ",
        ),
        ("{{range .ContainerEnv}}{{index (split . `=`) 0}} {{end}}", "PATH LANG "),
    ],
)
def test_labels_and_other_maps(text: str, expected: str) -> None:
    assert render_tag(text, INFO) == expected


def test_a_missing_label_that_a_function_needs_is_a_fault_of_this_container() -> None:
    tag = compile_tag("{{upper .ContainerLabels.team}}")
    assert tag.render(Info(container_id="a", container_labels={"team": "blue"})) == "BLUE"
    with pytest.raises(
        TagError, match=r"^no value where a string is wanted in '{{upper .ContainerLabels.team}}' \(a key"
    ):
        tag.render(BARE)


def test_json_has_gos_names_in_gos_order() -> None:
    rendered = render_tag("{{json .}}", INFO)
    assert list(json.loads(rendered)) == [
        "Config", "ContainerID", "ContainerName", "ContainerEntrypoint", "ContainerArgs", "ContainerImageID",
        "ContainerImageName", "ContainerCreated", "ContainerEnv", "ContainerLabels", "LogPath", "DaemonName",
    ]  # fmt: skip
    assert '"ContainerCreated":"2024-05-01T12:34:56.1234567Z"' in rendered
    assert '"ContainerLabels":{"app":"<shop>","com.docker.compose.service":"api","empty":""}' in rendered


def test_the_container_in_printf() -> None:
    assert render_tag('{{printf "%T" .}}', INFO) == "*logger.Info"
    assert render_tag('{{printf "%v" .}}', BARE) == "&{map[] ab12   []   0001-01-01 00:00:00 +0000 UTC [] map[]  }"
    assert render_tag('{{printf "%+v" .}}', BARE).startswith("&{Config:map[] ContainerID:ab12 ContainerName: ")
    assert render_tag('{{printf "%#v" .}}', BARE).startswith(
        '&logger.Info{Config:map[string]string(nil), ContainerID:"ab12", ContainerName:"", '
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{{.ContainerCreated.Format "2006-01-02"}}', "2024-05-01"),
        ('{{.ContainerCreated.Format "Mon Monday Jan January 1 01 2 02 _2 002 __2 _2006 06"}}',
         "Wed Wednesday May May 5 05 1 01  1 122 122 _2024 24"),
        ('{{.ContainerCreated.Format "15 3 03 4 04 5 05 PM pm .000 ,999 .9999999999"}}',
         "12 12 12 34 34 56 56 PM pm .123 ,123 .1234567"),
        ('{{.ContainerCreated.Format "MST Z07 -07 -07:00 Z0700 -070000 -07:00:00 -0700"}}',
         "UTC Z +00 +00:00 Z +000000 +00:00:00 +0000"),
        ('{{.ContainerCreated.Format "Janu .05 no"}}', "Janu .56 no"),
        ('{{"2006" | .ContainerCreated.Format}}', "2024"),
        ("{{.ContainerCreated.Year}} {{.ContainerCreated.Month}} {{.ContainerCreated.Day}}", "2024 May 1"),
        ("{{with .ContainerCreated}}{{.Hour}} {{.Minute}} {{.Second}} {{.Nanosecond}}{{end}}", "12 34 56 123456700"),
        ("{{.ContainerCreated.Unix}} {{.ContainerCreated.UnixMilli}}", "1714566896 1714566896123"),
        ("{{.ContainerCreated.UnixMicro}} {{.ContainerCreated.UnixNano}}", "1714566896123456 1714566896123456700"),
        ("{{with .ContainerCreated}}{{.Weekday}} {{.YearDay}} {{.IsZero}}{{end}}", "Wednesday 122 false"),
        ("{{.ContainerCreated.UTC.String}}", "2024-05-01 12:34:56.1234567 +0000 UTC"),
        ('{{with .ContainerCreated}}{{printf "%d %v %02d %x %q %T" .Month .Month .Month .Month .Month .Month}}{{end}}',
         '5 May 05 4d6179 "May" time.Month'),
        ("{{eq .ContainerCreated.Month 5}} {{json .ContainerCreated.Month}}", "true 5"),
        ('{{printf "%#v" .ContainerCreated}}', "time.Date(2024, time.May, 1, 12, 34, 56, 123456700, time.UTC)"),
        ("{{eq .ContainerCreated .ContainerCreated}}", "true"),
        ("{{json .ContainerCreated}}", '"2024-05-01T12:34:56.1234567Z"'),
    ],
)  # fmt: skip
def test_the_time_of_creation(text: str, expected: str) -> None:
    assert render_tag(text, INFO) == expected


@pytest.mark.parametrize(
    ("created", "expected"),
    [
        ("2024-05-01T00:30:00+02:00", "2024-05-01 00:30:00 +0200 +0200|2024-04-30 22:30:00 +0000 UTC|Z +02:00"),
        ("2024-05-01T00:30:00.5-05:30", "2024-05-01 00:30:00.5 -0530 -0530|2024-05-01 06:00:00.5 +0000 UTC|Z -05:30"),
        ("0001-01-01T00:00:00Z", "0001-01-01 00:00:00 +0000 UTC|0001-01-01 00:00:00 +0000 UTC|Z Z"),
        ("", "0001-01-01 00:00:00 +0000 UTC|0001-01-01 00:00:00 +0000 UTC|Z Z"),
        ("yesterday", "0001-01-01 00:00:00 +0000 UTC|0001-01-01 00:00:00 +0000 UTC|Z Z"),
        ("2024-02-30T00:00:00Z", "0001-01-01 00:00:00 +0000 UTC|0001-01-01 00:00:00 +0000 UTC|Z Z"),
        ("0001-01-01T00:00:00+02:00", "0001-01-01 00:00:00 +0000 UTC|0001-01-01 00:00:00 +0000 UTC|Z Z"),
    ],
)
def test_times_with_zones_and_without_sense(created: str, expected: str) -> None:
    text = '{{with .ContainerCreated}}{{.}}|{{.UTC}}|{{.UTC.Format "Z07:00"}} {{.Format "Z07:00"}}{{end}}'
    assert render_tag(text, Info(container_id="a", container_created=created)) == expected


def test_a_bad_pattern_behind_extra_attributes_is_a_fault_of_the_tag() -> None:
    info = Info(container_id="a", config={"labels-regex": "("}, container_labels={"a": "b"})
    with pytest.raises(TagError, match="is not a regular expression"):
        render_tag("{{.ExtraAttributes nil}}", info)
