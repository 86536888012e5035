"""Tests of the settings that an environment results in, each in its own process."""

import json
import stat

import pytest

from loyalty_site.settings import env
from tests.example import documented_names
from tests.processes import run, run_manage

pytestmark = pytest.mark.once

SECRET = "A secret of more than fifty characters, as Django wants it."
PRODUCTION = {
    "SECRET_KEY": SECRET,
    "ALLOWED_HOSTS": "rewards.example.com",
    "DATABASE_URL": "postgres://loyalty:pw@db.example.com/loyalty",
    "BUTTON_WEBHOOK_SECRETS": "one, two",
    "TRUST_PROXY": "true",
}
PRINT = """
import json, sys
from django.conf import settings
values = {name: getattr(settings, name) for name in sys.argv[1:]}
print(json.dumps(values, default=str))
"""


def read(*names, data_dir, **variables):
    variables["DJANGO_SETTINGS_MODULE"] = "loyalty_site.settings"
    done = run("-c", PRINT, *names, data_dir=data_dir, **variables)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refusal(data_dir, **variables):
    done = run_manage("check", data_dir=data_dir, **variables)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_example_names_every_variable_that_is_read():
    assert documented_names() == env.names


def test_production(tmp_path):
    expected = {
        "DEBUG": False,
        "DEMO": False,
        "ALLOWED_HOSTS": ["rewards.example.com"],
        "USE_X_FORWARDED_HOST": False,
        "SECURE_PROXY_SSL_HEADER": ["HTTP_X_FORWARDED_PROTO", "https"],
        "SECURE_SSL_REDIRECT": True,
        "SECURE_HSTS_SECONDS": 31536000,
        "SECURE_HSTS_INCLUDE_SUBDOMAINS": True,
        "SECURE_HSTS_PRELOAD": False,
        "SECURE_CONTENT_TYPE_NOSNIFF": True,
        "SECURE_REFERRER_POLICY": "same-origin",
        "SECURE_CROSS_ORIGIN_OPENER_POLICY": "same-origin",
        "X_FRAME_OPTIONS": "DENY",
        "SESSION_COOKIE_NAME": "__Host-session",
        "SESSION_COOKIE_SECURE": True,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_DOMAIN": None,
        "SESSION_ENGINE": "django.contrib.sessions.backends.db",
        "CSRF_COOKIE_NAME": "__Host-csrf",
        "CSRF_COOKIE_SECURE": True,
        "CSRF_COOKIE_HTTPONLY": True,
        "CSRF_TRUSTED_ORIGINS": [],
        "PUBLISH_MARGIN": 300,
        "MAX_WEBHOOK_BYTES": 8388608,
        "MEMBERS_AUTO_ENROLL": True,
        "REWARD_NEW_ACCOUNTS": True,
        "REQUIRE_BACKTEST": False,
        "REQUIRE_APPROVAL": False,
        "BUTTON_API_URL": "https://api.usebutton.com",
        "BUTTON_OFFERS_URL": "https://pubapi.usebutton.com",
        "BUTTON_LINK_URL": "https://r.bttn.io",
        "BUTTON_API_KEY": "",
        "BUTTON_WEBHOOK_SECRETS": ["one", "two"],
        "DIGEST_KEY": SECRET,
        "CELERY_ACCEPT_CONTENT": ["json"],
        "CELERY_TASK_ACKS_LATE": True,
        "CELERY_TASK_REJECT_ON_WORKER_LOST": True,
        "CELERY_WORKER_PREFETCH_MULTIPLIER": 1,
    }
    found = read(*expected, data_dir=tmp_path, **PRODUCTION)
    assert found == expected


def test_production_passes_the_deploy_checks(tmp_path):
    done = run_manage(
        "check",
        "--deploy",
        "--fail-level=WARNING",
        data_dir=tmp_path,
        **PRODUCTION,
    )
    assert done.returncode == 0, done.stderr


def test_postgresql_options(tmp_path):
    [database] = read("DATABASES", data_dir=tmp_path, **PRODUCTION)[
        "DATABASES"
    ].values()
    assert "lock_timeout=2s" in database["OPTIONS"]["options"]
    assert "idle_in_transaction_session_timeout=15s" in database["OPTIONS"]["options"]
    assert (database["CONN_MAX_AGE"], database["CONN_HEALTH_CHECKS"]) == (60, True)
    assert database["HOST"] == "db.example.com"


