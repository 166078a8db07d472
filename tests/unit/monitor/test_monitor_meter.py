"""Meter: counts what ends once, however the pages overlap, and knows that a page may not hold it all."""

from datetime import datetime, timedelta

from monitor_rows import NOW
from test_monitor_reading import make_info

from sitq.core import TaskStatus
from sitq.views import TaskInfo
from sitq_monitor.feed.meter import PAGE, Meter
from sitq_monitor.model import BARS, SPAN


def ended(at: datetime, status: TaskStatus = TaskStatus.SUCCESS, took: float = 1.0) -> TaskInfo:
    started_at = at - timedelta(seconds=took)
    return make_info(status=status, started_at=started_at, due_at=started_at, finished_at=at)


def before(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def total(meter: Meter) -> float:
    pulse = meter.pulse(NOW)
    return (sum(pulse.ok) + sum(pulse.failed)) * SPAN


def test_each_task_is_counted_once() -> None:
    meter = Meter()
    page = [ended(before(1)), ended(before(2)), ended(before(3), TaskStatus.FAILED)]

    for start in (2, 1, 0, 0):
        meter.hear(page[start:])

    pulse = meter.pulse(NOW)
    assert (sum(pulse.ok) * SPAN, sum(pulse.failed) * SPAN) == (2, 1)
    assert (pulse.rate, pulse.failing) == (0.3, 1 / 3)


def test_bars_move_with_time_and_then_are_forgotten() -> None:
    meter = Meter()
    meter.hear([ended(before(2))])

    bars = meter.pulse(NOW).ok
    later = meter.pulse(NOW + timedelta(seconds=SPAN * (BARS - 2))).ok
    gone = meter.pulse(NOW + timedelta(seconds=SPAN * BARS)).ok

    assert (bars.index(1 / SPAN), later.index(1 / SPAN), sum(gone)) == (BARS - 2, 0, 0)


def test_full_page_stands_for_all_that_ended_since_the_one_before() -> None:
    meter = Meter()
    meter.hear([ended(before(8))])

    meter.hear([ended(before(number * 4 / PAGE)) for number in range(PAGE)])

    assert PAGE * 1.9 < total(meter) < PAGE * 2.1


def test_durations_tell_the_middle_and_the_slow_end() -> None:
    meter = Meter()
    meter.hear([ended(before(number / 100), took=float(number)) for number in range(100)])

    took = meter.pulse(NOW).took

    assert took is not None
    assert (took.p50, took.p95) == (50.0, 95.0)


def test_meter_that_heard_nothing_tells_nothing() -> None:
    meter = Meter()
    meter.hear([])

    pulse = meter.pulse(NOW)

    assert (sum(pulse.ok), pulse.rate, pulse.took, pulse.waited) == (0, 0, None, None)
