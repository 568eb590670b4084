"""A client that waits as long as a sender would: the first request starts a function, on a machine that may be busy."""

import httpx

http = httpx.Client(timeout=60)
