import os
import ssl
import threading
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from plugin.config import files
from plugin.sinks.base import MisconfiguredError
from plugin.sinks.transport.tls.context import ClientTls, client_context, is_lasting
from tests.sinks.http_servers import Authority, make_authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("tls"))


def test_certificates_and_names_are_verified_unless_switched_off() -> None:
    assert (client_context().verify_mode, client_context().check_hostname) == (ssl.CERT_REQUIRED, True)
    context = client_context(verify=False)
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_NONE, False)


def test_nothing_below_tls_1_2() -> None:
    context = client_context()
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.maximum_version == ssl.TLSVersion.MAXIMUM_SUPPORTED


def test_a_ca_file_stands_instead_of_the_systems_certificates(authority: Authority) -> None:
    assert len(client_context(ca=authority.ca_file).get_ca_certs()) == 1


def test_a_client_certificate_is_loaded_with_its_key(authority: Authority) -> None:
    client_context(cert=authority.cert_file, key=authority.key_file)


def test_key_and_certificate_may_share_a_file(authority: Authority, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(authority.cert_file.read_bytes() + authority.key_file.read_bytes())
    client_context(cert=both)


def test_a_file_that_is_missing_is_named_with_where_the_managed_plugin_looks(tmp_path: Path) -> None:
    with pytest.raises(MisconfiguredError, match=r"ca\.pem'.*No such file.*/etc/peavey.*files\.source"):
        client_context(ca=tmp_path / "ca.pem")


def test_what_is_no_regular_file_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(MisconfiguredError, match="not a regular file"):
            client_context(ca=path)


def test_a_ca_file_without_certificates_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(MisconfiguredError, match="no CA certificates in PEM form"):
        client_context(ca=tmp_path / "ca.pem")


def test_a_key_of_another_certificate_is_refused(authority: Authority, tmp_path: Path) -> None:
    other = make_authority(tmp_path)
    with pytest.raises(MisconfiguredError, match="key values mismatch"):
        client_context(cert=authority.cert_file, key=other.key_file)


def test_a_key_with_a_password_is_refused_without_asking_for_it(authority: Authority, tmp_path: Path) -> None:
    key = serialization.load_pem_private_key(authority.key_file.read_bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"sesame"),
    )
    (tmp_path / "key.pem").write_bytes(locked)
    with pytest.raises(MisconfiguredError, match="without a password"):
        client_context(cert=authority.cert_file, key=tmp_path / "key.pem")


def test_a_key_alone_is_refused(authority: Authority) -> None:
    with pytest.raises(MisconfiguredError, match="without its certificate"):
        client_context(key=authority.key_file)


class TestChanges:
    """Files that change while a destination is in use."""

    def put(self, authority: Authority, folder: Path) -> list[Path]:
        files = (authority.ca_file, authority.cert_file, authority.key_file)
        for file in files:
            (folder / file.name).write_bytes(file.read_bytes())
        return [folder / file.name for file in files]

    def test_the_context_is_the_same_until_a_file_changes(self, authority: Authority, tmp_path: Path) -> None:
        tls = ClientTls(*self.put(authority, tmp_path))
        before = tls.context()
        assert tls.context() is before

        for name in ("other", "another"):
            (tmp_path / name).mkdir()
            self.put(make_authority(tmp_path / name), tmp_path)
            after = tls.context()
            assert after is not before
            assert after.get_ca_certs() != before.get_ca_certs()
            assert tls.context() is after
            before = after

    def test_what_cannot_be_used_changes_nothing_and_is_told(
        self, authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        ca, cert, key = self.put(authority, tmp_path)
        tls = ClientTls(ca, cert, key)
        before = tls.context()
        (tmp_path / "other").mkdir()
        other = make_authority(tmp_path / "other")
        cert.write_bytes(other.cert_file.read_bytes())
        assert tls.context() is before
        assert str(cert) in caplog.text

        key.write_bytes(other.key_file.read_bytes())
        assert tls.context() is not before

    def test_one_that_hangs_changes_nothing_and_holds_up_no_connection(
        self, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        tls = ClientTls(*self.put(authority, tmp_path))
        before = tls.context()
        go_on = threading.Event()
        with monkeypatch.context() as patch:
            patch.setattr(files, "_WITHIN", 0.01)
            patch.setattr(os, "stat", lambda _: go_on.wait())  # as on a network file system that is away
            for _ in range(3):
                assert tls.context() is before
        assert caplog.text.count("does not answer") == 1, "told once"
        go_on.set()
        while files._running:
            time.sleep(0.001)
        assert tls.context() is before

    @pytest.mark.parametrize("option", ["ca", "cert"])
    def test_one_without_an_end_is_not_read_to_it(self, tmp_path: Path, option: str) -> None:
        with open(tmp_path / "huge.pem", "wb") as huge:
            huge.truncate(1 << 40)
        with pytest.raises(MisconfiguredError, match="is larger than 1048576 bytes"):
            ClientTls(**{option: tmp_path / "huge.pem"})  # type: ignore[arg-type]

    def test_a_file_that_is_missing_from_the_start_is_a_misconfiguration(self, tmp_path: Path) -> None:
        with pytest.raises(MisconfiguredError, match=str(tmp_path)):
            ClientTls(tmp_path / "ca.pem")


@pytest.mark.parametrize(
    ("reason", "lasting"),
    [
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", True),
        ("SSLV3_ALERT_BAD_CERTIFICATE", True),
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", True),
        ("TLSV1_ALERT_ACCESS_DENIED", True),
        ("TLSV1_ALERT_PROTOCOL_VERSION", True),
        ("TLSV1_ALERT_UNKNOWN_CA", True),
        ("TLSV1_UNRECOGNIZED_NAME", True),
        ("HTTP_REQUEST", True),
        ("WRONG_VERSION_NUMBER", True),
        ("SSLV3_ALERT_BAD_RECORD_MAC", False),
        ("TLSV1_ALERT_INTERNAL_ERROR", False),
        ("TLSV1_ALERT_USER_CANCELLED", False),
        ("UNEXPECTED_EOF_WHILE_READING", False),
        ("", False),
    ],
)
def test_what_openssl_says_tells_whether_it_may_pass(reason: str, lasting: bool) -> None:
    error = ssl.SSLError(1, "it failed")
    error.reason = reason
    assert is_lasting(error) == lasting
