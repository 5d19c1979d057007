from rich.text import Text

from plugin.commands.table import Column, table


def shown(width: int | None, *rows: tuple[str, ...]) -> list[str]:
    columns = [Column("name", flexible=True, least=4), Column("what", flexible=True, least=6), Column("n", right=True)]
    return [line.plain for line in table(columns, [list(map(Text, row)) for row in rows], width)]


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert shown(None, ("a", "bcdefgh", "1"), ("longer", "b", "10")) == [
        "name    what      n",
        "a       bcdefgh   1",
        "longer  b        10",
    ]


def test_the_widest_gives_way_first_and_none_below_its_least() -> None:
    row = ("abcdefghijkl", "ABCDEFGH", "1,000")
    assert [len(line) for line in shown(25, row)] == [25, 25]
    assert shown(3, row)[1] == "abc…  ABCDE…  1,000"


def test_wide_characters_take_two_places() -> None:
    assert shown(None, ("日本", "x", "1"), ("abcd", "y", "2")) == ["name  what  n", "日本  x     1", "abcd  y     2"]
