"""The language of templates: text, actions, literals, pipelines, variables and blocks, as in Go's text/template."""

import pytest

from plugin.gotemplate import TemplateError, compile_template
from plugin.gotemplate.template import Data

WORDS = {"app": "web", "empty": "", "team": "blue"}


def render(text: str, data: Data = None) -> str:
    return compile_template(text).render(data)


def complaint(text: str, data: Data = None) -> str:
    with pytest.raises(TemplateError) as caught:
        render(text, data)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("plain text, ünïcode, a } and a {", "plain text, ünïcode, a } and a {"),
        ('a{{"b"}}c', "abc"),
        ('{{"}}"}}{{`}}`}}{{"{{"}}', "}}}}{{"),
        ("a {{/* a comment */}} b", "a  b"),
        ("a {{- /* a comment */ -}} b", "ab"),
        ("a \n\t{{- 3 -}} \r\n b", "a3b"),
        ("{{3 -}}   {{- 4}}", "34"),
        ("{{1 -}}  a  {{2}}  b  {{- 3}}", "1a  2  b3"),
        ("{{-3}} {{- -3}}", "-3-3"),
        ('{{print\n "a"\n}}', "a"),
    ],
)
def test_text_and_actions(text: str, expected: str) -> None:
    assert render(text) == expected


