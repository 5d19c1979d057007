"""Lines as text: a container may write any bytes, many protocols take UTF-8 only."""


def text(line: bytes) -> str:
    """Decode a line as UTF-8; what is not UTF-8 becomes U+FFFD, the replacement character."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("utf-8", "replace")
