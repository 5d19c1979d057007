"""The functions of templates: Docker's own and Go's, with Go's results."""

import pytest

from plugin.gotemplate import TemplateError, compile_template
from plugin.gotemplate.template import Data


def render(text: str, data: Data = None) -> str:
    return compile_template(text).render(data)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{{json "a"}} {{json 1}} {{json 1.5}} {{json true}} {{json .missing}}', '"a" 1 1.5 true null'),
        (r'{{json "\"\\/<>&\b\f\n\r\t\x00\x7f\xff"}}', r'"\"\\/<>&\b\f\n\r\t\u0000' + "\x7f" + r'\ufffd"'),
        (r'{{json "\u2028ö😀"}}', r'"\u2028ö😀"'),
        ("{{json 1e20}} {{json 1e21}} {{json 1e-6}} {{json 1e-7}}", "100000000000000000000 1e+21 0.000001 1e-7"),
        ("{{json .}}", '{"a":"x","b":""}'),
        ('{{json (split "a,b" ",")}} {{json (slice (split "a" ",") 0 0)}}', '["a","b"] []'),
        ('{{split "a,b" ","}} {{len (split "" ",")}} {{len (split "" "")}}', "[a b] 1 0"),
        ('{{split "aöb" "" | printf "%q"}}', '["a" "ö" "b"]'),
        ('{{join (split "a,b,c" ",") "--"}}|{{join nil ","}}|', "a--b--c||"),
        ('{{title "hello-world foo_bar ǆx 1st ßa"}}', "Hello-World Foo_bar ǅx 1st ßa"),
        ('{{upper "straße ᾳ ı ŉ"}} {{lower "İSTANBUL ΑΣ"}}', "STRAßE ᾼ I ŉ istanbul ασ"),
        ('{{pad "x" 2 3}}|{{pad "" 2 3}}|', "  x   ||"),
        ('{{truncate "abc" 2}} {{truncate "abc" 9}} {{truncate "abc" 3.0}} {{truncate "abc" 0}}', "ab abc abc "),
    ],
)
def test_dockers_functions(text: str, expected: str) -> None:
    assert render(text, {"a": "x", "b": ""}) == expected