@pytest.mark.parametrize(
    ("literal", "expected"),
    [
        ("1", "1"),
        ("-1", "-1"),
        ("+1", "1"),
        ("1_000", "1000"),
        ("0x1F", "31"),
        ("0x_1f", "31"),
        ("0o17", "15"),
        ("017", "15"),
        ("0b101", "5"),
        ("9223372036854775807", "9223372036854775807"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("1.5", "1.5"),
        (".5", "0.5"),
        ("5.", "5"),
        ("-0.0", "-0"),
        ("1_0.5", "10.5"),
        ("0x1p4", "16"),
        ("0x1.8p1", "3"),
        ("1e5", "100000"),
        ("123456.0", "123456"),
        ("1234567.0", "1.234567e+06"),
        ("1e6", "1e+06"),
        ("0.0001", "0.0001"),
        ("0.00001", "1e-05"),
        ("true", "true"),
        ("false", "false"),
        ("'a'", "97"),
        (r"'\''", "39"),
        (r"'\x41'", "65"),
        ("'é'", "233"),
        (r"'\U0001F600'", "128512"),
        (r'"\a\b\f\n\r\t\v\\\""', '\a\b\f\n\r\t\v\\"'),
        (r'"\101\x41\u0041\U00000041"', "AAAA"),
        (r'"\xc3\xb6"', "ö"),
        (r"`raw\n`", r"raw\n"),
        ("`two\r\nlines`", "two\nlines"),
    ],
)
def test_literals(literal: str, expected: str) -> None:
    assert render(f"{{{{{literal}}}}}") == expected


@pytest.mark.parametrize(
    "literal",
    [
        *(
            "1__0",
            "1_",
            "0x",
            "089",
            "1e",
            "1e999",
            "0x1.8",
            "1a",
            "-",
            "1-1",
            "9223372036854775808",
            "9" * 60_000,
            "1i",
        ),
        *("''", "'ab'", r"'\"'", r'"\'"', r'"\400"', r'"\ud800"', r'"\U00110000"', r'"\q"', r'"\xg0"'),
    ],
)
def test_what_is_no_literal(literal: str) -> None:
    assert f"in '{{{{{literal}"[:40] in complaint(f"{{{{{literal}}}}}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{{"a" | print "b" | upper}}', "BA"),
        ('{{"x" | printf "%s-%s" "y"}}', "y-x"),
        ('{{(print "a")}}{{print (print "b") (len (split "a,b" ","))}}', "ab2"),
        ('{{"a" | print | }}', "a"),
        ("{{(.).app}} {{($).team}}", "web blue"),
    ],
)
def test_pipelines_and_parentheses(text: str, expected: str) -> None:
    assert render(text, WORDS) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{$x := .app}}{{$x}}", "web"),
        ("{{$x:=.app}}{{$x}}", "web"),
        ("{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}", "2"),
        ("{{$x := 1}}{{if true}}{{$x := 2}}{{end}}{{$x}}", "1"),
        ("{{with .app}}{{.}} {{$.team}}{{end}}", "web blue"),
        ("{{$x := .}}{{$x.app}}", "web"),
        ("{{if $x := .empty}}{{else if $y := .app}}{{$x}}{{$y}}{{end}}", "web"),
        ("{{with ($y := 3)}}{{$y}}{{end}}", "3"),
        ("{{$é := 1}}{{$é}}", "1"),
    ],
)
def test_variables(text: str, expected: str) -> None:
    assert render(text, WORDS) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{if .app}}yes{{end}}", "yes"),
        ("{{if .empty}}yes{{end}}", ""),
        ("{{if .missing}}yes{{else}}no{{end}}", "no"),
        ("{{if .empty}}a{{else if .missing}}b{{else if .app}}c{{else}}d{{end}}", "c"),
        ("{{if 0}}a{{end}}{{if 0.0}}b{{end}}{{if false}}c{{end}}{{if ``}}d{{end}}", ""),
        ("{{if -1}}a{{end}}{{if 0.1}}b{{end}}{{if true}}c{{end}}{{if ` `}}d{{end}}", "abcd"),
        ("{{with .app}}<{{.}}>{{end}}", "<web>"),
        ("{{with .empty}}<{{.}}>{{else}}none of {{len .}}{{end}}", "none of 3"),
        ("{{with .empty}}a{{else with .team}}{{.}}{{else}}c{{end}}", "blue"),
    ],
)
def test_conditions(text: str, expected: str) -> None:
    assert render(text, WORDS) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{range .}}[{{.}}]{{end}}", "[web][][blue]"),
        ("{{range $k, $v := .}}{{$k}}={{$v}};{{end}}", "app=web;empty=;team=blue;"),
        ("{{range $v := .}}{{$v}},{{end}}", "web,,blue,"),
        ('{{range $i, $e := split "a,b,c" ","}}{{if $i}}-{{end}}{{$e}}{{end}}', "a-b-c"),
        ("{{range split `` ``}}x{{else}}none{{end}}", "none"),
        ("{{range .missing}}x{{else}}none{{end}}", "none"),
        ("{{range 3}}{{.}}{{end}}{{range $n := 2}}<{{$n}}>{{end}}", "012<0><1>"),
        ("{{range 0}}x{{else}}none{{end}}{{range -1}}x{{end}}", "none"),
        ('{{range split "a b c" " "}}{{if eq . "b"}}{{continue}}{{end}}{{.}}{{end}}', "ac"),
        ('{{range split "a b c" " "}}{{if eq . "b"}}{{break}}{{end}}{{.}}{{end}}', "a"),
        ("{{range 2}}{{range 9}}{{if eq . 2}}{{break}}{{end}}{{.}}{{end}};{{end}}", "01;01;"),
        ("{{$i := 0}}{{$e := ``}}{{range $i, $e = split `a,b` `,`}}{{end}}{{$i}}{{$e}}", "1b"),
    ],
)
def test_loops(text: str, expected: str) -> None:
    assert render(text, WORDS) == expected


