"""What Graylog does with messages that it takes for invalid: nothing tells a sender, so none may be sent.

Rules of ``GelfCodec`` in Graylog's server: ``short_message`` and ``host`` must not be blank (``StringUtils.isBlank`` of
Apache Commons, by ``Character.isWhitespace``), names of fields are ``[\\w.-]``, ``_id`` is not allowed; its index
refuses a message with a field above 32,766 bytes, which is Lucene's limit for a term.
"""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sinks.factories import origin_of, records_of, sink_of
from tests.sinks.gelf.decoder import decode_stream

TCP = "tcp://127.0.0.1:12201"

# Character.isWhitespace: separators but for the three that do not break, and these controls.
JAVA_BLANKS = [
    *map(chr, (*range(0x09, 0x0E), *range(0x1C, 0x21), 0x1680, *range(0x2000, 0x2007), 0x2008, 0x2009, 0x200A)),
    *map(chr, (0x2028, 0x2029, 0x205F, 0x3000)),
]
NOT_BLANK = ["\u00a0", "\u2007", "\u202f", "\u0085", "\u200b", "\ufeff", "\0", "\u180e", " \u00a0 "]


def messages(line: str, host: str = "node1", **attributes: str) -> list[dict[str, object]]:
    sink = sink_of(gelf_address=TCP)
    return decode_stream(
        sink.encode(records_of(sink, [line.encode()], replace(origin_of(attributes=attributes), host=host)))
    )


@pytest.mark.parametrize("blank", ["", *JAVA_BLANKS, " \t\u3000\u2028"], ids=ascii)
def test_what_is_blank_there_is_not_sent(blank: str) -> None:
    assert messages(blank) == []
    assert len(messages(blank + "x" + blank)) == 1


@pytest.mark.parametrize("text", NOT_BLANK, ids=ascii)
def test_what_only_looks_blank_is_sent(text: str) -> None:
    assert len(messages(text)) == 1


@given(st.lists(st.sampled_from([*JAVA_BLANKS, *NOT_BLANK, "x"]), max_size=4).map("".join))
def test_any_mixture(line: str) -> None:
    assert len(messages(line)) == (not set(line) <= set(JAVA_BLANKS))


@pytest.mark.parametrize("host", ["", " ", "\t"])
def test_a_host_is_never_blank(host: str) -> None:
    (message,) = messages("x", host)
    assert message["host"] == "localhost"


@given(st.dictionaries(st.text(max_size=5) | st.just("id"), st.text(max_size=5), max_size=5))
def test_any_attribute_has_a_name_that_is_allowed(attributes: dict[str, str]) -> None:
    """The decoder refuses the others."""
    assert len(messages("x", **attributes)) == 1


@pytest.mark.parametrize("length", [32_766, 32_767])
def test_a_value_is_no_longer_than_the_index_takes(length: int) -> None:
    (message,) = messages("x", long="v" * length)
    assert ("_long" in message) == (length <= 32_766)