def test_a_url_cannot_loosen_sqlite(tmp_path):
    url = f"sqlite:///{tmp_path}/x.sqlite3?transaction_mode=DEFERRED&timeout=0"
    [database] = read("DATABASES", data_dir=tmp_path, SECRET_KEY="x", DATABASE_URL=url)[
        "DATABASES"
    ].values()
    assert database["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert database["OPTIONS"]["timeout"] == 20


def test_defaults_suit_this_machine(tmp_path):
    found = read(
        *("HTTPS", "SESSION_COOKIE_NAME", "SECURE_HSTS_SECONDS", "ALLOWED_HOSTS"),
        data_dir=tmp_path,
        SECRET_KEY="x",
    )
    assert found == {
        "HTTPS": False,
        "SESSION_COOKIE_NAME": "session",
        "SECURE_HSTS_SECONDS": 0,
        "ALLOWED_HOSTS": ["localhost", "127.0.0.1", "[::1]"],
    }


def test_hard_limit_is_below_the_visibility_timeout(tmp_path):
    names = (
        "CELERY_TASK_SOFT_TIME_LIMIT",
        "CELERY_TASK_TIME_LIMIT",
        "CELERY_BROKER_TRANSPORT_OPTIONS",
    )
    soft, hard, transport = read(*names, data_dir=tmp_path, SECRET_KEY="x").values()
    assert soft < hard < transport["visibility_timeout"]


def test_digests_outlive_a_new_secret_key(tmp_path):
    found = read("DIGEST_KEY", data_dir=tmp_path, SECRET_KEY="new", DIGEST_KEY="old")
    assert found == {"DIGEST_KEY": "old"}


def test_what_make_run_made_up_is_read_but_the_environment_wins(tmp_path):
    (tmp_path / "run.env").write_text("SECRET_KEY=made-up\nPUBLISH_MARGIN=0\n")
    names = ("SECRET_KEY", "PUBLISH_MARGIN")
    assert read(*names, data_dir=tmp_path, PUBLISH_MARGIN="7") == {
        "SECRET_KEY": "made-up",
        "PUBLISH_MARGIN": 7,
    }


def test_data_directory_is_private(tmp_path):
    read("DATA_DIR", data_dir=tmp_path / "var", SECRET_KEY="x")
    assert stat.S_IMODE((tmp_path / "var").stat().st_mode) == 0o700


def test_missing_secret_stops_start_up(tmp_path):
    assert "SECRET_KEY is not set" in refusal(tmp_path)


def test_debugging_needs_no_secret(tmp_path):
    assert run_manage("check", data_dir=tmp_path, DEBUG="true").returncode == 0


@pytest.mark.parametrize("name", ["DEBUG", "DEMO"])
def test_what_lets_strangers_in_is_refused_with_a_public_host(tmp_path, name):
    hosts = "localhost,rewards.example.com"
    message = refusal(
        tmp_path, **{"SECRET_KEY": "x", "ALLOWED_HOSTS": hosts, name: "true"}
    )
    assert f"turn {name} off" in message


def test_plain_http_to_button_is_refused(tmp_path):
    url = "http://api.usebutton.com"
    message = refusal(tmp_path, SECRET_KEY="x", BUTTON_API_URL=url)
    assert "BUTTON_API_URL" in message


@pytest.mark.parametrize("url", ["mysql://localhost/x", "nonsense", "postgres://h:x/"])
def test_other_databases_are_refused(tmp_path, url):
    assert "DATABASE_URL" in refusal(tmp_path, SECRET_KEY="x", DATABASE_URL=url)


def test_demo_is_refused_where_any_host_leads_here(tmp_path):
    given = {"DEMO": "true", "ALLOWED_HOSTS": "*", "SECRET_KEY": "x" * 50}
    done = run_manage("check", data_dir=tmp_path, **given)
    assert done.returncode == 2
    assert "DEMO lets strangers in" in done.stderr


def test_a_database_that_cannot_be_reached_is_one_sentence(tmp_path):
    given = {"SECRET_KEY": "x" * 50, "DATABASE_URL": "postgres://u:p@127.0.0.1:1/x"}
    done = run_manage("verify_ledger", data_dir=tmp_path, **given)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "DATABASE_URL" in done.stderr