def test_a_map_is_gone_through_in_the_order_of_its_keys_as_bytes() -> None:
    names = dict.fromkeys(("ö", "b", "a", "B", "𝄞", "ﬀ", ""), "")
    assert render("{{range $k, $v := .}}{{$k}} {{end}}", names) == " B a b ö ﬀ 𝄞 "


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x {{.Name", "action without its '}}' in '{{.Name'"),
        ("{{.Name}", "unexpected '}' in '{{.Name}'"),
        ("{{}}", "no value for action in '{{}}'"),
        ("{{if}}a{{end}}", "no value for 'if' in '{{if}}'"),
        ("{{if .a}}x", "'{{if .a}}' without its '{{end}}'"),
        ("{{end}}", "'end' without 'if', 'with' or 'range' in '{{end}}'"),
        ("{{else}}", "'else' without 'if', 'with' or 'range' in '{{else}}'"),
        ("{{if .a}}{{else}}{{else}}{{end}}", "a second 'else' in '{{else}}'"),
        ("{{range .a}}{{else if .b}}{{end}}", "unexpected 'if' after 'else' in '{{else if .b}}'"),
        ("{{with .a}}{{else if .b}}{{end}}", "unexpected 'if' after 'else' in '{{else if .b}}'"),
        ("{{if .a}}{{end .b}}", "unexpected '.b' in '{{end .b}}'"),
        ("{{break}}", "'break' outside of 'range' in '{{break}}'"),
        ("{{range .a}}{{else}}{{continue}}{{end}}", "'continue' outside of 'range' in '{{continue}}'"),
        ("{{(print 1}}", "'(' without its ')' in '{{(print 1}}'"),
        ("{{print 1)}}", "unexpected ')' in '{{print 1)}}'"),
        ("{{print(1)}}", "unexpected '(' in '{{print(1)}}'"),
        ("{{| .a}}", "unexpected '|' in '{{| .a}}'"),
        ("{{.a | 4}}", "'4' cannot take what comes through '|' in '{{.a | 4}}'"),
        ("{{1 2}}", "'1' is not a function and takes no arguments in '{{1 2}}'"),
        ("{{. 2}}", "'.' is not a function and takes no arguments in '{{. 2}}'"),
        ("{{nil}}", "nil cannot stand alone in '{{nil}}'"),
        ("{{true.a}}", "unexpected '.a' after 'true' in '{{true.a}}'"),
        ('{{.a"b"}}', "unexpected or unclosed '\"' in '{{.a\"b\"}}'"),
        ('{{"a}}', "unexpected or unclosed '\"' in '{{\"a}}'"),
        ('{{"a""b"}}', 'unexpected \'"b"\' in \'{{"a""b"}}\''),
        ("{{.a#}}", "unexpected '#' in '{{.a#}}'"),
        ("{{\x00}}", "unexpected U+0000 in '{{\x00}}'"),
        ("{{/* a }}", "comment without its '*/' in '{{/* a }}'"),
        ("{{/* a */ }}", "'*/' without '}}' after it in '{{/* a */'"),
        ("{{$x}}", "unknown variable '$x' in '{{$x}}'"),
        ("{{$x = 1}}", "unknown variable '$x' in '{{$x = 1}}'"),
        ("{{$name := 1}}{{$nmae}}", "unknown variable '$nmae' in '{{$nmae}}' (did you mean '$name'?)"),
        ("{{range $i, $x = .}}{{end}}", "unknown variable '$i' in '{{range $i, $x = .}}'"),
        ("{{if .a}}{{$x := 1}}{{end}}{{$x}}", "unknown variable '$x' in '{{$x}}'"),
        ("{{if $x := .a}}{{else}}{{end}}{{$x}}", "unknown variable '$x' in '{{$x}}'"),
        ("{{$a, $b := .a}}", "too many variables for action in '{{$a, $b := .a}}'"),
        ("{{range $a, $b, $c := .a}}{{end}}", "too many variables for 'range' in '{{range $a, $b, $c := .a}}'"),
        ("{{define `a`}}{{end}}", "'define' is not supported in '{{define `a`}}'"),
        ("{{template `a`}}", "'template' is not supported in '{{template `a`}}'"),
        ("{{block `a` .}}{{end}}", "'block' is not supported in '{{block `a` .}}'"),
        ("{{range `abc`}}{{end}}", "'range' over a string in '{{range `abc`}}'"),
        ("{{range $i, $n := 3}}{{end}}", "'range' over an int with two variables in '{{range $i, $n := 3}}'"),
    ],
)
def test_a_complaint_names_the_fault_and_the_action(text: str, message: str) -> None:
    assert complaint(text) == message


def test_a_long_action_is_shortened_in_a_complaint_and_stays_on_one_line() -> None:
    message = complaint("{{foo\n" + ".a " * 1000 + "}}")
    assert message.startswith("unknown function 'foo' in '{{foo .a .a")
    assert "…'" in message
    assert len(message) < 200
    assert "\n" not in message


def test_nothing_else_than_what_go_has_can_be_rendered() -> None:
    with pytest.raises(TemplateError, match="a float cannot be rendered"):
        compile_template("{{.}}").render(1.5)  # type: ignore[arg-type]
