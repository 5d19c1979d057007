"""Names of images."""

import pytest

from plugin.docker.image import ImageName, split_image_name


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("nginx", ("nginx", "", "")),
        ("nginx:1.27", ("nginx", "1.27", "")),
        ("grafana/loki:3.5.0", ("grafana/loki", "3.5.0", "")),
        ("localhost:5000/web", ("localhost:5000/web", "", "")),
        ("localhost:5000/web:2", ("localhost:5000/web", "2", "")),
        ("web:2@sha256:5e5e", ("web", "2", "sha256:5e5e")),
        ("web@sha256:5e5e", ("web", "", "sha256:5e5e")),
        ("sha256:5e5e", ("sha256:5e5e", "", "")),
        ("", ("", "", "")),
    ],
)
def test_its_parts(text: str, parts: tuple[str, str, str]) -> None:
    assert split_image_name(text) == ImageName(*parts)
