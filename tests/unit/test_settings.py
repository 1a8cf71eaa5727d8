"""Settings: where a value comes from, and what a bad one gets."""

from pathlib import Path
from typing import Any

import pytest

from lambent.errors.families import SettingsError
from lambent.settings import Settings, default_data_dir, load_settings, options, why_not_obeyed


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder: a lambent.toml of the checkout would decide otherwise."""
    monkeypatch.chdir(tmp_path)


def load(
    given: dict[str, Any] | None = None, environ: dict[str, str] | None = None, toml: str | None = None
) -> Settings:
    if toml is not None:
        Path("lambent.toml").write_text(toml)
    return load_settings(given or {}, environ or {})


def refusal(**sources: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        load(**sources)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_defaults_are_those_of_the_table() -> None:
    """Without any source every option has its default."""
    settings = load()
    for option in options():
        assert getattr(getattr(settings, option.section), option.name) == option.default


def test_every_section_is_read() -> None:
    """An option of each, which its section has."""
    given = {
        "port": "1",
        "data_dir": "/d",
        "environments_max": "7",
        "account": "111122223333",
        "trail_max_mib": "9",
        "traces_max_mib": "11",
        "usage_records_days": "12",
        "embedded_max_mib": "13",
    }
    sections = {option.section for option in options()}
    assert {option.section for option in options() if option.name in given} == sections
    settings = load(given=given)
    for option in options():
        if option.name in given:
            assert str(getattr(getattr(settings, option.section), option.name)) == given[option.name]


def test_the_command_line_wins_over_environment_over_file_over_default() -> None:
    """Each source hides those that follow it, and only for the options that it gives."""
    toml = "port = 1\nenvironments-max = 1\nregion = 'eu-west-1'\n"
    settings = load({"port": "3"}, {"LAMBENT_PORT": "2", "LAMBENT_ENVIRONMENTS_MAX": "2"}, toml)
    assert (settings.server.port, settings.sandbox.environments_max, settings.api.region) == (3, 2, "eu-west-1")
    assert settings.api.account == "000000000000"


def test_option_names_are_unique_and_give_flag_and_variable() -> None:
    """Options are flat: one name, one flag, one variable."""
    names = [option.name for option in options()]
    assert len(set(names)) == len(names)
    data_dir = next(option for option in options() if option.name == "data_dir")
    assert (data_dir.flag, data_dir.variable) == ("--data-dir", "LAMBENT_DATA_DIR")


def test_the_file_takes_names_with_dashes_and_with_underscores() -> None:
    """Both spellings of a name mean the same."""
    assert load(toml="data-dir = '/a'").data.data_dir == Path("/a")
    assert load(toml="data_dir = '/b'").data.data_dir == Path("/b")


def test_lambent_config_names_another_file(tmp_path: Path) -> None:
    """The file may be anywhere; one that was named has to exist."""
    (tmp_path / "other.toml").write_text("port = 7")
    assert load(environ={"LAMBENT_CONFIG": str(tmp_path / "other.toml")}).server.port == 7
    assert "LAMBENT_CONFIG: " in refusal(environ={"LAMBENT_CONFIG": "/nowhere.toml"})


@pytest.mark.parametrize(("text", "expected"), [("true", True), ("ON", True), ("1", True), ("no", False), ("0", False)])
def test_booleans_in_the_environment(text: str, expected: bool) -> None:
    """The usual words for true and false are understood."""
    assert load(environ={"LAMBENT_ACCEPT_INERT": text}).api.accept_inert is expected


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ({"given": {"port": "abc"}}, "--port: 'abc' is not a whole number"),
        ({"environ": {"LAMBENT_PORT": "abc"}}, "LAMBENT_PORT: 'abc' is not a whole number"),
        ({"toml": "port = 'abc'"}, "lambent.toml: port: 'abc' is not a whole number"),
        ({"toml": "port = 45.66"}, "lambent.toml: port: 45.66 is not a whole number"),
        ({"toml": "port = true"}, "lambent.toml: port: True is not a whole number"),
        ({"toml": "region = 7"}, "lambent.toml: region: 7 is not text"),
        ({"toml": "data-dir = 7"}, "lambent.toml: data_dir: 7 is not a path"),
        ({"environ": {"LAMBENT_DATA_DIR": ""}}, "LAMBENT_DATA_DIR: '' is not a path"),
        ({"given": {"data_dir": "~no-such-user-here/x"}}, "--data-dir: '~no-such-user-here/x' is not a path"),
        ({"environ": {"LAMBENT_INSECURE": "maybe"}}, "LAMBENT_INSECURE: 'maybe' is not true or false"),
        ({"toml": "prot = 1"}, "lambent.toml: there is no setting 'prot'; `lambent serve --help` lists them"),
        ({"given": {"port": "70000"}}, "--port: 70000 is not between 0 and 65535"),
        ({"given": {"environment_idle_s": "nan"}}, "--environment-idle-s: nan is not between 0.1 and 86400"),
        ({"given": {"account": "12"}}, "--account: '12' is not twelve digits"),
        ({"given": {"region": ""}}, "--region: '' is not a region name"),
        (
            {"given": {"concurrent_executions": 0}},
            "--concurrent-executions: 0 is not between 1 and 1000000",
        ),
        ({"given": {"runtime_fallback": "far"}}, "--runtime-fallback: 'far' is neither none nor nearest"),
        (
            {"given": {"sandbox": "oci"}},
            "--sandbox: 'oci' is not offered by this version; use auto, namespace, rootless or process",
        ),
        ({"given": {"tls": "on"}}, "--tls: 'on' is neither off nor self-signed; --tls-cert names a certificate"),
        (
            {"given": {"tls": "self-signed", "tls_cert": "c", "tls_key": "k"}},
            "--tls: self-signed makes a certificate of its own; leave it or --tls-cert out",
        ),
        ({"given": {"tls_cert": "c"}}, "--tls-cert: needs --tls-key, the private key of that certificate"),
        ({"given": {"tls_key": "k"}}, "--tls-key: needs --tls-cert, the certificate of that key"),
        ({"given": {"client_head_s": "0"}}, "--client-head-s: 0 is not between 0.1 and 3600"),
        ({"given": {"client_silence_s": "3601"}}, "--client-silence-s: 3601 is not between 0.1 and 3600"),
        ({"given": {"egress": "vpn"}}, "--egress: 'vpn' is neither auto, nat nor none"),
        ({"given": {"allow_host": "70000"}}, "--allow-host: '70000' is not a port between 1 and 65535"),
        (
            {"given": {"allow_net": "10.0.0.1/8"}},
            "--allow-net: '10.0.0.1/8' is not an IPv4 network such as 10.0.0.0/8: 10.0.0.1/8 has host bits set",
        ),
        (
            {"given": {"sandbox": "process", "egress": "none"}},
            "--egress: `process` cannot keep functions from the machine's own network",
        ),
        ({"given": {"sandbox": "rootless", "egress": "nat"}}, "--egress: `rootless` has no way to the internet"),
        (
            {"given": {"sandbox": "rootless", "allow_host": "80"}},
            "--allow-host: `rootless` has no way out of an environment",
        ),
        (
            {"given": {"sandbox": "namespace", "egress": "none", "allow_net": "10.0.0.0/8"}},
            "--allow-net: --egress none leaves no way out of an environment",
        ),
    ],
)
def test_a_value_that_does_not_fit_is_named(sources: dict[str, Any], expected: str) -> None:
    """The message says where the value came from, what it was and what was expected, in one line."""
    assert refusal(**sources) == expected


@pytest.mark.parametrize("content", [b"port = = 1", b"\xff\xfe"])
def test_a_file_that_is_no_toml_is_refused(content: bytes) -> None:
    """Broken TOML is the operator's to mend: the line names the file."""
    Path("lambent.toml").write_bytes(content)
    assert refusal().startswith("lambent.toml: ")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_on_loopback_any_key_will_do(host: str) -> None:
    """Addresses that only this machine reaches are safe without signatures, unless they are asked for."""
    assert not load({"host": host}).verifies_signatures
    assert load({"host": host, "auth": "required"}).verifies_signatures


