"""Tests of the rules that keep the packages apart and the code small."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ("merchants", "rewards", "ingestion", "loyalty_site")  # a package sees earlier
TOP_LEVEL = {
    *LAYERS,
    *("templates", "locale", "tests", "benchmarks", "docs", ".ci", ".github"),
    *("manage.py", "Makefile", "pyproject.toml", "package.json", "package-lock.json"),
    *("Dockerfile", "docker-compose.yml", ".dockerignore"),
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE"),
    *(".env.example", ".editorconfig", ".gitignore", ".pre-commit-config.yaml"),
    *(
        f"requirements{kind}.{end}"
        for kind in ("", "-dev", "-embedded")
        for end in ("in", "txt")
    ),
}
NOT_OURS = {
    *(".git", ".venv", "var", ".env", "node_modules", "__pycache__"),
    *(".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis"),
}
WIRE_NAMES = re.compile(
    r"\b(?:publisher_customer_id|button_order_id|button_id|commerce_organization"
    r"|publisher_organization|order_line_items|publisher_commission|btn_ref|btn_pub_ref"
    r"|btn_pub_user|modified_date|attribution_date|validated_date)\b"
)
KNOW_THE_WIRE = ("ingestion/button/", "merchants/links.py")
NAMES_THAT_SAY_NOTHING = {
    *("utils.py", "helpers.py", "services.py", "selectors.py", "signals.py"),
    *("common.py", "core.py", "constants.py"),
}


def find_modules(*packages: str) -> list[Path]:
    return [
        path for package in packages for path in sorted((ROOT / package).rglob("*.py"))
    ]


def find_sources() -> list[Path]:
    """The packages' modules, but for what Django generates."""
    return [path for path in find_modules(*LAYERS) if "migrations" not in path.parts]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def find_references(text: str) -> Iterator[str]:
    """Dotted names that a module imports, or holds in a string of nothing else."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield from (f"{module}.{alias.name}" for alias in names)
            case ast.Constant(value=str(value)) if re.fullmatch(r"[\w.]+", value):
                yield value


def find_upward(text: str, package: str) -> list[str]:
    above = LAYERS[LAYERS.index(package) + 1 :]
    return [name for name in find_references(text) if name.split(".")[0] in above]


def find_functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def count_lines(function: ast.stmt) -> int:
    return (function.end_lineno or 0) - function.lineno + 1


@pytest.mark.parametrize(
    "line",
    [
        "import ingestion.models",
        "from ingestion import models",
        "def late():\n    from ingestion.models import Event",
        "if TYPE_CHECKING:\n    from loyalty_site.celery import app",
        "models.ForeignKey('ingestion.Event', models.PROTECT)",
        "dependencies = [('ingestion', '0001_initial')]",
        "import_string('loyalty_site.health.readyz')",
    ],
)
def test_an_upward_reference_is_seen(line):
    assert find_upward(line, "rewards")


@pytest.mark.parametrize("line", ["import merchants", "'rewards.Member'", "'a b.c'"])
def test_a_downward_reference_is_allowed(line):
    assert not find_upward(line, "rewards")


@pytest.mark.parametrize("package", LAYERS)
def test_imports_run_downward_only(package):
    faults = {
        name_of(path): names
        for path in find_modules(package)
        if (names := find_upward(path.read_text(encoding="utf-8"), package))
    }
    assert not faults


def test_only_ingestion_knows_the_button_adapter():
    outside = [path for path in find_modules(*LAYERS) if "ingestion" not in path.parts]
    faults = [
        name_of(path)
        for path in outside
        for name in find_references(path.read_text(encoding="utf-8"))
        if f"{name}.".startswith("ingestion.button.")
    ]
    assert not faults


def test_the_wire_names_of_button_stay_in_the_adapter():
    paths = [*find_modules(*LAYERS), *(ROOT / "templates").rglob("*.*")]
    faults = {
        name_of(path): found
        for path in paths
        if not name_of(path).startswith(KNOW_THE_WIRE)
        and (found := set(WIRE_NAMES.findall(path.read_text(encoding="utf-8"))))
    }
    assert not faults


def test_rewards_never_counts_in_floats():
    faults = [
        f"{name_of(path)}:{node.lineno}"
        for path in find_modules("rewards")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "float"
    ]
    assert not faults


def test_no_module_is_over_500_lines():
    lengths = {
        name_of(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in [*find_sources(), *find_modules("tests", "benchmarks")]
    }
    assert not {name: length for name, length in lengths.items() if length > 500}


def test_no_function_is_over_60_lines():
    lengths = {
        f"{name_of(path)}:{function.name}": (function.end_lineno or 0)
        - function.lineno
        + 1
        for path in find_sources()
        for function in find_functions(path)
    }
    assert not {name: length for name, length in lengths.items() if length > 60}


def test_every_module_says_what_it_is_for():
    faults = [
        name_of(path)
        for path in [*find_sources(), *find_modules("tests", "benchmarks")]
        if (tree := ast.parse(path.read_text(encoding="utf-8"))).body
        and not ast.get_docstring(tree)
    ]
    assert not faults


def test_no_module_has_a_name_that_says_nothing():
    names = {path.name for path in find_sources()}
    assert not names & NAMES_THAT_SAY_NOTHING


def test_the_top_level_is_fixed():
    found = {path.name for path in ROOT.iterdir()}
    assert not found - NOT_OURS - TOP_LEVEL
