"""Whatever is written as a template is compiled and rendered, or refused with a TagError; nothing else happens."""

import contextlib
import re

from hypothesis import example, given
from hypothesis import strategies as st

from plugin.docker.info import Info
from plugin.docker.tag import TagError, compile_tag
from plugin.gotemplate import compile_template

WORDS = st.sampled_from(
    re.findall(
        r"\S+",
        r"""if else end range with break continue define nil true false . $ $x $i := = , | ( ) {{ }} {{- -}} /* */ " ` '
        and or not eq lt len index slice print printf println json split join title lower upper pad truncate html js
        urlquery .ID .Name .ContainerEnv .ContainerLabels .ContainerLabels.app .ContainerCreated .ContainerCreated.Month
        .Format .ExtraAttributes .Nope 0 1 -1 3 2.5 1e3 0x1f 'a' "a" "%s" "%#v" "%+q" `%05d` "," "" "\xff" "2006" """,
    )
)
SOUP = st.lists(WORDS | st.sampled_from([" ", "\n"]), max_size=30).map(" ".join)
ACTIONS = st.lists(SOUP.map("{{{{{}}}}}".format) | st.text(max_size=5), max_size=5).map("".join)
TEXTS = st.text() | SOUP | ACTIONS

VALUES = st.sampled_from(
    re.findall(
        r"\(.*?\)|\S+",
        r""". $ .ID .Name .ContainerEnv .ContainerArgs .ContainerLabels .ContainerLabels.app .ContainerLabels.none
        .Config .ContainerCreated .ContainerCreated.Month .ContainerCreated.Unix nil true 0 1 -1 7 2.5 1e30 'a' "a,b"
        "," "" "ö" "\xff" (split .Name "") (index "abc" 1)""",
    )
)
FUNCTIONS = st.sampled_from(
    re.findall(
        r"\S+",
        """json title lower upper index slice len print println html js urlquery and or not eq ne lt le gt ge split join
        pad truncate""",
    )
)
OPERANDS = st.recursive(
    VALUES,
    lambda inner: st.builds(
        lambda name, arguments: f"({' '.join([name, *arguments])})", FUNCTIONS, st.lists(inner, max_size=3)
    ),
    max_leaves=8,
)
FORMATS = st.lists(st.sampled_from([*"%%%%#+- 0123456789.*[]vTtbcdoOqxXUeEfFgGspwz!ö", "\\xff"]), max_size=12).map(
    "".join
)
CALLS = OPERANDS | st.builds(
    lambda form, arguments: f'printf "{form}" {" ".join(arguments)}', FORMATS, st.lists(OPERANDS, max_size=3)
)
PROGRAMS = st.recursive(
    CALLS.map("{{{{{}}}}}".format) | st.just("text"),
    lambda inner: st.builds(
        lambda word, value, body, other: f"{{{{{word} {value}}}}}{body}{{{{.}}}}{{{{else}}}}{other}{{{{end}}}}",
        st.sampled_from(["if", "with", "range", "range $i, $e :=", "with $x :="]),
        CALLS,
        inner,
        inner,
    ),
    max_leaves=4,
)
NAMES = st.text(max_size=8)
INFOS = st.builds(
    Info,
    container_id=st.just("abcdef0123456789"),
    config=st.none() | st.dictionaries(st.sampled_from(["labels", "labels-regex", "env", "env-regex"]), NAMES),
    container_name=NAMES,
    container_args=st.none() | st.lists(NAMES, max_size=3),
    container_created=NAMES | st.just("2024-05-01T12:34:56.1Z"),
    container_env=st.none() | st.lists(NAMES | st.just("A=b"), max_size=3),
    container_labels=st.none() | st.dictionaries(NAMES | st.just("app"), NAMES, max_size=3),
)


def render_or_refuse(text: str, info: Info) -> str:
    with contextlib.suppress(TagError):
        return compile_tag(text).render(info)
    return ""


@given(TEXTS, INFOS)
@example("{{printf `%*[3]v` 1 .}}", Info(container_id="a"))
@example("{{.ExtraAttributes nil}}", Info(container_id="a", config={"env-regex": "["}, container_env=["A=b"]))
@example("{{\ud800}}{{`\ud800`}}\ud800", Info(container_id="a"))
def test_any_text_is_a_template_or_a_fault(text: str, info: Info) -> None:
    render_or_refuse(text, info).encode()


@given(PROGRAMS, INFOS)
def test_any_program_is_rendered_or_at_fault(text: str, info: Info) -> None:
    render_or_refuse(text, info).encode()


@given(st.text(st.characters(codec="utf-8")).filter(lambda text: "{{" not in text), INFOS)
def test_text_without_actions_stays_as_it_is(text: str, info: Info) -> None:
    assert compile_tag(text).render(info) == text


@given(st.text(st.characters(codec="utf-8")))
def test_a_string_goes_through_unchanged(text: str) -> None:
    assert compile_template("{{.}}").render(text) == text
    assert compile_template("{{printf `%s` .}}{{print .}}").render(text) == text * 2


@given(st.text(st.characters(codec="utf-8", exclude_characters="`\r"), max_size=30))
def test_a_raw_string_is_what_it_says(text: str) -> None:
    assert compile_template(f"{{{{`{text}`}}}}").render(None) == text


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_a_quoted_string_reads_back_as_what_it_was(text: str) -> None:
    quoted = compile_template("{{printf `%q` .}}").render(text)
    assert compile_template(f"{{{{{quoted}}}}}").render(None) == text


@given(st.integers(-(2**63), 2**63 - 1))
def test_an_integer_is_written_as_it_is_read(number: int) -> None:
    assert compile_template(f"{{{{{number}}}}}").render(None) == str(number)


@given(st.floats(allow_nan=False, allow_infinity=False).map(repr).filter(lambda text: "." in text or "e" in text))
def test_a_float_is_written_so_that_it_reads_back_as_the_same(number: str) -> None:
    assert float(compile_template(f"{{{{{number}}}}}").render(None)) == float(number)
    assert float(compile_template(f"{{{{json {number}}}}}").render(None)) == float(number)
