"""Tests of exit codes and streams, as a shell sees them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.example import ROOT
from tests.processes import environment, run, run_manage

pytestmark = pytest.mark.slow

WRONG = [
    ["create_api_key"],
    ["create_api_key", ""],
    ["program"],
    ["program", "lint", "now"],
    ["program", "backtest", "--start", "tomorrow"],
    ["program", "import"],
    ["program", "import", "/nowhere/program.json"],
    ["program", "export", "/nowhere/program.json"],
    ["program", "publish", "--at", "tomorrow"],
    ["program", "publish", "now"],
    ["verify_ledger", "everything"],
]
# Each of these in a process of its own would take a minute.
RUN_EACH = """
import io, json, os, sys
from contextlib import redirect_stderr, redirect_stdout
from django.core.management import execute_from_command_line

os.environ["DJANGO_SETTINGS_MODULE"] = "loyalty_site.settings"
done = []
for arguments in json.loads(sys.argv[1]):
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        try:
            code = execute_from_command_line(["manage.py", *arguments])
        except SystemExit as exit:
            code = exit.code
    done.append([arguments, code, out.getvalue(), err.getvalue()])
print(json.dumps(done))
"""


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a server of its own keeps its database, migrated."""
    directory = tmp_path_factory.mktemp("commands")
    done = run_manage("migrate", "--verbosity=0", data_dir=directory, DEBUG="1")
    assert done.returncode == 0, done.stderr
    return directory


def test_wrong_use_exits_2(data_dir):
    done = run("-c", RUN_EACH, json.dumps(WRONG), data_dir=data_dir, DEBUG="1")
    results = json.loads(done.stdout)
    assert len(results) == len(WRONG), done.stderr
    for arguments, code, out, err in results:
        assert (code, out) == (2, ""), (arguments, out, err)
        assert err.strip(), arguments


def test_a_wrong_program_exits_1_with_plain_lines(data_dir, tmp_path):
    file = tmp_path / "program.json"
    file.write_text('{"format": 1, "rules": [{"key": "lamps"}]}')
    done = run_manage("program", "import", str(file), data_dir=data_dir, DEBUG="1")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[0] == 'rule "lamps": label: is missing'


def test_a_file_can_come_by_a_pipe(data_dir):
    done = subprocess.run(
        [sys.executable, "manage.py", "program", "import", "-"],
        input='{"format": 1}',
        env=environment(data_dir, DEBUG="1"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_verified_exits_0_with_each_count(data_dir):
    done = run_manage("verify_ledger", data_dir=data_dir, DEBUG="1")
    assert done.returncode == 0
    assert all(line.split()[0] == "0" for line in done.stdout.splitlines())
