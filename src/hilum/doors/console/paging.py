"""Pages of a list."""

from dataclasses import dataclass, replace

from hilum.core.kernel.errors import Invalid, NotFound
from hilum.doors.console.site import Visit

_LAST_PAGE = 100_000


@dataclass(frozen=True, slots=True)
class Pager:
    """Where a page stands in a list whose length is known."""

    page: int
    size: int
    total: int = 0

    @classmethod
    def of(cls, visit: Visit, size: int) -> "Pager":
        """Read `page` from the query; raises Invalid."""
        return cls(max(asked_number(visit, "page") or 1, 1), size)

    def with_total(self, total: int) -> "Pager":
        """Return the pager of a list of this length."""
        return replace(self, total=total)

    @property
    def offset(self) -> int:
        """Return how many entries stand before the page."""
        return (self.page - 1) * self.size

    @property
    def first(self) -> int:
        """Return the place of the first entry shown, from one."""
        return min(self.offset + 1, self.total)

    @property
    def last(self) -> int:
        """Return the place of the last entry shown."""
        return min(self.offset + self.size, self.total)

    @property
    def has_next(self) -> bool:
        """Tell whether there is more."""
        return self.offset + self.size < self.total


def asked_number(visit: Visit, name: str) -> int | None:
    """Return a whole number of the query; raises Invalid."""
    value = visit.asked(name)
    if not value:
        return None
    if not (value.isascii() and value.isdigit() and len(value) <= 18):
        raise Invalid(f"'{name}' is not a whole number")
    return int(value) if name != "page" else min(int(value), _LAST_PAGE)


def named_key(visit: Visit) -> int:
    """Return the key that the path names; raises NotFound for one that no database can hold."""
    key: int = visit.request.path_params["key"]
    if key >= 1 << 63:
        raise NotFound(f"nothing has the number {key}")
    return key
