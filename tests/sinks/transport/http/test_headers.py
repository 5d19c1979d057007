import pytest

from plugin.sinks.transport.http.headers import parse_headers


def test_headers_in_a_list_or_as_json() -> None:
    assert parse_headers("X-Api-Key=a=b, X-Team = core") == {"X-Api-Key": "a=b", "X-Team": "core"}
    assert parse_headers('{"X-List": "a,b"}') == {"X-List": "a,b"}
    assert parse_headers("") == {}


def test_values_do_not_show() -> None:
    assert repr(parse_headers("X-Api-Key=s3cret")) == "Headers(X-Api-Key)"


@pytest.mark.parametrize("text", ["X-Key", "a b=s3cret", '{"a": 1}', '{"a"', "X=s3cret\r\nY: 1", "Host=s3cret", "=x"])
def test_what_http_does_not_allow_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(ValueError, match=r"header|JSON") as caught:
        parse_headers(text)
    assert "s3cret" not in str(caught.value)
