"""The settings and plugins of every test run. See tests/suite."""

from hypothesis import HealthCheck, settings

from .suite import shell

shell.forget()
# The time of an example depends on the load of the machine. Several examples may share a fixture.
no_clock = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
settings.register_profile("no clock", deadline=None, suppress_health_check=no_clock)
settings.load_profile("no clock")

pytest_plugins = [f"tests.suite.{name}" for name in ("attacks", "ending", "garbage", "order", "timing", "variables")]
