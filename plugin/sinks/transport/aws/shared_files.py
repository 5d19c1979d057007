"""The files that AWS's tools share: credentials and settings by profile.

Source: "Shared config and credentials files" in the reference guide of AWS's SDKs and tools.
"""

import configparser
from collections.abc import Mapping
from pathlib import Path

from plugin.config.files import LARGEST_FILE, bounded, read_file
from plugin.config.parsing import quote
from plugin.config.secrets import Secret
from plugin.sinks.base import MisconfiguredError
from plugin.sinks.encoding.sigv4 import Credentials

_NOT_READ = ("role_arn", "credential_process", "sso_session", "sso_start_url")


def read_profile(name: str, option_file: Path | None, environ: Mapping[str, str]) -> dict[str, str]:
    """Return what the shared files say of a profile; nothing if neither knows it.

    ``option_file`` takes the place of the file of credentials, and is read as files that log-opts name are. Raises
    `MisconfiguredError` for a file that cannot be read as one of these, or is not there although it was named.
    """
    home = Path(environ.get("HOME") or "/root") / ".aws"
    found = _of_operator("AWS_CONFIG_FILE", home / "config", environ)
    settings = found.get(name if name == "default" else f"profile {name}", {})
    if option_file is None:
        credentials = _of_operator("AWS_SHARED_CREDENTIALS_FILE", home / "credentials", environ)
    else:
        try:
            credentials = _parse(read_file(str(option_file), LARGEST_FILE), str(option_file))
        except ValueError as error:
            raise MisconfiguredError(f"no AWS credentials: {error}") from None
    return settings | credentials.get(name, {})


def profile_credentials(name: str, profile: Mapping[str, str]) -> Credentials | None:
    """Return the credentials of a profile, `None` if it has none.

    Raises `MisconfiguredError` for one that gets them in a way that Peavey does not have.
    """
    key, secret = profile.get("aws_access_key_id"), profile.get("aws_secret_access_key")
    if key and secret:
        token = profile.get("aws_session_token")
        return Credentials(key, Secret(secret), Secret(token) if token else None)
    if way := next((way for way in _NOT_READ if way in profile), None):
        raise MisconfiguredError(
            f"the AWS profile {quote(name)} gets its credentials by {way}, which Peavey does not do"
            " (give the profile an access key, or use a role of the instance or container)"
        )
    return None


def _of_operator(variable: str, default: Path, environ: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Read a file that only the plugin's environment can name, so that rules for those of log-opts do not hold."""
    path = environ.get(variable) or str(default)
    try:
        return _parse(bounded(path, Path(path).read_bytes), path)
    except FileNotFoundError:
        if not environ.get(variable):
            return {}
        raise MisconfiguredError(f"no AWS credentials: {quote(path)}, which {variable} names, is not there") from None
    except OSError as error:
        raise MisconfiguredError(f"no AWS credentials: cannot read {quote(path)}: {error.strerror}") from None
    except ValueError as error:
        raise MisconfiguredError(f"no AWS credentials: {error}") from None


def _parse(content: bytes, path: str) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser(default_section="", strict=False)
    try:
        parser.read_string(content.decode())
    except (configparser.Error, UnicodeDecodeError):  # whose message would show a line
        raise ValueError(f"{quote(path)} is not a file of profiles, [name] and key = value") from None
    return {" ".join(name.split()): dict(parser[name]) for name in parser.sections()}
