"""The backlog and the age of the oldest webhook over time, in a bounded number of steps."""

from dataclasses import dataclass

# Above this number two steps become one, so that a plan of weeks takes as little as one of minutes.
_MOST = 1024
_WIDTH = 0.25


@dataclass(frozen=True)
class Step:
    """A step: its start and its length in seconds, and the highest backlog and age in it."""

    start: float
    seconds: float
    backlog: int
    age: float


class Series:
    """Keeps the highest values of each step."""

    def __init__(self) -> None:
        self._width = _WIDTH
        self._backlogs: list[int] = []
        self._ages: list[float] = []

    def next(self, now: float) -> float:
        """Return the time at which the next step begins."""
        return (int(now / self._width + 1e-9) + 1) * self._width

    def add(self, now: float, backlog: int, age: float) -> None:
        """Add a sample. Times never fall."""
        while int(now / self._width + 1e-9) >= _MOST:
            self._width *= 2
            pairs = range(0, len(self._ages), 2)
            self._backlogs = [max(self._backlogs[number : number + 2]) for number in pairs]
            self._ages = [max(self._ages[number : number + 2]) for number in pairs]
        step = int(now / self._width + 1e-9)
        while len(self._ages) <= step:
            self._backlogs.append(0)
            self._ages.append(0.0)
        self._backlogs[step] = max(self._backlogs[step], backlog)
        self._ages[step] = max(self._ages[step], age)

    def steps(self) -> tuple[Step, ...]:
        """Return the steps."""
        return tuple(
            Step(number * self._width, self._width, backlog, age)
            for number, (backlog, age) in enumerate(zip(self._backlogs, self._ages, strict=True))
        )
