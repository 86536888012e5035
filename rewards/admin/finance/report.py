"""One finance report: what it shows, and a file with all of it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from django import forms

from merchants.admin.tables import Table
from rewards.admin.charts import Chart, Lines

Row = Sequence[str | int | Decimal]


@dataclass(frozen=True)
class Report:
    """One report; ``rows`` give the file, a head first."""

    title: str
    explanation: str
    name: str
    rows: Callable[[], Iterator[Row]]
    form: forms.Form | None = None
    lines: Sequence[Lines] = ()
    charts: Sequence[Chart] = ()
    tables: Sequence[Table] = field(default=())
