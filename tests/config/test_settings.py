"""The plugin's settings come from flags, then from the environment, then from their defaults."""

import argparse
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.config.defaults import parse_defaults
from plugin.config.files import FileRoot
from plugin.config.listen_address import ListenAddress
from plugin.config.secrets import Secret
from plugin.config.settings import (
    CLOUD_VARIABLES,
    SETTINGS,
    Setting,
    Settings,
    add_arguments,
    load_settings,
    plugin_environment,
    written_settings,
)
from plugin.config.settings_page import render_markdown
from plugin.errors import SettingError

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"

DEFAULTS = Settings(
    socket=Path("/run/docker/plugins/peavey.sock"),
    data=Path("/var/lib/peavey"),
    logging_dir=Path("/run/docker/logging"),
    log_opts={},
    config=Path("/etc/peavey/peavey.yaml"),
    file_roots=(
        FileRoot("/etc/peavey", writable=False),
        FileRoot("/etc/ssl/certs", writable=False),
        FileRoot("/var/log/peavey", writable=True),
    ),
    keep_stopped=7 * 24 * 3600.0,
    keep_undelivered=30 * 24 * 3600.0,
    disk_limit=10_000_000_000,
    disk_free=1_000_000_000,
    max_followers=1000,
    delivery_workers=1,
    http=None,
    http_hosts=(),
    console=False,
    http_token=Secret(""),
    http_tls_cert=None,
    http_tls_key=None,
    log_level="info",
    timezone="",
    http_proxy=Secret(""),
    https_proxy=Secret(""),
    no_proxy="",
)


def fault(environ: dict[str, str], arguments: dict[str, object] | None = None) -> str:
    with pytest.raises(SettingError) as caught:
        load_settings(arguments or {}, environ)
    return str(caught.value)


