"""The servers that the tests of s3 share."""

from collections.abc import Iterator

import pytest

from tests.sinks.s3.moto_bucket import MotoBucket
from tests.sinks.s3.store import Store
from tests.testbed.aws import MotoServer


@pytest.fixture
def moto(moto: MotoServer) -> MotoBucket:
    """An empty bucket of moto's."""
    bucket = MotoBucket(moto)
    bucket.empty()
    return bucket


@pytest.fixture
def store() -> Iterator[Store]:
    """A bucket that enforces what S3 does."""
    with Store() as store:
        yield store
