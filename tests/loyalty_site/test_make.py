"""Tests of what `make run` makes up once."""

import stat
import subprocess

import pytest

from tests.example import ROOT
from tests.processes import run_manage

pytestmark = pytest.mark.once


@pytest.fixture
def run_env(tmp_path):
    def make():
        command = ["make", "--silent", f"DATA_DIR={tmp_path}", f"{tmp_path}/run.env"]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        return tmp_path / "run.env"

    return make


def test_secrets_are_made_once_for_this_user_alone(run_env):
    first = run_env().read_text()
    assert stat.S_IMODE(run_env().stat().st_mode) == 0o600
    assert run_env().read_text() == first


def test_a_second_terminal_agrees_with_it(run_env):
    data_dir = run_env().parent
    assert run_manage("check", data_dir=data_dir).returncode == 0


def test_every_target_is_explained():
    listed = subprocess.run(
        ["make"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    for target in ("run", "test", "lint", "types", "check", "ci", "lock", "clean"):
        assert f"\n{target} " in f"\n{listed}"


def sandbox_env(data_dir):
    """The variables of run.env, after `make run` has looked after the sandbox."""
    command = ["make", "--silent", f"DATA_DIR={data_dir}", "sandbox-env"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    lines = (data_dir / "run.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def test_it_talks_to_a_sandbox_of_this_machine(tmp_path):
    first = sandbox_env(tmp_path)
    assert stat.S_IMODE((tmp_path / "run.env").stat().st_mode) == 0o600
    assert first["BUTTON_API_URL"].startswith("http://127.0.0.1:80")
    assert first["BUTTON_OFFERS_URL"] == first["BUTTON_API_URL"]
    assert first["BUTTON_LINK_URL"] == first["BUTTON_API_URL"]
    assert first["BUTTON_API_KEY"].startswith("sk-")
    assert first["BUTTON_ORGANIZATION_ID"].startswith("org-")
    assert sandbox_env(tmp_path) == first


def test_an_older_one_gets_what_it_lacks(tmp_path):
    given = "SECRET_KEY=x\nBUTTON_ORGANIZATION_ID=org-mine\n"
    (tmp_path / "run.env").write_text(given)
    found = sandbox_env(tmp_path)
    assert (tmp_path / "run.env").read_text().startswith(given)
    assert found["BUTTON_ORGANIZATION_ID"] == "org-mine"
    assert found["BUTTON_API_KEY"].startswith("sk-")


@pytest.mark.parametrize(
    "line", ["BUTTON_API_KEY=sk-mine", "BUTTON_API_URL=https://api.usebutton.com"]
)
def test_who_talks_to_button_already_goes_on(tmp_path, line):
    given = f"SECRET_KEY=x\n{line}\n"
    (tmp_path / "run.env").write_text(given)
    sandbox_env(tmp_path)
    assert (tmp_path / "run.env").read_text() == given