def parse(*arguments: str, names: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_arguments(parser, names)
    return parser.parse_args(arguments)


class TestSources:
    def test_without_any_all_are_at_their_defaults(self) -> None:
        assert load_settings({}, {}) == DEFAULTS

    def test_all_are_read_from_the_environment(self) -> None:
        environ = {
            "PEAVEY_SOCKET": "/srv/p.sock",
            "PEAVEY_DATA": "/srv/peavey",
            "PEAVEY_LOGGING_DIR": "/srv/logging",
            "PEAVEY_LOG_OPTS": '{"max-size": "1m"}',
            "PEAVEY_CONFIG": "/srv/peavey.yaml",
            "PEAVEY_FILE_ROOTS": "/srv/certs:ro, /srv/logs:rw,/srv/more/",
            "PEAVEY_KEEP_STOPPED": "1h",
            "PEAVEY_KEEP_UNDELIVERED": "2h",
            "PEAVEY_DISK_LIMIT": "1.5g",
            "PEAVEY_DISK_FREE": "20m",
            "PEAVEY_MAX_FOLLOWERS": "10",
            "PEAVEY_DELIVERY_WORKERS": "2",
            "PEAVEY_HTTP": "127.0.0.1:9464",
            "PEAVEY_HTTP_HOSTS": "logs.example.com, logs",
            "LOG_LEVEL": "Debug",
            "TZ": "Europe/Berlin",
            "PEAVEY_CONSOLE": "true",
            "PEAVEY_HTTP_TOKEN": "correct-horse-battery",
            "PEAVEY_HTTP_TLS_CERT": "/srv/cert.pem",
            "PEAVEY_HTTP_TLS_KEY": "/srv/key.pem",
            "HTTP_PROXY": "http://user:s3cret@proxy.example.com:3128",
            "HTTPS_PROXY": "proxy.example.com:3129",
            "NO_PROXY": "10.0.0.0/8, .example.com",
        }
        assert set(environ) == {setting.variable for setting in SETTINGS}
        assert load_settings({}, environ) == Settings(
            socket=Path("/srv/p.sock"),
            data=Path("/srv/peavey"),
            logging_dir=Path("/srv/logging"),
            log_opts={"max-size": "1m"},
            config=Path("/srv/peavey.yaml"),
            file_roots=(
                FileRoot("/srv/certs", writable=False),
                FileRoot("/srv/logs", writable=True),
                FileRoot("/srv/more", writable=True),
            ),
            keep_stopped=3600.0,
            keep_undelivered=7200.0,
            disk_limit=1_500_000_000,
            disk_free=20_000_000,
            max_followers=10,
            delivery_workers=2,
            http=ListenAddress("127.0.0.1", 9464),
            http_hosts=("logs.example.com", "logs"),
            console=True,
            http_token=Secret("correct-horse-battery"),
            http_tls_cert=Path("/srv/cert.pem"),
            http_tls_key=Path("/srv/key.pem"),
            log_level="debug",
            timezone="Europe/Berlin",
            http_proxy=Secret("http://user:s3cret@proxy.example.com:3128"),
            https_proxy=Secret("proxy.example.com:3129"),
            no_proxy="10.0.0.0/8, .example.com",
        )

    def test_a_flag_wins_over_its_variable(self) -> None:
        arguments = vars(parse("--data", "/flag", "--disk-limit", "2g", "--log-level", "ERROR"))
        settings = load_settings(arguments, {"PEAVEY_DATA": "/variable", "PEAVEY_DISK_FREE": "3g"})
        assert settings.data == Path("/flag")
        assert settings.disk_limit == 2_000_000_000
        assert settings.disk_free == 3_000_000_000
        assert settings.log_level == "error"

    def test_every_setting_has_a_flag(self) -> None:
        assert set(vars(parse())) == {setting.name for setting in SETTINGS}

    def test_variables_that_are_empty_count_as_not_set(self) -> None:
        assert load_settings({}, {setting.variable: "" for setting in SETTINGS}) == DEFAULTS

    def test_a_relative_path_is_made_absolute(self) -> None:
        assert load_settings({"data": "data"}, {}).data == Path.cwd() / "data"

    def test_a_command_may_need_but_some(self) -> None:
        assert set(vars(parse("--data", "/x", names=["data"]))) == {"data"}
        settings = load_settings({"data": "/x"}, {"PEAVEY_LOG_OPTS": "nonsense"}, names=["data"])
        assert settings.data == Path("/x")


class TestValues:
    @pytest.mark.parametrize("name", ["KEEP_STOPPED", "KEEP_UNDELIVERED", "DISK_LIMIT", "DISK_FREE"])
    def test_zero_switches_a_limit_off(self, name: str) -> None:
        settings = load_settings({}, {f"PEAVEY_{name}": "0"})
        assert getattr(settings, name.lower()) is None

    @pytest.mark.parametrize(
        ("variable", "value", "message"),
        [
            ("PEAVEY_DISK_LIMIT", "10x", "'10x' is not a size (examples: 512k, 20m, 1g)"),
            ("PEAVEY_KEEP_STOPPED", "7d", "'7d' is not a duration (examples: 500ms, 10s, 1m30s, 168h)"),
            ("PEAVEY_KEEP_STOPPED", "-1h", "'-1h' is too short (must not be negative)"),
            ("PEAVEY_MAX_FOLLOWERS", "0", "'0' is out of range (expected: a whole number from 1 to 100000)"),
            ("LOG_LEVEL", "warn", "'warn' is not one of debug, info, warning, error (did you mean 'warning'?)"),
            ("PEAVEY_HTTP", "9464", "'9464' has no port (examples: 127.0.0.1:9464, [::1]:9464)"),
            ("PEAVEY_HTTP", "web:9464", "'web' is not an IP address (examples: 127.0.0.1:9464, [::1]:9464)"),
            ("PEAVEY_HTTP", "127.0.0.1:0", "'0' is out of range (expected: a whole number from 1 to 65535)"),
            ("PEAVEY_HTTP", "127.0.0.1:x", "'x' is not a whole number from 1 to 65535"),
            (
                "PEAVEY_FILE_ROOTS",
                "/a,b:ro",
                "'b:ro' is not a folder by its absolute path, with :ro or :rw behind it if wanted",
            ),
            (
                "PEAVEY_FILE_ROOTS",
                "/a:rx",
                "'/a:rx' is not a folder by its absolute path, with :ro or :rw behind it if wanted",
            ),
            ("PEAVEY_DATA", "/a\0b", "'/a\\x00b' is not a path (it holds a NUL)"),
        ],
    )
    def test_a_bad_value_is_answered_with_what_is_accepted(self, variable: str, value: str, message: str) -> None:
        assert fault({variable: value}) == f"{variable}: {message}"

    @pytest.mark.parametrize("text", ["127.0.0.1:9464", "0.0.0.0:80", "[::1]:9464", "[::]:65535"])
    def test_an_address_reads_back(self, text: str) -> None:
        assert str(load_settings({}, {"PEAVEY_HTTP": text}).http) == text

    def test_an_ipv6_address_without_brackets_is_a_fault(self) -> None:
        assert fault({"PEAVEY_HTTP": "::1:9464"}).endswith(
            "(an IPv6 address stands in []; examples: 127.0.0.1:9464, [::1]:9464)"
        )

    def test_a_bad_flag_is_named_as_such(self) -> None:
        assert fault({}, {"disk_limit": "10x"}).startswith("--disk-limit: '10x' is not a size")

    def test_a_socket_whose_path_is_too_long_is_a_fault(self) -> None:
        assert "is too long for a socket (at most 107 bytes" in fault({"PEAVEY_SOCKET": "/" + "x" * 107})
        assert load_settings({}, {"PEAVEY_SOCKET": "/" + "x" * 106}).socket.name == "x" * 106

    def test_all_faults_are_reported_together(self) -> None:
        message = fault({"PEAVEY_DISK_LIMIT": "x", "PEAVEY_DISK_FREE": "y", "LOG_LEVEL": "z"}, {"keep_stopped": "w"})
        assert all(f"'{value}' is not" in message for value in "wxyz")

    @given(st.sampled_from(SETTINGS), st.text(min_size=1))
    def test_any_text_is_read_or_refused(self, setting: Setting[object], text: str) -> None:
        try:
            load_settings({}, {setting.variable: text})
        except SettingError as error:
            assert str(error).startswith(f"{setting.variable}: ")  # noqa: PT017 — most texts are fine for a path


class TestUnknownVariables:
    def test_one_that_looks_like_a_setting_is_warned_of(self) -> None:
        settings = load_settings({}, {"PEAVEY_DISKLIMIT": "1g", "PEAVEY_LOG_LEVEL": "debug", "DISK_LIMIT": "1g"})
        assert settings.warnings == (
            "unknown setting 'PEAVEY_DISKLIMIT' in the environment (did you mean 'PEAVEY_DISK_LIMIT'?)",
            "unknown setting 'PEAVEY_LOG_LEVEL' in the environment (did you mean 'LOG_LEVEL'?)",
        )

    def test_an_empty_one_is_not(self) -> None:
        assert load_settings({}, {"PEAVEY_X": ""}).warnings == ()


class TestLogOpts:
    @pytest.mark.parametrize(
        ("text", "log_opts"),
        [
            ("{}", {}),
            ('{"labels": "a,b"}', {"labels": "a,b"}),
            ('{"max-file": 3, "compress": false}', {"max-file": "3", "compress": "false"}),
            (' {"tag": "{{.Name}}"}\n', {"tag": "{{.Name}}"}),
        ],
    )
    def test_they_are_a_json_object(self, text: str, log_opts: dict[str, str]) -> None:
        assert load_settings({}, {"PEAVEY_LOG_OPTS": text}).log_opts == log_opts

    def test_they_may_be_in_a_file_so_that_secrets_show_nowhere(self, tmp_path: Path) -> None:
        (tmp_path / "opts").write_text('{"tag": "x"}')
        assert load_settings({}, {"PEAVEY_LOG_OPTS": f"@{tmp_path}/opts"}).log_opts == {"tag": "x"}
        assert load_settings({"log_opts": f"@{tmp_path}/opts"}, {}).log_opts == {"tag": "x"}
        (tmp_path / "odd").write_bytes(b"\xff")
        (tmp_path / "large").write_text(" " * 1_100_000)
        for name, reason in (("none", "No such file"), ("odd", "not UTF-8"), ("large", "more than"), ("", "director")):
            assert reason in fault({"PEAVEY_LOG_OPTS": f"@{tmp_path}/{name}"})

    @given(st.dictionaries(st.text(), st.text()))
    def test_any_texts_read_back(self, log_opts: dict[str, str]) -> None:
        assert parse_defaults(json.dumps(log_opts)) == log_opts

    @given(st.dictionaries(st.text(), st.integers() | st.floats(allow_nan=False, allow_infinity=False)))
    def test_numbers_stand_for_their_own_text(self, log_opts: dict[str, float]) -> None:
        texts = {name: json.dumps(number) for name, number in log_opts.items()}
        assert parse_defaults(json.dumps(log_opts)) == texts

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("max-size=1m", "not JSON: Expecting value at character 1 (expected: {"),
            ('{"max-size": ', "not JSON: Expecting value at character 14 (expected: {"),
            ('["max-size"]', "JSON, but not an object (expected: {"),
            ('"max-size"', "JSON, but not an object (expected: {"),
            ("[" * 100_000, "JSON that is nested too deep (expected: {"),
            ('{"tag": null}', "the value of 'tag' is not a text, a number, true or false"),
            ('{"tag": {"a": "b"}}', "the value of 'tag' is not a text, a number, true or false"),
            ('{"tag": ["a"]}', "the value of 'tag' is not a text, a number, true or false"),
            ('{"tag": "a", "tag": "b"}', "'tag' is there twice"),
        ],
    )
    def test_anything_else_is_a_fault(self, text: str, message: str) -> None:
        assert fault({"PEAVEY_LOG_OPTS": text}).startswith(f"PEAVEY_LOG_OPTS: {message}")

    def test_each_fault_in_them_is_reported_as_one_of_the_setting(self) -> None:
        assert fault({"PEAVEY_LOG_OPTS": '{"max-szie": "1m", "max-file": 0}'}) == (
            "PEAVEY_LOG_OPTS: unknown log-opt 'max-szie' (did you mean 'max-size'?); "
            "PEAVEY_LOG_OPTS: log-opt 'max-file': '0' is out of range (expected: a whole number of at least 1)"
        )

    def test_they_do_not_show_in_the_settings_text_since_they_may_hold_secrets(self) -> None:
        assert "{{.Name}}" not in repr(load_settings({}, {"PEAVEY_LOG_OPTS": '{"tag": "{{.Name}}"}'}))

    def test_a_fault_in_their_json_does_not_show_them(self) -> None:
        assert "t0ken" not in fault({"PEAVEY_LOG_OPTS": '{"splunk-token": "t0ken'})


