"""No template hangs or eats memory: each of these is refused, or done, after a bounded amount of work."""

import pytest

from plugin.docker.info import Info
from plugin.docker.tag import TagError, render_tag

LARGE = Info(
    container_id="ab12",
    config={"labels-regex": ".*"},
    container_env=[f"VARIABLE_{number}=value" for number in range(5000)],
    container_labels={f"label-{number}": "value" for number in range(2000)},
)
LONG = "{{$x := printf `%060000d` 1}}"


@pytest.mark.parametrize(
    "text",
    [
        "{{range 1000000000000}}{{end}}",
        "{{range 1000000000000}}{{$x := 1}}{{end}}",
        "{{range .ContainerEnv}}{{range $.ContainerEnv}}{{end}}{{end}}",
        LONG + "{{range 100000}}{{$y := upper $x}}{{end}}",
        LONG + "{{range 100000}}{{$y := eq $x $x}}{{end}}",
        LONG + f"{{{{print{' $x' * 10_000}}}}}",
        "{{$a := 1}}" + "{{$b := 1}}" * 2500 + "{{range 1000000}}{{$a}}{{end}}",
        "{{range 100000}}{{$x := len (printf `%.0s` $)}}{{end}}",
        "{{range 100000}}{{$x := json $.ContainerLabels}}{{end}}",
        "{{range 100000}}{{$x := $.ExtraAttributes nil}}{{end}}",
    ],
)
def test_too_much_work_is_refused(text: str) -> None:
    with pytest.raises(TagError, match=r"^too much work"):
        render_tag(text, LARGE)


@pytest.mark.parametrize(
    "text",
    [
        "{{$x := `0123456789`}}{{range 100000}}{{$x = print $x $x}}{{end}}",
        "{{pad `x` 1000000000000 1}}",
        LONG + f"{{{{printf `{'%[1]s' * 10_000}` $x}}}}",
        LONG + "{{join (split $x ``) $x}}",
        LONG + "{{json (split $x ``)}}",
        "{{range 1000}}" + "x" * 1000 + "{{end}}",
        "{{.}}",
    ],
)
def test_too_much_output_is_refused(text: str) -> None:
    with pytest.raises(TagError, match=r"^the result is longer than 64 KiB"):
        render_tag(text, LARGE)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x" * 70_000, "a template of 70000 characters is too long"),
        ("{{" + "(" * 60 + ".Name" + ")" * 60 + "}}", "more than 50 blocks and parentheses inside one another"),
        ("{{if .Name}}" * 60 + "{{end}}" * 60, "more than 50 blocks and parentheses inside one another"),
    ],
)
def test_a_template_that_is_too_large_is_refused(text: str, message: str) -> None:
    with pytest.raises(TagError, match=message):
        render_tag(text, LARGE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{1" + "|print" * 5000 + "}}", "1"),
        ("{{.ContainerLabels" + ".a" * 20_000 + "}}", "<no value>"),
        ("{{if false}}" + "{{else if false}}" * 3000 + "{{else}}a{{end}}", "a"),
        ("{{if .Name}}" * 50 + "{{end}}" * 50, ""),
        ("{{- 1 -}}" + " " * 60_000 + "{{- 2 -}}", "12"),
        (f"{{{{printf `{'%[' * 30_000}` 1}}}}", "%[%[%["),
    ],
)
def test_what_is_merely_long_is_done(text: str, expected: str) -> None:
    assert render_tag(text, LARGE).startswith(expected)
