"""The demo's pictures show exactly what was measured, and are the same each time."""

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from demo_outage import Act, Outage
from demo_outage import Side as OutageSide
from demo_postgres import Side
from pictures import draw_outage, draw_protection, save_outage, save_protection, save_terminal
from rich.table import Table

from scalable_webhook_cli.burst import Report
from scalable_webhook_cli.errors import CliError

BEGAN = 1_700_000_000.0
# One more connection for a very short time.
SPIKE = (BEGAN + 3.0001, 17), (BEGAN + 3.0002, 2)


def side(**differences: Any) -> Side:
    good = Side(
        Report(sent=1000, began=BEGAN),
        stored=1000,
        duplicates=0,
        turned_away=0,
        connections=[(BEGAN - 0.5, 0), (BEGAN + 1, 2), *SPIKE, (BEGAN + 9, 0)],
        functions=[(BEGAN + 1, 3), (BEGAN + 10, 0)],
        backlog=[(BEGAN, 0), (BEGAN + 4, 400), (BEGAN + 12.25, 0)],
    )
    return replace(good, **differences)


WITHOUT = side(
    report=Report(sent=1000, began=BEGAN, failed_at=[BEGAN + 2, BEGAN + 3, BEGAN + 3, BEGAN + 7]),
    stored=996,
    backlog=None,
)


def outage(**differences: Any) -> Act:
    """Return an act. The differences are those of the side with the circuit breaker."""
    without = OutageSide(
        Report(sent=1000, began=BEGAN),
        stored=400,
        dead_lettered=600,
        batches=2000,
        in_table=[(BEGAN, 0), (BEGAN + 10, 100), (BEGAN + 135, 400)],
        in_queue=[(BEGAN, 0), (BEGAN + 60, 300), (BEGAN + 140, 0)],
        in_dead_letter_queue=[(BEGAN, 0), (BEGAN + 120, 600)],
        paused=[(BEGAN, 0)],
    )
    with_breaker = replace(
        without,
        stored=1000,
        dead_lettered=0,
        in_table=[(BEGAN, 0), (BEGAN + 10, 100), (BEGAN + 195, 1000), (BEGAN + 300, 1000)],
        in_queue=[(BEGAN, 0), (BEGAN + 180, 900), (BEGAN + 195, 0)],
        in_dead_letter_queue=[(BEGAN, 0)],
        paused=[(BEGAN, 0), (BEGAN + 12, 1), (BEGAN + 190, 0)],
    )
    return Act(without, replace(with_breaker, **differences), Outage(BEGAN + 10, BEGAN + 130))


def panel(axes: Any) -> dict[str, tuple[list[float], list[float]]]:
    """Return the lines of a panel by their names in the legend: coordinates, or for an area only the heights."""
    lines: dict[str, Any] = {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines}
    shapes: dict[str, Any] = {
        shape.get_label(): ([], [y for path in shape.get_paths() for _, y in path.vertices.tolist()])
        for shape in axes.collections
    }
    return {**lines, **shapes}


def test_every_panel_shows_its_measurement_up_to_the_peak() -> None:
    load, _, rejected, backlog = (panel(axes) for axes in draw_protection(WITHOUT, side(), max_connections=20).axes)
    assert max(load["functions at work"][1]) == 3
    assert max(load["connections"][1]) == 17
    assert load["rejected"] == ([2, 3, 7], [20, 20, 20])
    assert rejected["rejected so far"][1][-1] == 4
    assert max(backlog["wait in the queue"][1]) == 400
    assert max(backlog["rejected so far"][1]) == 0


def test_the_axis_covers_everything_that_was_measured_on_either_side() -> None:
    for axes in draw_protection(WITHOUT, side(), max_connections=20).axes:
        assert axes.get_xlim() == (-0.5, 12.25)
        assert axes.get_ylim()[0] == 0
    tops = [axes.get_ylim()[1] for axes in draw_protection(WITHOUT, side(), max_connections=20).axes]
    assert tops[0] == tops[1] > 20
    assert tops[2] == tops[3] > 400


def test_the_title_is_the_result() -> None:
    def title(without_queue: Side, with_queue: Side) -> str:
        return str(draw_protection(without_queue, with_queue, max_connections=20).get_suptitle())

    assert title(WITHOUT, side()) == "Without a queue 4 of 1,000 webhooks are lost; with it none"
    assert title(side(backlog=None), side(stored=998)) == "Without a queue 0 of 1,000 webhooks are lost; with it 2"


