"""printf: Go's verbs, flags, widths and argument numbers, and what it writes when they do not fit."""

import pytest

from plugin.gotemplate import TemplateError, compile_template
from plugin.gotemplate.template import Data


def printf(form: str, arguments: str = "", data: Data = None) -> str:
    return compile_template(f"{{{{printf `{form}` {arguments}}}}}").render(data)


@pytest.mark.parametrize(
    ("form", "arguments", "expected"),
    [
        ("%s|%v|%q", '"a" "a" "a"', 'a|a|"a"'),
        ("%5s|%-5s|%05s|%.2s|%5.1s", '"ab" "ab" "ab" "äöü" "äöü"', "   ab|ab   |000ab|äö|    ä"),
        ("%x|%X|%#x|% x|%# X|%.1x|%6x|%-6x", '"hi" "hi" "hi" "hi" "hi" "hi" "a" "a"',
         "6869|6869|0x6869|68 69|0X68 0X69|68|    61|61    "),
        ("%q %+q %#q %#q", r'"a\n\x00\"\u200b\xff" "é😀" "a\tb" "a`b"',
         r'"a\n\x00\"\u200b\xff" "\u00e9\U0001f600" ' + '`a\tb` "a`b"'),
        ("%d|%5d|%-5d|%05d|%+d|% d|%+05d", "42 42 42 42 42 42 42", "42|   42|42   |00042|+42| 42|+0042"),
        ("%d|%5d|%-5d|%05d", "-42 -42 -42 -42", "-42|  -42|-42  |-0042"),
        ("%b %o %O %x %X %#b %#o %#x %#X", "5 8 8 255 255 5 8 255 255", "101 10 0o10 ff FF 0b101 010 0xff 0XFF"),
        ("%x %.3d %08.3d|%+.3d|%.0d|%5.d|", "-255 5 5 5 0 0", "-ff 005      005|+005||     |"),
        ("%c|%5c|%q|%+q|%U|%#U|%c %U", "246 246 246 246 246 246 -1 -1",
         "ö|    ö|'ö'|'\\u00f6'|U+00F6|U+00F6 'ö'|\ufffd U+FFFFFFFFFFFFFFFF"),
        ("%f|%.2f|%8.2f|%-8.1f|%08.3f|%+f|% f|%.0f|%F", "1.5 1.5 1.5 1.5 1.5 1.5 1.5 2.5 1.5",
         "1.500000|1.50|    1.50|1.5     |0001.500|+1.500000| 1.500000|2|1.500000"),
        ("%e|%E|%g|%G|%.3g|%v|%+08.2f", "1.5 1.5 1e7 1e-7 1234.5 1e21 -1.5",
         "1.500000e+00|1.500000E+00|1e+07|1E-07|1.23e+03|1e+21|-0001.50"),
        ("%#g|%#.3g|%#f|%#.0f|%#.0e|%#g|%#.0g", "1e7 1.0 1.5 2.0 2.0 0.0 1e7",
         "1.00000e+07|1.00|1.500000|2.|2.e+00|0.00000|1.e+07"),
        ("%t|%v|%6t|%-6t|", "true false true true", "true|false|  true|true  |"),
        ("%v|%5v|%T|%d|%s", "nil nil nil nil nil", "<nil>|<nil>|<nil>|%!d(<nil>)|%!s(<nil>)"),
        ("%T %T %T %T %T", '1 "a" 1.5 true (split "a" "a")', "int string float64 bool []string"),
        ("%#v %#v %#v %#v %#v", '1 "a" true 1.5 (index "a" 0)', '1 "a" true 1.5 0x61'),
        ("%v %s %q %x %5s| %#v", '(split "a,b" ",") ' * 6,
         '[a b] [a b] ["a" "b"] [61 62] [    a     b]| []string{"a", "b"}'),
        ("%v %+v %q %#v", ". . . .", 'map[a:x b:] map[a:x b:] map["a":"x" "b":""] map[string]string{"a":"x", "b":""}'),
    ],
)  # fmt: skip
def test_verbs_and_flags(form: str, arguments: str, expected: str) -> None:
    assert printf(form, arguments, {"a": "x", "b": ""}) == expected


@pytest.mark.parametrize(
    ("form", "arguments", "expected"),
    [
        ("%d", '"x"', "%!d(string=x)"),
        ("%5d", '"x"', "%!d(string=    x)"),
        ("%s %t %c", "5 5 `x`", "%!s(int=5) %!t(int=5) %!c(string=x)"),
        ("%d %s", "1.5 true", "%!d(float64=1.5) %!s(bool=true)"),
        ("%z %! %é", "1 2 3", "%!z(int=1) %!!(int=2) %!é(int=3)"),
        ("%d", '(split "a,b" ",")', "[%!d(string=a) %!d(string=b)]"),
        ("%p %w", '"x" "x"', "%!p(string=x) %!w(string=x)"),
        ("%d %d", "1", "1 %!d(MISSING)"),
        ("%d", '1 2 "x" nil', "1%!(EXTRA int=2, string=x, <nil>)"),
        ("100%", "", "100%!(NOVERB)"),
        ("%5", "1", "%!(NOVERB)%!(EXTRA int=1)"),
        ("%% %5% %d", "1", "% % 1"),
    ],
)
def test_what_does_not_fit(form: str, arguments: str, expected: str) -> None:
    assert printf(form, arguments) == expected


@pytest.mark.parametrize(
    ("form", "arguments", "expected"),
    [
        ("%[2]d %[1]d", "1 2", "2 1"),
        ("%[1]d %d %[1]d", "1 2", "1 2 1"),
        ("%*d|%-*d|%*d|", "5 42 5 42 -5 42", "   42|42   |42   |"),
        ("%[3]*.[2]*[1]f|", "3.14159 2 8", "    3.14|"),
        ("%.*d", "-3 5", "%!(BADPREC)5"),
        ("%*d", '"x" 2', "%!(BADWIDTH)2"),
        ("%[5]d %[x]d %[]d %[0]d", "1", "%!d(BADINDEX) %!d(BADINDEX) %!d(BADINDEX) %!d(BADINDEX)"),
        ("%[1", "1", "%!(NOVERB)"),
        ("%[1]3d", "1", "%!d(BADINDEX)"),
    ],
)
def test_numbers_of_arguments_and_widths_from_them(form: str, arguments: str, expected: str) -> None:
    assert printf(form, arguments) == expected


@pytest.mark.parametrize("form", ["%x", "%b", "%X"])
def test_forms_of_floats_that_are_not_supported_are_refused(form: str) -> None:
    with pytest.raises(TemplateError, match="not supported for a number with a fraction"):
        printf(form, "1.5")


def test_an_address_is_refused() -> None:
    with pytest.raises(TemplateError, match="the verb '%p' is not supported"):
        printf("%p", ".", {})


@pytest.mark.parametrize(
    ("form", "arguments"),
    [("%70000d", "1"), ("%-70000s", "`a`"), ("%.70000f", "1.5"), ("%.70000d", "1"), ("%.70000U", "1"),
     ("%*d", "70000 1"), ("%030000d" * 3, "1 2 3")],
)  # fmt: skip
def test_a_result_that_is_too_long_is_refused(form: str, arguments: str) -> None:
    with pytest.raises(TemplateError, match=r"the result is longer than 64 KiB in '\{\{printf"):
        printf(form, arguments)
