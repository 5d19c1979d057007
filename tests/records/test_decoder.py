"""Journal bytes become records; how lines are joined is tested with ``Joiner``, against a model, beside it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.docker.frames import Entry, PartialMetadata, encode_frame
from plugin.records.decoder import Decoder
from plugin.records.record import Record


def part(line: bytes, ordinal: int = 1, *, last: bool = False, source: str = "stdout", id: str = "x") -> Entry:  # noqa: A002
    return Entry(source, 5, line, partial=True, metadata=PartialMetadata(last, id, ordinal))


def decode(entries: list[Entry], *, joined: bool = True, first: int = 0) -> list[Record]:
    content = b"".join(map(encode_frame, entries))
    decoder = Decoder("web", joined=joined, first=first)
    assert decoder.feed(content, 0) == len(content)
    return decoder.take()


def test_a_record_has_all_that_an_entry_tells() -> None:
    entries = [Entry("stdout", 1, b"one"), Entry("stderr", -1, b""), Entry("stdout", 2**62, b"\xff\x00")]
    sizes = [len(encode_frame(entry)) for entry in entries]
    records = decode(entries)
    assert [(r.prepared, r.source, r.time_nano, r.line) for r in records] == [
        ("web", entry.source, entry.time_nano, entry.line) for entry in entries
    ]
    assert [r.offset for r in records] == [0, sizes[0], sizes[0] + sizes[1]]
    assert [r.end for r in records] == [r.resume for r in records] == [sizes[0], sizes[0] + sizes[1], sum(sizes)]


def test_parts_become_one_record_at_the_place_of_the_last() -> None:
    entries = [part(b"a"), Entry("stderr", 6, b"between"), part(b"b", 2, last=True)]
    between, whole = decode(entries)
    assert (whole.line, whole.time_nano, whole.source) == (b"ab", 5, "stdout")
    assert whole.offset == between.end
    assert between.resume == 0, "reading again has to begin at the part that waits"
    assert whole.resume == whole.end


def test_parts_can_be_taken_as_they_come() -> None:
    records = decode([part(b"a"), part(b"b", 2, last=True), Entry("stdout", 7, b"c")], joined=False)
    assert [(r.line, r.part_id, r.part_ordinal, r.part_last) for r in records] == [
        (b"a", "x", 1, False),
        (b"b", "x", 2, True),
        (b"c", "", 0, False),
    ]


class TestACharacterThatWasCut:
    """Where parts are taken as they come."""

    ENTRIES = (
        part("größer als 1 €".encode()[:-2]),
        Entry("stderr", 6, b"between"),
        part("größer als 1 €".encode()[-2:] + b" und", 2),
        part(b" mehr", 3, last=True),
    )

    def test_it_is_in_the_later_part(self) -> None:
        lines = [record.line.decode() for record in decode(list(self.ENTRIES), joined=False)]
        assert lines == ["größer als 1 ", "between", "€ und", " mehr"]

    def test_reading_again_begins_where_it_does(self) -> None:
        first, between, second, third = decode(list(self.ENTRIES), joined=False)
        assert first.resume == between.resume == 0
        assert (second.resume, third.resume) == (second.end, third.end)

    def test_it_is_waited_for_until_it_is_given_up(self) -> None:
        content = encode_frame(self.ENTRIES[0])
        decoder = Decoder("web", joined=False, first=0)
        decoder.feed(content, 0)
        assert decoder.holds
        decoder.flush(len(content))
        assert not decoder.holds
        line, beginning = decoder.take()
        assert (line.line + beginning.line) == self.ENTRIES[0].line
        assert beginning.resume == beginning.end == len(content), "it need not be read again"
        assert (beginning.part_id, beginning.part_ordinal, beginning.part_last) == ("x", 2, False)

    @pytest.mark.parametrize("other", [Entry("stdout", 7, b"next"), part(b"next", id="y")])
    def test_another_line_does_not_get_it(self, other: Entry) -> None:
        records = decode([self.ENTRIES[0], other], joined=False)
        assert [record.line for record in records] == ["größer als 1 ".encode(), b"\xe2", b"next"]
        assert all(record.end >= record.resume for record in records)
        assert records[1].end == records[2].offset


@given(joined=st.booleans(), data=st.data())
def test_whoever_reads_on_from_any_record_gets_all_that_follow(joined: bool, data: st.DataObject) -> None:
    texts = st.text(alphabet="a€😀ü", max_size=6).map(str.encode)
    texts = st.builds(lambda text, start, end: text[start:end], texts, st.integers(0, 3), st.integers(0, 24))
    sources = st.sampled_from(["stdout", "stderr"])
    whole = st.builds(Entry, sources, st.integers(0, 2**62), texts)
    parts = st.builds(part, texts, st.integers(1, 9), last=st.booleans(), source=sources, id=st.sampled_from("ab"))
    content = b"".join(map(encode_frame, data.draw(st.lists(st.one_of(whole, parts), max_size=12))))

    def read(resume: int, first: int) -> list[tuple[bytes, str, int, int, int]]:
        decoder = Decoder("web", joined=joined, first=first)
        decoder.feed(content[resume:], resume)
        decoder.flush(len(content))
        return [(r.line, r.source, r.offset, r.end, r.resume) for r in decoder.take()]

    records = read(0, 0)
    for number, (*_, end, resume) in enumerate(records, 1):
        following = records[number:]
        again = read(resume, end)
        repeated = again[: len(again) - len(following)]
        assert again[len(repeated) :] == following
        assert all(record[3] == end for record in repeated), "what was given up just there, at most"


def test_only_what_ends_behind_the_first_offset_is_given() -> None:
    entries = [part(b"a"), Entry("stderr", 6, b"before"), part(b"b", 2, last=True), Entry("stderr", 8, b"after")]
    first = len(encode_frame(entries[0])) + len(encode_frame(entries[1]))
    assert [r.line for r in decode(entries, first=first)] == [b"ab", b"after"]


def test_what_is_given_up_waiting_for_is_a_record_with_an_offset_of_its_own() -> None:
    content = b"".join(map(encode_frame, [Entry("stdout", 1, b"one"), part(b"a"), part(b"b", source="stderr")]))
    decoder = Decoder("web", joined=True, first=0)
    decoder.feed(content, 0)
    assert decoder.holds
    decoder.flush(len(content))
    assert not decoder.holds
    more = encode_frame(Entry("stdout", 9, b"next"))
    decoder.feed(more, len(content))
    records = decoder.take()
    assert [r.line for r in records] == [b"one", b"a", b"b", b"next"]
    assert len({r.offset for r in records}) == 4


def test_bytes_that_are_no_frame_are_left() -> None:
    content = encode_frame(Entry("stdout", 1, b"one"))
    decoder = Decoder("web", joined=True, first=0)
    assert decoder.feed(content + b"\0\0\0\x02\xff\xff", 0) == len(content)
    assert decoder.feed(content[:-1], len(content)) == 0
    assert decoder.feed(b"\0\0\0\0" + content, len(content)) == 0


@pytest.mark.parametrize("joined", [True, False])
@given(data=st.data())
def test_pieces_of_any_size_give_the_same_records(joined: bool, data: st.DataObject) -> None:
    texts = st.binary(max_size=40)
    sources = st.sampled_from(["stdout", "stderr"])
    whole = st.builds(Entry, sources, st.integers(0, 2**62), texts)
    parts = st.builds(part, texts, st.integers(1, 9), last=st.booleans(), source=sources, id=st.sampled_from("ab"))
    entries = data.draw(st.lists(st.one_of(whole, parts), max_size=12))
    content = b"".join(map(encode_frame, entries))
    decoder = Decoder("web", joined=joined, first=0)
    position = 0
    end = 0
    while position < len(content):
        end = min(len(content), max(end, position) + data.draw(st.integers(1, 60)))
        position += decoder.feed(content[position:end], position)
    expected = decode(entries, joined=joined)
    assert [(r.source, r.line, r.offset, r.end, r.resume) for r in decoder.take()] == [
        (r.source, r.line, r.offset, r.end, r.resume) for r in expected
    ]