def test_bytes_are_what_is_counted_and_cut() -> None:
    assert render('{{len "ö"}}{{len "😀"}}') == "24"
    assert render('{{slice "äb" 2}}{{index "äb" 2}}') == "b98"
    assert render('{{truncate "ö" 1}}|{{slice "ö" 1}}') == "\ufffd|\ufffd"
    assert render(r'{{len (upper "\xff")}}{{len (print "\xff")}}') == "31"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{{index (split "a,b" ",") 1}} {{index (split "a,b" ",") 0 0}} {{index "abc" 1}}', "b 97 98"),
        ('{{index . "a"}}{{index . "none"}}|{{index . | len}}', "x|2"),
        ('{{slice "abcd" 1}} {{slice "abcd" 1 3}} {{slice "abcd"}} {{slice "abcd" 4}}|', "bcd bc abcd |"),
        ('{{slice (split "a,b,c" ",") 1 2}} {{slice (split "a,b,c" ",") 0 1 2}}', "[b] [a]"),
        ('{{len "abc"}} {{len .}} {{len (split "a,b" ",")}}', "3 2 2"),
        ('{{print 1 2 "a" "b" 3 nil true}} {{print}}', "1 2ab3 <nil> true "),
        ('{{println 1 "a" nil}}', "1 a <nil>\n"),
        ("{{html `<a href='x'>\"&</a>`}} {{html .none 1}}",
         "&lt;a href=&#39;x&#39;&gt;&#34;&amp;&lt;/a&gt; &lt;no value&gt;1"),
        (r"""{{js "<a>'\"\\\n&=\u200bé"}} {{js 1 2}}""", r"""\u003Ca\u003E\'\"\\\u000A\u0026\u003D\u200Bé 1 2"""),
        ('{{urlquery "a b/ö~-_.*" 1 2}}', "a+b%2F%C3%B6~-_.%2A1+2"),
    ],
)  # fmt: skip
def test_gos_functions(text: str, expected: str) -> None:
    assert render(text, {"a": "x", "b": ""}) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{and 0 1}} {{and 1 2}} {{or 0 `` 3}} {{or 0 false}}", "0 2 3 false"),
        ("{{`x` | and 1}} {{`x` | or 0}} {{`x` | or 1}} {{and nil 1}}", "x x 1 <no value>"),
        ("{{or 1 (index . 1)}} {{and 0 (index . 1)}}", "1 0"),
        ("{{not 0}} {{not `a`}} {{not .none}} {{not .}}", "true false true false"),
        ("{{eq 1 1}} {{eq 1 2 3 1}} {{eq `a` `b`}} {{ne 1.5 1.5}}", "true true false false"),
        (
            "{{eq true true}} {{eq 'a' (index `a` 0)}} {{eq nil nil}} {{eq nil 1}} {{eq . nil}}",
            "true true true false false",
        ),
        ("{{lt 1 2}} {{le 2 2}} {{gt 1.5 2.5}} {{ge `b` `a`}} {{lt `B` `a`}}", "true true false true true"),
        ("{{lt `z` `ä`}} {{gt (index `a` 0) 96}}", "true true"),
    ],
)
def test_logic_and_comparisons(text: str, expected: str) -> None:
    assert render(text, {"a": "x", "b": ""}) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{upper}}", "'upper' takes 1 argument, not 0"),
        ("{{upper `a` `b`}}", "'upper' takes 1 argument, not 2"),
        ("{{`a` | pad 1 2}}", "'1' where a string is wanted"),
        ("{{printf}}", "'printf' takes at least 1 argument, not 0"),
        ("{{eq 1}}", "'eq' takes at least 2 arguments, not 1"),
        ("{{upper 3}}", "'3' where a string is wanted"),
        ("{{3 | upper}}", "an int where a string is wanted"),
        ("{{truncate `a` 1.5}}", "'1.5' where an int is wanted"),
        ("{{truncate nil 1}}", "nil where a string is wanted"),
        ("{{join `a` `b`}}", "'`a`' where a []string is wanted"),
        ("{{join (print `a`) `b`}}", "a string where a []string is wanted"),
        ("{{print.foo}}", "unknown field '.foo' of a string"),
        ("{{uper `a`}}", "unknown function 'uper'"),
        ("{{call .a}}", "unknown function 'call'"),
    ],
)
def test_what_is_refused_without_data(text: str, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        compile_template(text)
    assert str(caught.value).startswith(f"{message} in '{text}'")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{pad `a` -1 0}}", "'pad' by a negative number: -1"),
        ("{{truncate `a` -1}}", "'truncate' to a negative length: -1"),
        ("{{index `abc` 3}}", "index 3 is out of range"),
        ("{{index `abc` -1}}", "index -1 is out of range"),
        ("{{index `abc` `0`}}", "a string as an index"),
        ("{{index `abc` nil}}", "nil as an index"),
        ("{{index . 1}}", "an int as the key of a map[string]string"),
        ("{{index nil 1}}", "'index' of nil"),
        ("{{index 5 1}}", "'index' of an int"),
        ("{{slice `abc` 4}}", "index 4 is out of range"),
        ("{{slice `abc` 2 1}}", "'slice' with indexes that go down: [2, 1]"),
        ("{{slice `abc` 1 2 3}}", "'slice' of a string with 3 indexes"),
        ("{{slice (split `a,b` `,`) 0 2 1}}", "'slice' with indexes that go down: [0, 2, 1]"),
        ("{{slice .}}", "'slice' of a map[string]string"),
        ("{{len 3}}", "'len' of an int"),
        ("{{len nil}}", "'len' of nil"),
        ("{{eq 1 1.0}}", "cannot compare an int and a float64"),
        ("{{eq . .}}", "cannot compare a map[string]string and a map[string]string"),
        ("{{lt 1 `a`}}", "cannot compare an int and a string"),
        ("{{lt true false}}", "no order between a bool and a bool"),
        ("{{lt nil 1}}", "no order between nil and an int"),
        ("{{.a.b}}", "unknown field '.b' of a string"),
        ("{{range index . `a`}}{{end}}", "'range' over a string"),
    ],
)
def test_what_is_refused_with_data(text: str, message: str) -> None:
    template = compile_template(text)
    with pytest.raises(TemplateError) as caught:
        template.render({"a": "x", "b": ""})
    assert str(caught.value).startswith(f"{message} in '{text.removesuffix('{{end}}')}'")