def test_an_outage_shows_each_place_of_the_webhooks_and_the_pause() -> None:
    figure = draw_outage(outage())
    assert figure.get_suptitle() == "Database stopped: 600 dead letters; with the circuit breaker none"
    without, with_breaker = figure.axes
    assert with_breaker.get_title(loc="left") == "With it: all 1,000 stored"
    assert without.get_title(loc="left") == "Without it: 400 of 1,000 stored"
    assert max(panel(without)["in the dead-letter queue"][1]) == 600
    assert max(panel(with_breaker)["in the dead-letter queue"][1]) == 0
    assert max(panel(with_breaker)["wait in the queue"][1]) == 900
    assert max(panel(with_breaker)["stored"][1]) == 1000
    assert [text.get_text() for text in with_breaker.texts] == ["paused"]
    lines: list[Any] = list(with_breaker.lines)
    assert [list(line.get_xdata()) for line in lines if line.get_color() == "#e69f00"] == [[2, 180]]
    assert not without.texts
    # From the first measurement to a little after the last change.
    assert without.get_xlim() == with_breaker.get_xlim() == (-10, 195)


@pytest.mark.parametrize("missing", ["in_table", "in_queue", "in_dead_letter_queue", "paused"])
def test_an_outage_of_which_nothing_was_measured_says_so(missing: str, tmp_path: Path) -> None:
    with pytest.raises(CliError, match="With it: nothing was measured"):
        save_outage(tmp_path / "outage.svg", outage(**{missing: []}))
    assert not (tmp_path / "outage.svg").exists()


@pytest.mark.parametrize("missing", ["connections", "functions", "backlog"])
def test_a_run_of_which_nothing_was_measured_says_so(missing: str, tmp_path: Path) -> None:
    with pytest.raises(CliError, match="ScalableWebhook: nothing was measured"):
        save_protection(tmp_path / "p.svg", WITHOUT, side(**{missing: []}), max_connections=20)
    assert not (tmp_path / "p.svg").exists()


def test_the_same_samples_make_the_same_file(tmp_path: Path) -> None:
    first, second = tmp_path / "new" / "first.svg", tmp_path / "second.svg"
    for path in (first, second):
        save_protection(path, WITHOUT, side(), max_connections=20)
    assert first.read_bytes() == second.read_bytes()
    other = tmp_path / "other.svg"
    save_protection(other, WITHOUT, side(stored=999), max_connections=20)
    assert other.read_bytes() != first.read_bytes()


def test_a_picture_is_whole_and_asks_nothing_of_the_network(tmp_path: Path) -> None:
    save_protection(tmp_path / "protection.svg", WITHOUT, side(), max_connections=20)
    save_outage(tmp_path / "outage.svg", outage())
    table = Table("", "one", title="A title")
    table.add_row("stored", "1,000")
    save_terminal(tmp_path / "demo.svg", [table, table], title="make demo")
    for path in sorted(tmp_path.iterdir()):
        svg = path.read_text()
        tree = ElementTree.fromstring(svg)
        assert "@font-face" not in svg
        ids = {element.get("id") for element in tree.iter()}
        for element in tree.iter():
            for name, value in element.attrib.items():
                if name.endswith("href"):  # references within the file
                    assert value.startswith("#")
                    assert value[1:] in ids
    assert (tmp_path / "demo.svg").read_text().count("1,000") == 2


def test_no_measurement_makes_a_large_picture(tmp_path: Path) -> None:
    random = Random(1)

    def noise() -> list[tuple[float, int]]:
        return [(BEGAN + step / 50, random.randrange(1000)) for step in range(5000)]

    failed = [moment for moment, _ in noise()]
    without = side(
        report=Report(sent=100_000, began=BEGAN, failed_at=failed), connections=noise(), functions=noise(), backlog=None
    )
    busy = side(connections=noise(), functions=noise(), backlog=noise())
    save_protection(tmp_path / "picture.svg", without, busy, max_connections=20)
    assert (tmp_path / "picture.svg").stat().st_size < 100_000
    save_outage(
        tmp_path / "outage.svg",
        outage(in_table=noise(), in_queue=noise(), in_dead_letter_queue=noise(), paused=[(BEGAN, 0)]),
    )
    assert (tmp_path / "outage.svg").stat().st_size < 100_000
