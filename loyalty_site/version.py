"""The version, which the changelog alone states."""

import re
from pathlib import Path


def read_version(changelog: Path) -> str:
    """Return the newest release named in the changelog."""
    text = changelog.read_text(encoding="utf-8") if changelog.is_file() else ""
    found = re.search(r"^## \[?v?(\d+\.\d+\.\d+)", text, re.MULTILINE)
    return found[1] if found else "0.1.0"
