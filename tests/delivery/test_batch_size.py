from plugin.delivery.batch_size import SMALLEST, BatchSize

LARGEST = 1 << 20


def test_a_cut_batch_halves_what_it_took() -> None:
    size = BatchSize(LARGEST)
    size.note_cut(600_000)
    assert size.current == 300_000


def test_it_is_never_cut_below_the_smallest() -> None:
    size = BatchSize(LARGEST)
    size.note_cut(SMALLEST + 1)
    assert size.current == SMALLEST


def test_a_cut_never_makes_it_larger() -> None:
    size = BatchSize(LARGEST)
    size.note_cut(100_000)
    size.note_cut(1_000_000)
    assert size.current == 50_000


def test_it_grows_by_a_sixteenth_or_to_what_was_taken_in_one_piece() -> None:
    size = BatchSize(LARGEST)
    size.note_refusal()
    size.begin()
    size.note_success(1_000)
    assert size.current == SMALLEST + SMALLEST // 16
    size.note_success(500_000)
    assert size.current == 500_000


def test_the_pieces_of_a_refused_batch_say_nothing_of_what_can_be_taken_at_once() -> None:
    size = BatchSize(LARGEST)
    size.begin()
    size.note_refusal()
    size.note_success(500_000)
    assert size.current == SMALLEST + SMALLEST // 16


def test_it_stays_within_the_largest() -> None:
    size = BatchSize(20_000)
    size.note_refusal()
    for _ in range(10):
        size.note_success(1_000_000)
    assert size.current == 20_000


def test_a_largest_below_the_smallest_holds() -> None:
    size = BatchSize(5_000)
    size.note_refusal()
    size.note_cut(10_000)
    assert size.current == 5_000
