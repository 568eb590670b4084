"""A patient HTTP client: the first request starts a function, on a machine that may be busy."""

import httpx

http = httpx.Client(timeout=60)
