"""Draw up the closes that are due, in the foreground and without a limit of time."""

from datetime import UTC, date, datetime, timedelta
from time import monotonic
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from ingestion import closing, sweeps
from ingestion.management.asking import client_or_refuse
from ingestion.models import Job
from rewards.closing import days
from rewards.closing.closes import draw_up
from rewards.closing.network import Answer
from rewards.leases import Busy, LeaseLost, hold
from rewards.refusals import Refused

LONGEST = timedelta(hours=2)  # of one day; after it workers may close days again


class Command(BaseCommand):
    help = (
        "Close every day that is over, as workers do, but however long a day takes:"
        " the first close of many transfers, or many days that were missed. A day is"
        " stored as a whole once it is done; stopped anywhere, run it again."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        due = list(days.closable(at=datetime.now(UTC)))
        if not due:
            self.stdout.write("No day is to be closed.")
            return
        job, _ = Job.objects.get_or_create(name=Job.CLOSES)
        try:
            with hold(job, length=LONGEST) as lease:
                for number, day in enumerate(due, 1):
                    self.close(day, f"{day}, {number} of {len(due)}")
                    lease.renew()
        except (Busy, LeaseLost):
            said = "A worker is closing days at this moment. Try again in five minutes."
            raise CommandError(said) from None

    def close(self, day: date, title: str) -> None:
        """Close one day, and say how long it took. Raises CommandError."""
        began = monotonic()
        with Console(stderr=True).status(f"{title}: asking Button") as status:
            network = self.network_of(day)
            status.update(f"{title}: working the figures out")
            try:
                close = draw_up(day, network=network, at=datetime.now(UTC))
            except Refused as refused:
                raise CommandError(f"{title}: {refused}") from None
        took = round(monotonic() - began)
        said = f"{title}: closed, {close.transfers} transfers, {took} s"
        self.stdout.write(said)
        self.stdout.flush()

    def network_of(self, day: date) -> Answer | str:
        """What Button says of the day; compares with it here. Raises CommandError."""
        found = closing.network_of(day, at=datetime.now(UTC))
        if found is not None:
            return found
        with client_or_refuse() as client:
            while sweeps.compare_next(client, at=datetime.now(UTC)):
                found = closing.network_of(day, at=datetime.now(UTC))
                if found is not None:
                    return found
        raise CommandError(
            f"{day} could not be compared with Button, or a worker does so just now:"
            " it is tried every hour. A day after the first try it is closed all the"
            " same; until then, run this again."
        )