class TestDescriptions:
    @pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
    def test_the_help_of_a_flag_says_variable_and_default(self, setting: Setting[object]) -> None:
        parser = argparse.ArgumentParser()
        add_arguments(parser)
        text = " ".join(parser.format_help().split())
        assert f"{setting.flag} VALUE" in text
        assert f"{setting.variable}; default: {setting.default or 'none'})" in text

    def test_the_page_of_the_documentation_is_up_to_date(self) -> None:
        assert PAGE.read_text() == render_markdown(), "run: python -m plugin.config.settings_page > docs/settings.md"

    @pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
    def test_every_setting_is_on_the_page(self, setting: Setting[object]) -> None:
        default = f"`{setting.default}`" if setting.default else ""
        assert f"\n| `{setting.variable}` | `{setting.flag}` | {default} |" in render_markdown()


class TestManagedPlugin:
    def test_its_config_declares_the_variables_that_can_be_set_with_their_defaults(self) -> None:
        declared = {variable["name"]: variable for variable in plugin_environment()}
        assert declared["PEAVEY_DISK_LIMIT"] == {
            "name": "PEAVEY_DISK_LIMIT",
            "description": next(setting.help for setting in SETTINGS if setting.name == "disk_limit"),
            "settable": ["value"],
            "value": "10g",
        }
        assert [name for name, variable in declared.items() if variable["settable"]] == [
            "PEAVEY_LOG_OPTS",
            "PEAVEY_CONFIG",
            "PEAVEY_FILE_ROOTS",
            "PEAVEY_KEEP_STOPPED",
            "PEAVEY_KEEP_UNDELIVERED",
            "PEAVEY_DISK_LIMIT",
            "PEAVEY_DISK_FREE",
            "PEAVEY_MAX_FOLLOWERS",
            "PEAVEY_DELIVERY_WORKERS",
            "PEAVEY_HTTP",
            "PEAVEY_HTTP_HOSTS",
            "PEAVEY_CONSOLE",
            "PEAVEY_HTTP_TOKEN",
            "PEAVEY_HTTP_TLS_CERT",
            "PEAVEY_HTTP_TLS_KEY",
            "LOG_LEVEL",
            "TZ",
            "HTTP_PROXY",
            "HTTPS_PROXY",
            "NO_PROXY",
            *CLOUD_VARIABLES,
        ]

    def test_its_data_folder_is_fixed_beneath_the_folder_that_survives_upgrades(self) -> None:
        (data,) = [variable for variable in plugin_environment() if variable["name"] == "PEAVEY_DATA"]
        assert (data["settable"], data["value"]) == ([], "/run/docker/logging/peavey")

    def test_its_config_leads_to_settings_that_are_accepted(self) -> None:
        environ = {str(variable["name"]): str(variable["value"]) for variable in plugin_environment()}
        settings = load_settings({}, environ)
        assert settings.data == Path("/run/docker/logging/peavey")
        assert settings.warnings == ()


