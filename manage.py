#!/usr/bin/env python
"""Django's command line."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import OperationalError, ProgrammingError


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loyalty_site.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.stderr.write(f"Refusing to start. {error}\n")
        sys.exit(2)
    except (OperationalError, ProgrammingError) as error:
        if "--traceback" in sys.argv:
            raise
        said = str(error).splitlines()[0]
        sys.stderr.write(f"The database can't do that: {said}\n")
        sys.stderr.write("Is DATABASE_URL right, and has `migrate` been run?\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
