"""Tests of reading the environment."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from environ import FileAwareEnv
from environ.fileaware_mapping import FileAwareMapping

from loyalty_site.env import Environment, only_local

pytestmark = pytest.mark.once


@pytest.fixture
def given(monkeypatch):
    """An environment of one's own, which starts empty."""
    variables = {}
    monkeypatch.setattr(FileAwareEnv, "ENVIRON", FileAwareMapping(variables))
    return variables


@pytest.fixture
def env(given):
    return Environment()


def refusal(read, *arguments, **options):
    with pytest.raises(ImproperlyConfigured) as caught:
        read(*arguments, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_blank_counts_as_unset(env, given):
    given["NAME"] = "  "
    assert env.text("NAME", default="x") == "x"


def test_secret_comes_from_a_file(env, given, tmp_path):
    (tmp_path / "secret").write_text("from-a-file\n")
    given["KEY_FILE"] = str(tmp_path / "secret")
    assert env.text("KEY") == "from-a-file"


def test_missing_file_of_a_secret_is_named(env, given):
    given["KEY_FILE"] = "/nowhere/secret"
    message = refusal(env.text, "KEY")
    assert "KEY_FILE" in message
    assert "/nowhere/secret" in message


def test_value_that_looks_like_a_reference_is_taken_as_it_is(env, given):
    given["KEY"] = "$ecret"
    assert env.text("KEY") == "$ecret"


def test_missing_variable_is_named_with_its_mend(env):
    assert refusal(env.required, "KEY", mend="Set it.") == "KEY is not set. Set it."


@pytest.mark.parametrize(
    ("word", "value"), [("1", True), ("Yes", True), ("off", False), ("FALSE", False)]
)
def test_flag(env, given, word, value):
    given["FLAG"] = word
    assert env.flag("FLAG", default=not value) is value


def test_misspelt_flag_is_refused_rather_than_false(env, given):
    given["FLAG"] = "ture"
    assert "'ture'" in refusal(env.flag, "FLAG", default=False)


@pytest.mark.parametrize("word", ["ten", "-1", "1.5", "1_000", "٣", "0"])
def test_anything_but_a_whole_number_is_refused(env, given, word):
    given["NUMBER"] = word
    assert "NUMBER" in refusal(env.integer, "NUMBER", default=5, least=1)


def test_list(env, given):
    given["NAMES"] = " a, ,b "
    assert env.names_in("NAMES") == ["a", "b"]


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com",
        "http://localhost:9000",
        "http://127.0.0.1:9000",
        "http://[::1]:9000",
    ],
)
def test_url_that_keeps_a_secret(env, given, url):
    given["URL"] = f"{url}/"
    assert env.https_url("URL", default="") == url


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com",
        "http://127.0.0.1.example.com",
        "http://localhost@example.com",
        "ftp://localhost",
        "https://",
        "api.example.com",
    ],
)
def test_url_that_would_show_a_secret_is_refused(env, given, url):
    given["URL"] = url
    assert "URL" in refusal(env.https_url, "URL", default="")


def test_environment_wins_over_a_file(env, given, tmp_path):
    given["BOTH"] = "environment"
    (tmp_path / "file").write_text("BOTH=file\nONLY=file\n")
    env.load(tmp_path / "file")
    assert (env.text("BOTH"), env.text("ONLY")) == ("environment", "file")


def test_names_are_remembered(env):
    env.text("A")
    env.flag("B", default=True)
    assert env.names == {"A", "B"}


def test_local_hosts():
    assert only_local(["localhost", "127.0.0.1", "[::1]", "*"])
    assert not only_local(["localhost", "rewards.example.com"])
