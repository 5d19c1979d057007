"""A class of options is declarations on the class, and typed values on an instance."""

from collections.abc import Iterator
from typing import assert_type

import pytest

from plugin.config import types
from plugin.config.schema import Nested, Option, Options


class Shoes(Options):
    size = Option(name="size", kind=types.integer(low=1), default="40", help="The size.")
    colour: Option[str | None] = Option(name="colour", kind=types.TEXT, help="The colour.")

    def check(self) -> Iterator[str]:
        if self.colour == "pink" and self.size > 50:
            yield f"{self.name_of(Shoes.size)} is too large for {self.name_of(Shoes.colour)}"


class WideShoes(Shoes):
    size = Option(name="width", kind=types.integer(low=1), default="44", help="The width.")


class Rider(Options):
    name = Option(name="rider-name", kind=types.TEXT, default="Ann", help="The name.")
    shoes = Nested(Shoes, "rider-shoe-")
    hat = Option(name="rider-hat", kind=types.BOOLEAN, default="false", help="Whether a hat is worn.")


def test_declarations_are_in_order_nested_ones_under_their_prefix() -> None:
    names = [option.name for option in Rider.options]
    assert names == ["rider-name", "rider-shoe-size", "rider-shoe-colour", "rider-hat"]


def test_an_option_that_is_declared_anew_keeps_its_place() -> None:
    assert [option.name for option in WideShoes.options] == ["width", "colour"]


def test_values_have_the_types_of_their_declarations() -> None:
    rider = Rider.defaults_alone()
    assert assert_type(rider.name, str) == "Ann"
    assert assert_type(rider.shoes.size, int) == 40
    assert assert_type(rider.shoes.colour, str | None) is None
    assert assert_type(rider.hat, bool) is False


def test_a_nested_class_checks_its_values_and_knows_their_names() -> None:
    values = {"rider-name": "Ann", "rider-shoe-size": 60, "rider-shoe-colour": "pink", "rider-hat": True}
    assert list(Rider(values).check()) == ["rider-shoe-size is too large for rider-shoe-colour"]
    assert list(Rider(values | {"rider-shoe-size": 50}).check()) == []


def test_equal_values_are_equal() -> None:
    assert Shoes.defaults_alone() == Shoes.defaults_alone() != Shoes({"size": 41, "colour": None})
    assert Shoes.defaults_alone() != WideShoes.defaults_alone()
    assert len({Shoes.defaults_alone(), Shoes.defaults_alone()}) == 1


def test_values_cannot_be_changed() -> None:
    rider = Rider.defaults_alone()
    with pytest.raises(AttributeError, match="rider-name"):
        rider.name = "Bob"  # type: ignore[assignment]
    with pytest.raises(AttributeError):
        rider.shoes = Shoes.defaults_alone()  # type: ignore[assignment]
