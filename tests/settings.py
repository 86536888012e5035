"""The shipped settings under an environment of the suite's own, never a developer's."""

import atexit
import os
import shutil
import tempfile

SCRATCH = tempfile.mkdtemp(prefix="loyalty-tests-")
atexit.register(shutil.rmtree, SCRATCH, ignore_errors=True)

KEPT = {"DATABASE_URL", "DATABASE_URL_FILE"}
GIVEN = {
    "DATA_DIR": SCRATCH,
    "ENV_FILE": os.devnull,
    "SECRET_KEY": "tests-" + "x" * 50,
    "BUTTON_WEBHOOK_SECRETS": "tests-webhook-secret",
}


def isolate() -> None:
    """Forget whatever the shell has set for the server, but for the database."""
    from tests.example import documented_names

    for name in documented_names() - KEPT:
        os.environ.pop(name, None)
        os.environ.pop(f"{name}_FILE", None)
    os.environ.update(GIVEN)


isolate()

from loyalty_site.settings import *  # noqa: E402, F403

# Argon2 is slow on purpose, which tests that only sign in needn't pay for.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

LOGGING_CONFIG = None  # pytest shows what a failing test has logged
