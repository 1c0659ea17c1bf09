"""How long and how hard Hypothesis looks, for all tests of the domain."""

from hypothesis import HealthCheck, settings

# Shared build machines are slow now and then; a deadline would fail there for no reason.
settings.register_profile("domain", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("domain")
