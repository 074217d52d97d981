"""Counters of this process, and figures read from the database when they are scraped. No patient data."""

from collections.abc import Iterator
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from hilum.core.archive.receiving import Receiving
from hilum.core.hub import Hub
from hilum.core.kernel.caller import Caller, CallerKind, Permission
from hilum.core.kernel.errors import Busy
from hilum.core.routing.model import Queue

SCRAPER = Caller(CallerKind.LOCAL, "metrics", frozenset({Permission.ARCHIVE_QUERY, Permission.ROUTING_READ}))
"""Who reads the figures: sees counts, nothing else."""


class Metrics:
    """The registry of one web process."""

    def __init__(self, hub: Hub) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "hilum_http_requests", "Requests answered", ["door", "method", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "hilum_http_request_seconds", "Seconds to answer", ["door"], registry=self.registry
        )
        self.registry.register(_Figures(hub))

    def count(self, door: str, method: str, status: int, seconds: float) -> None:
        """Count one request."""
        known = method if method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} else "other"
        self._requests.labels(door, known, str(status)).inc()
        self._seconds.labels(door).observe(seconds)

    def exposition(self) -> bytes:
        """Return all of it in the Prometheus text format."""
        return generate_latest(self.registry)


class _Figures(Collector):
    """What every web process reads alike, since it is asked of the database."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def describe(self) -> Iterator[Metric]:
        """Name nothing beforehand: registering must not ask the database."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Ask the database; when it is away, say so by one figure instead of failing the scrape."""
        up = GaugeMetricFamily("hilum_database_up", "1 when the database answered this scrape")
        try:
            totals, queues = self._hub.totals(SCRAPER), self._hub.queues(SCRAPER)
        except Busy:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        for name, value in totals.items():
            yield GaugeMetricFamily(f"hilum_{name}", f"Number of {name.replace('_', ' ')} kept", value)
        yield from _of_queues(queues)
        yield from _of_receiving(self._hub.receiving(SCRAPER))


def _of_receiving(receiving: Receiving | None) -> Iterator[Metric]:
    if receiving is not None:
        yield GaugeMetricFamily("hilum_arriving_octets", "Octets on their way in", receiving.arriving)
        yield GaugeMetricFamily(
            "hilum_arriving_limit_octets", "Octets that may be on their way into one process", receiving.limit
        )
        yield GaugeMetricFamily(
            "hilum_disk_free_octets", "Room on the disk of the object store", receiving.free
        )
        yield GaugeMetricFamily("hilum_disk_floor_octets", "Room that stays free there", receiving.floor)


def _of_queues(queues: list[Queue]) -> Iterator[Metric]:
    depth = GaugeMetricFamily(
        "hilum_deliveries", "Deliveries by destination and state", labels=["destination", "state"]
    )
    age = GaugeMetricFamily(
        "hilum_delivery_oldest_waiting_seconds", "Age of the oldest waiting delivery", labels=["destination"]
    )
    now = datetime.now(UTC)
    for queue in queues:
        for state, value in (("waiting", queue.waiting), ("dead", queue.dead), ("sent", queue.sent)):
            depth.add_metric([queue.destination, state], value)
        oldest = queue.oldest_waiting
        age.add_metric([queue.destination], max((now - oldest).total_seconds(), 0) if oldest else 0)
    yield depth
    yield age
