"""How long a test waits for what it expects. A wait ends when that is there, so only a defect meets this limit."""

import httpx

# Longer than anything takes on a busy machine.
SECONDS = 600

# The first request starts a function. The environment's proxy is not for loopback.
http = httpx.Client(timeout=SECONDS, trust_env=False)
