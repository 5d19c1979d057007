"""The servers that the tests of s3 share."""

from collections.abc import Iterator

import pytest

from tests.sinks.s3.moto_server import MotoServer, moto_server
from tests.sinks.s3.store import Store


@pytest.fixture(scope="session")
def shared_moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MotoServer]:
    """One process of moto's."""
    with moto_server(tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture
def moto(shared_moto: MotoServer) -> MotoServer:
    """It, with an empty bucket."""
    shared_moto.empty()
    return shared_moto


@pytest.fixture
def store() -> Iterator[Store]:
    """A bucket that enforces what S3 does."""
    with Store() as store:
        yield store
