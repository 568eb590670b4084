"""``plan``: what becomes of a burst, and of an outage of the sink, with what is deployed.

It needs the standard library alone, no AWS and no account.
"""

from scalable_webhook_cli.plan.load import BatchTime, Load, Outage
from scalable_webhook_cli.plan.planning import changed, plan
from scalable_webhook_cli.plan.result import Plan
from scalable_webhook_cli.plan.template import Breaker, Deployed

__all__ = ["BatchTime", "Breaker", "Deployed", "Load", "Outage", "Plan", "changed", "plan"]
