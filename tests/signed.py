"""Sign calls to the local AWS with its key, for requests that boto3 does not make."""

import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from .suite.patience import http


def headers(key: str, method: str, url: str, content: bytes = b"", service: str = "sts", **more: str) -> dict[str, str]:
    """Return the headers that AWS's own clients would send."""
    request = AWSRequest(method, url, headers=more, data=content)
    SigV4Auth(Credentials(key, key), service, "us-east-1").add_auth(request)
    return dict(request.headers)


def call(key: str, method: str, url: str, content: bytes = b"", service: str = "sts", **more: str) -> httpx.Response:
    sent = headers(key, method, url, content, service, **more)
    return http.request(method, url, content=content, headers=sent)
