"""The journals that can be written at will, as the tests of delivery have them."""

from tests.delivery.conftest import journal, make_journal, sink

__all__ = ["journal", "make_journal", "sink"]
