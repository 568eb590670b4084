"""What holds for every run of the tests: see tests/suite."""

from hypothesis import HealthCheck, settings

from .suite import shell

shell.forget()
# How long an example takes says how busy the machine is, and nothing of what is tried. What a fixture has made for one
# example is right for the next.
no_clock = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
settings.register_profile("no clock", deadline=None, suppress_health_check=no_clock)
settings.load_profile("no clock")

pytest_plugins = [f"tests.suite.{name}" for name in ("attacks", "ending", "order", "timing")]
