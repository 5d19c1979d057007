"""Headers of RFC 5424 as a strict parser takes them, and framing after RFC 6587."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.errors import OptionError
from plugin.sinks.base import Sink
from tests.sinks.factories import origin_of, records_of, sink_of

# The grammar of RFC 5424, section 6, for messages with a time.
_MESSAGE = re.compile(
    rb"<(?:[0-9]|[1-9][0-9]|1[0-8][0-9]|19[01])>1"
    rb" \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)"
    rb" (?P<host>[!-~]{1,255}) (?P<app>[!-~]{1,48}) (?P<pid>[!-~]{1,128}) (?P<msgid>[!-~]{1,32})"
    rb' (?P<data>-|\[[^ =\]"]{1,32}(?: [^ =\]"]{1,32}="(?:[^"\\\]]|\\["\\\]])*")*\]) (?P<text>.*)\n',
    re.DOTALL,
)
FORMS = ("rfc5424", "rfc5424micro")


def syslog(address: str = "tcp://127.0.0.1", **options: str) -> Sink[Any]:
    return sink_of(syslog_address=address, **options)


def parts(tag: str, host: str = "node1", form: str = "rfc5424") -> dict[str, str]:
    sink = syslog(syslog_format=form)
    found = _MESSAGE.fullmatch(sink.encode(records_of(sink, [b"hello"], replace(origin_of(tag=tag), host=host))))
    assert found is not None
    return {name: value.decode() for name, value in found.groupdict().items()}


@pytest.mark.parametrize(
    ("tag", "app", "msgid", "data"),
    [
        ("web", "web", "web", "-"),
        ("a" * 32, "a" * 32, "a" * 32, "-"),
        ("a" * 33, "a" * 33, "a" * 32, f'[peavey@32473 tag="{"a" * 33}"]'),
        ("b" * 60, "b" * 48, "b" * 32, f'[peavey@32473 tag="{"b" * 60}"]'),
        ("größe", "gr__e", "gr__e", '[peavey@32473 tag="größe"]'),
        ('a b"]\\', 'a_b"]\\', 'a_b"]\\', '[peavey@32473 tag="a b\\"\\]\\\\"]'),
        ("", "peavey", "peavey", "-"),
    ],
)
def test_names_are_cut_and_made_ascii_and_the_whole_tag_is_structured_data(
    tag: str, app: str, msgid: str, data: str
) -> None:
    found = parts(tag)
    assert (found["app"], found["msgid"], found["data"], found["text"]) == (app, msgid, data, "hello")


def test_a_host_name_is_cut_and_made_ascii() -> None:
    assert parts("web", "knöten " + "n" * 300)["host"] == "kn_ten_" + "n" * 248
    assert parts("web", "")["host"] == "localhost"


@given(st.text(max_size=100), st.text(max_size=300), st.sampled_from(FORMS))
def test_any_header_is_what_the_grammar_says(tag: str, host: str, form: str) -> None:
    assert parts(tag, host, form)["text"] == "hello"


@pytest.mark.parametrize("form", ["rfc3164", *FORMS])
@pytest.mark.parametrize("scheme", ["tcp://h", "tcp+tls://h", "unix:///run/s"])
def test_the_framing_can_be_chosen_for_any_stream(scheme: str, form: str) -> None:
    counting = syslog(scheme, syslog_format=form, syslog_framing="octet-counting")
    plain = syslog(scheme, syslog_format=form, syslog_framing="non-transparent")
    message = plain.encode(records_of(plain, [b"hello"]))
    assert message.endswith(b" hello\n")
    assert message.startswith(b"<")
    assert counting.encode(records_of(counting, [b"hello"])) == b"%d %b" % (len(message), message)
    assert counting.encode(records_of(counting, [b"a\nb\0"])).endswith(b"a\nb\0\n")
    assert plain.encode(records_of(plain, [b"a\nb\0"])).endswith(b"a#012b#000\n")


@pytest.mark.parametrize("options", [{"syslog_address": "udp://h"}, {"syslog_address": "unixgram:///s"}, {}])
def test_datagrams_have_no_framing(options: dict[str, str]) -> None:
    with pytest.raises(OptionError, match="'syslog-framing' needs a syslog-address that is a stream"):
        sink_of(sink="syslog", syslog_framing="octet-counting", **options)
