"""Names of images: ``registry:5000/team/web:1.2@sha256:…`` taken apart."""

from typing import NamedTuple


class ImageName(NamedTuple):
    """An image's name without tag and digest, its tag, and its digest; empty where there is none."""

    name: str
    tag: str
    digest: str


def split_image_name(text: str) -> ImageName:
    """Take the name of an image apart, as ``docker run`` was given it (grammar: ``distribution/reference``).

    A colon before the last slash belongs to the registry's port; an id, ``sha256:…``, is a name.
    """
    rest, _, digest = text.partition("@")
    if rest == "sha256" or rest.startswith("sha256:"):
        return ImageName(rest, "", digest)
    folder, slash, last = rest.rpartition("/")
    name, _, tag = last.partition(":")
    return ImageName(f"{folder}{slash}{name}", tag, digest)
