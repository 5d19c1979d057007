"""Tags: what Docker documents for them, and how a bad one is answered."""

import pytest

from plugin.docker.info import Info
from plugin.docker.tag import TagError, compile_tag, render_tag
from plugin.errors import PeaveyError

INFO = Info(
    container_id="abcdef01234567890abcdef01234567890abcdef01234567890abcdef0123456",
    container_name="/test-container",
    container_image_name="docker.io/library/hello-world:alpine",
    container_labels={"com.docker.compose.service": "api"},
    daemon_name="dockerd",
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("my-custom-tag", "my-custom-tag"),
        ("{{.ID}}", "abcdef012345"),
        ("{{.Name}}/{{.ID}}", "test-container/abcdef012345"),
        ("{{.ImageName}}/{{.Name}}/{{.ID}}", "docker.io/library/hello-world:alpine/test-container/abcdef012345"),
        ('{{index .ContainerLabels "com.docker.compose.service"}}.{{.Name | upper}}', "api.TEST-CONTAINER"),
        ('{{with split .ImageName ":"}}{{index . 1}}{{end}}', "alpine"),
        ('{{if eq .DaemonName "dockerd"}}d{{else}}p{{end}}-{{slice .FullID 0 4}}', "d-abcd"),
    ],
)
def test_tags_render_as_in_docker(text: str, expected: str) -> None:
    assert render_tag(text, INFO) == expected


def test_a_tag_is_compiled_once_for_many_containers() -> None:
    tag = compile_tag("{{.Name}}")
    assert tag.text == "{{.Name}}"
    assert [tag.render(Info(container_id="a", container_name=f"/{name}")) for name in "xy"] == ["x", "y"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{.Nmae}}", "unknown field '.Nmae' in '{{.Nmae}}' (did you mean '.Name'?)"),
        ("{{uper .Name}}", "unknown function 'uper' in '{{uper .Name}}' (did you mean 'upper'?)"),
        ("x {{ .name }} y", "unknown field '.name' in '{{ .name }}' (did you mean '.Name'?)"),
        ("{{.image_id}}", "unknown field '.image_id' in '{{.image_id}}' (did you mean '.ImageID'?)"),
        ("{{.Label.app}}", "unknown field '.Label' in '{{.Label.app}}' (did you mean '.ContainerLabels'?)"),
        ("{{.Env}}", "unknown field '.Env' in '{{.Env}}' (did you mean '.ContainerEnv'?)"),
        ("{{Name}}", "unknown function 'Name' in '{{Name}}' (did you mean '.Name'?)"),
        ("{{$ID}}", "unknown variable '$ID' in '{{$ID}}' (did you mean '$.ID'?)"),
        ("{{.Qwertz}}", "unknown field '.Qwertz' in '{{.Qwertz}}'"),
        ("{{.Name.foo}}", "unknown field '.foo' of a string in '{{.Name.foo}}'"),
        ("{{$x := .}}{{$x.Nmae}}", "unknown field '.Nmae' in '{{$x.Nmae}}' (did you mean '.Name'?)"),
        ("{{with .ContainerCreated}}{{.Yaer}}{{end}}",
         "unknown field '.Yaer' of a time.Time in '{{.Yaer}}' (did you mean '.Year'?)"),
        ("{{range .ContainerEnv}}{{.Name}}{{end}}", "unknown field '.Name' of a string in '{{.Name}}'"),
        ("{{range $k, $v := .ContainerLabels}}{{$k.foo}}{{end}}", "unknown field '.foo' of a string in '{{$k.foo}}'"),
        ("{{if false}}{{.Nmae}}{{end}}", "unknown field '.Nmae' in '{{.Nmae}}' (did you mean '.Name'?)"),
        ("{{.Name 1}}", "'.Name' takes no arguments, not 1 in '{{.Name 1}}'"),
        ("{{.ContainerName 1}}", "'.ContainerName' takes no arguments in '{{.ContainerName 1}}'"),
        ("{{.ContainerLabels.a 1}}", "'.a' takes no arguments in '{{.ContainerLabels.a 1}}'"),
        ("{{.ExtraAttributes}}", "'.ExtraAttributes' takes 1 argument, not 0 in '{{.ExtraAttributes}}'"),
        ("{{.ExtraAttributes 1}}", "'1' where a func(string) string is wanted in '{{.ExtraAttributes 1}}'"),
        ("{{join .Name `,`}}", "a string where a []string is wanted in '{{join .Name `,`}}'"),
        ("{{range .ContainerCreated}}{{end}}", "'range' over a time.Time in '{{range .ContainerCreated}}'"),
        ("{{.Name", "action without its '}}' in '{{.Name'"),
    ],
)  # fmt: skip
def test_a_bad_tag_is_refused_before_any_container_is_there(text: str, message: str) -> None:
    with pytest.raises(TagError) as caught:
        compile_tag(text)
    assert str(caught.value) == message
    assert isinstance(caught.value, PeaveyError)


@pytest.mark.parametrize(
    "text",
    [
        "{{$x := .Name}}{{$x = .}}{{$x.Name}}",
        "{{range $x := .ContainerEnv}}{{$x = $}}{{$x.Name}}{{end}}",
        "{{(index .ContainerLabels `a`)}}{{(or .LogPath .).Name}}",
        "{{.ContainerLabels.a.b.c}}",
        "{{with or .LogPath .}}{{.ID}}{{end}}",
    ],
)
def test_what_may_be_right_is_not_refused_before_rendering(text: str) -> None:
    assert compile_tag(text)
