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