@pytest.mark.parametrize("host", ["https://api.example.com", "a b", "é.example.com", "a:b", "a/b"])
def test_a_public_host_is_a_host(host: str) -> None:
    """What the Host header may have been, and nothing round it."""
    assert refusal(given={"public_host": host}).startswith("--public-host: ")
    for good in ("api.example.com", "api.example.com:8443", "[2001:db8::1]:4566"):
        assert load({"public_host": good}).access.public_host == (good,)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "127.example.com", "example.com"])
def test_beyond_loopback_signatures_are_verified(host: str) -> None:
    """Who listens for others without them has to say so; where both are said, they are verified."""
    assert load({"host": host}).verifies_signatures
    assert not load({"host": host, "insecure": True}).verifies_signatures
    assert load({"host": host, "insecure": True, "auth": "required"}).verifies_signatures


def test_a_user_without_a_home_gets_a_folder_where_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's nameless user can start the command line all the same."""

    def nowhere(cls: type[Path]) -> Path:
        raise RuntimeError

    monkeypatch.setattr("os.geteuid", lambda: 4711)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr(Path, "home", classmethod(nowhere))
    assert default_data_dir() == Path.cwd() / "lambent-data"


def test_a_network_that_cannot_be_had_is_asked_of_a_driver() -> None:
    """With `auto`, what can be obeyed depends on what is taken; what costs nothing is no reason to refuse."""
    closed = load({"egress": "none"}).sandbox
    assert why_not_obeyed(closed, "process").startswith("--egress: ")
    assert [why_not_obeyed(closed, driver) for driver in ("namespace", "rootless")] == ["", ""]
    opened = load({"sandbox": "process", "egress": "nat", "allow_host": "80"}).sandbox
    assert why_not_obeyed(opened, "process") == ""


