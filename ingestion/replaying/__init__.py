"""The whole history settled once more, on a database of its own, and compared."""

from ingestion.replaying.running import REPLAYED as REPLAYED
from ingestion.replaying.running import Replay as Replay
from ingestion.replaying.running import replay as replay
