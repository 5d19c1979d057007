"""Servers that tests of several sinks share."""

from collections.abc import Iterator

import pytest

from tests.testbed.aws import MotoServer, moto_server


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MotoServer]:
    """AWS, as moto has it: started once, so that each test needs names of its own."""
    with moto_server(tmp_path_factory.mktemp("moto")) as server:
        yield server