def test_neighbours_are_a_table_in_the_file(tmp_path: Path) -> None:
    """Service to URL, as on the command line."""
    file = tmp_path / "lambent.toml"
    file.write_text('[neighbour]\ns3 = "http://127.0.0.1:9000"\nkms = "none"\n')
    found = load_settings({}, {"LAMBENT_CONFIG": str(file)}).neighbours.neighbour
    assert found == ("s3=http://127.0.0.1:9000", "kms=none")
    assert load_settings({"neighbour": ["s3=https://s3", "sns=http://[::1]:1"]}, {}).neighbours.neighbour[1] == (
        "sns=http://[::1]:1"
    )
    assert load_settings({"neighbour": ["sqs=http://q"]}, {}).neighbours.neighbour == ("sqs=http://q",)


@pytest.mark.parametrize(
    ("items", "reason"),
    [
        (["s3"], "is not of the form"),
        (["s3=ftp://s3"], "is not of the form"),
        (["s3=http://s3/path"], "is not of the form"),
        (["s3=http://user@s3"], "is not of the form"),
        (["S3=http://s3"], "is not of the form"),
        (["lambda=http://s3"], "lambda is answered by Lambent itself"),
        (["iam=http://s3"], "iam is answered by Lambent itself"),
        (["apigatewayv2=http://s3"], "apigatewayv2 is answered by Lambent itself"),
        (["sqs=none"], "sqs is answered by Lambent itself"),
        (["s3=http://a", "s3=http://b"], "s3 is named twice"),
    ],
)
def test_neighbours_that_cannot_be(items: list[str], reason: str) -> None:
    """A bad one stops the start, naming the setting."""
    with pytest.raises(SettingsError, match=f"--neighbour: .*{reason}"):
        load_settings({"neighbour": items}, {})


@pytest.mark.parametrize("text", ["[neighbour]\ns3 = 9000\n", '[allow-net]\na = "b"\n', '[file-system]\na = "/b"\n'])
def test_a_table_of_other_things_is_none(text: str, tmp_path: Path) -> None:
    """A number is no URL; and no other list has a name for each of its items."""
    file = tmp_path / "lambent.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match="is not a list"):
        load_settings({}, {"LAMBENT_CONFIG": str(file)})