class TestWritten:
    def test_a_flag_then_a_variable_then_the_default_is_shown(self) -> None:
        written = written_settings({"disk_limit": "2g"}, {"PEAVEY_DISK_LIMIT": "1g", "PEAVEY_DISK_FREE": "20m"})
        assert "PEAVEY_DISK_LIMIT=2g PEAVEY_DISK_FREE=20m PEAVEY_MAX_FOLLOWERS=1000" in written
        assert written.endswith(
            "PEAVEY_HTTP=none PEAVEY_HTTP_HOSTS=none PEAVEY_CONSOLE=false PEAVEY_HTTP_TOKEN=none"
            " PEAVEY_HTTP_TLS_CERT=none PEAVEY_HTTP_TLS_KEY=none"
            " LOG_LEVEL=info TZ=none HTTP_PROXY=none HTTPS_PROXY=none NO_PROXY=none"
        )

    def test_a_proxy_is_not_shown(self) -> None:
        written = written_settings({}, {"HTTPS_PROXY": "http://user:s3cret@proxy.example.com"})
        assert "HTTPS_PROXY=*** " in written
        assert "s3cret" not in written

    def test_log_opts_are_named_without_their_values(self) -> None:
        environ = {"PEAVEY_LOG_OPTS": '{"splunk-token": "s3cret", "max-size": "1m"}'}
        written = written_settings({}, environ)
        assert "PEAVEY_LOG_OPTS=max-size,splunk-token " in written
        assert "s3cret" not in written

    def test_it_is_one_line(self) -> None:
        assert "\n" not in written_settings({}, {"PEAVEY_DATA": "/srv/a\nb"})
