"""AWS's JSON protocols by the standard library, for the services that a function calls for each webhook.

To load botocore takes four fifths of a cold start, and its layers half of the processor time of a call.
https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html
"""

import hashlib
import hmac
import io
import json
import os
import random
import select
import socket
import ssl
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPMessage, HTTPResponse, HTTPSConnection, responses
from typing import Any
from urllib.parse import quote, urlsplit

USER_AGENT = "cdk-scalable-webhook"
CONNECT_SECONDS = 2.0
# The first parts of regions' names in the partitions whose endpoints have one form. botocore knows those of others.
# https://docs.aws.amazon.com/general/latest/gr/rande.html
_COMMERCIAL = ("af", "ap", "ca", "eu", "il", "me", "mx", "sa", "us")
_CHINA = "cn"
# botocore alone knows what these mean.
_SWITCHES = ("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT")
_UNUSUAL = (
    *("AWS_PROFILE", "AWS_DEFAULT_PROFILE"),
    *("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"),
)

_TRY_AGAIN = (500, 502, 503, 504)
_BUSY = frozenset(
    {
        *("Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException"),
        *("RequestLimitExceeded", "TooManyRequestsException", "ProvisionedThroughputExceededException"),
        *("TransactionInProgressException", "BandwidthLimitExceeded", "LimitExceededException", "SlowDown"),
        *("EC2ThrottledException", "PriorRequestNotComplete", "RequestTimeout", "RequestTimeoutException"),
    }
)


class Service:
    """A service: the prefix of its operations, the version of JSON, and its name in ``AWS_ENDPOINT_URL_…``."""

    def __init__(self, target: str, version: str, variable: str) -> None:
        self.target = target
        self.version = version
        self.variable = variable


SERVICES = {
    "dynamodb": Service("DynamoDB_20120810", "1.0", "DYNAMODB"),
    "secretsmanager": Service("secretsmanager", "1.1", "SECRETS_MANAGER"),
    "sqs": Service("AmazonSQS", "1.0", "SQS"),
}


class AwsRejected(Exception):
    """AWS answered with an error, which is in ``response`` as botocore has it."""

    def __init__(self, response: Mapping[str, Any], operation: str) -> None:
        self.response = response
        error = response.get("Error", {})
        code, message = error.get("Code", "Unknown"), error.get("Message", "Unknown")
        super().__init__(f"An error occurred ({code}) when calling the {operation} operation: {message}")


class AwsUnreachable(Exception):
    """AWS did not answer, or the request could not be sent. ``code`` is the kind of the failure."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class Credentials:
    def __init__(self, key_id: str, secret: str, token: str | None) -> None:
        self.key_id = key_id
        self.secret = secret
        self.token = token


def endpoint(service: str) -> str | None:
    """Return the URL of a service in the function's region, or None if only botocore knows it."""
    variables, region = os.environ, _region()
    is_unusual = (
        any(variables.get(name, "").lower() == "true" for name in _SWITCHES)
        or any(variables.get(name) for name in _UNUSUAL)
        or variables.get("AWS_CONFIG_FILE", os.devnull) != os.devnull
    )
    if is_unusual or not region or _credentials() is None:
        return None
    own = variables.get(f"AWS_ENDPOINT_URL_{SERVICES[service].variable}") or variables.get("AWS_ENDPOINT_URL")
    if own and variables.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() != "true":
        parts = urlsplit(own)
        is_plain = parts.hostname and parts.scheme in ("http", "https") and parts.path in ("", "/")
        return own if is_plain else None
    domain = _domain(region)
    return f"https://{service}.{region}.{domain}" if domain else None


def _domain(region: str) -> str | None:
    """Return the domain of a region's endpoints, without a regular expression, which a cold start would compile."""
    area, *place = region.split("-")
    if area in _COMMERCIAL and place[:1] == ["gov"]:
        del place[0]
    # A name with more parts is that of an isolated or sovereign partition, such as us-iso-east-1.
    is_usual = len(place) == 2 and place[0].isascii() and place[0].islower() and place[0].isalpha()
    if not is_usual or not (place[1].isascii() and place[1].isdigit()):
        return None
    if area in _COMMERCIAL:
        return "amazonaws.com"
    return "amazonaws.com.cn" if area == _CHINA else None


class JsonClient:
    """A client of one service: each operation is a method, with the arguments and the answer of botocore's.

    Args:
        service: One of SERVICES.
        endpoint: Its URL.
        read_timeout: The seconds for an answer, by the clock: an answer that comes in drops takes no longer.
        attempts: How often a call is sent, if it fails in a way that another try may fix.
    """

    def __init__(self, service: str, endpoint: str, *, read_timeout: float, attempts: int) -> None:
        self._service = service
        self._prefix, version = SERVICES[service].target, SERVICES[service].version
        self._url = urlsplit(endpoint)
        self._headers = {
            "content-type": f"application/x-amz-json-{version}",
            "host": _host(self._url.scheme, self._url.hostname or "", self._url.port),
        }
        self._read_timeout = read_timeout
        self._attempts = attempts
        self._connection: HTTPConnection | None = None
        self._signer = Signer(service, _region())

    def __getattr__(self, operation: str) -> Callable[..., dict[str, Any]]:
        if operation.startswith("_"):
            raise AttributeError(operation)
        name = "".join(word.capitalize() for word in operation.split("_"))

        def call(**arguments: Any) -> dict[str, Any]:
            return self._call(name, arguments)

        self.__dict__[operation] = call
        return call

    def _call(self, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        body = _body(arguments)
        for left in reversed(range(self._attempts)):
            failure: Exception
            try:
                status, headers, content = self._exchange(operation, body)
            except (OSError, HTTPException) as error:
                failure = _unreachable(error, self._url.geturl())
            else:
                if status < 300:
                    return _answer(content)
                failure = AwsRejected(_error(status, headers, content), operation)
                if status not in _TRY_AGAIN and failure.response["Error"]["Code"] not in _BUSY:
                    raise failure
            if not left:
                raise failure
            # Jitter is no secret.
            time.sleep(random.random() * 2 ** (self._attempts - left - 1))  # noqa: S311
        raise AssertionError("unreachable")

    def _exchange(self, operation: str, body: bytes) -> tuple[int, HTTPMessage, bytes]:
        """Send a request, and return the status, the headers and the content of the answer."""
        signed = self._signer.sign({**self._headers, "x-amz-target": f"{self._prefix}.{operation}"}, body)
        if (trace := os.environ.get("_X_AMZN_TRACE_ID")) and "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
            signed["X-Amzn-Trace-Id"] = quote(trace, safe="-=;:+&[]{}\"',")
        is_done = False
        try:
            connection = self._connected()
            connection.request("POST", "/", body, signed | {"User-Agent": USER_AGENT})
            answer = connection.getresponse()
            content = answer.read()
            is_done = True
        finally:
            # Also if a signal interrupts it: the rest of an answer must not be taken for that of another call.
            if not is_done:
                self._close()
        return answer.status, answer.headers, content

    def _connected(self) -> HTTPConnection:
        """Return the kept connection, or a new one if the other side has closed it."""
        connection = self._connection
        if connection is not None and (connection.sock is None or _is_readable(connection.sock)):
            self._close()
            connection = None
        if connection is None:
            self._connection = connection = _connection(self._url.scheme, self._url.hostname or "", self._url.port)
            try:
                connection.connect()
            except TimeoutError as error:
                raise _ConnectTimeout from error
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        clock = _Clock(connection.sock, self._read_timeout)
        connection.response_class = lambda _sock, **named: HTTPResponse(clock, **named)  # type: ignore[assignment, arg-type]
        connection.sock.settimeout(self._read_timeout)
        return connection

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class Signer:
    """Signature Version 4 of requests to the root of a host.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
    """

    def __init__(self, service: str, region: str, credentials: Callable[[], Credentials | None] | None = None) -> None:
        self._service = service
        self._region = region
        self._credentials = credentials or _credentials
        self._key_of = ("", "")
        self._key = b""

    def sign(self, headers: Mapping[str, str], body: bytes, at: datetime | None = None) -> dict[str, str]:
        """Return the headers, whose names are in lower case, with a date, a token if there is one, and a signature."""
        credentials = self._credentials()
        if credentials is None:
            raise AwsUnreachable("NoCredentialsError", "Unable to locate credentials")
        moment = f"{at or datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        token = {"x-amz-security-token": credentials.token} if credentials.token else {}
        every = {**headers, "x-amz-date": moment, **token}
        names = sorted(every)
        signed = ";".join(names)
        lines = "".join(f"{name}:{' '.join(every[name].split())}\n" for name in names)
        canonical = f"POST\n/\n\n{lines}\n{signed}\n{hashlib.sha256(body).hexdigest()}"
        scope = f"{moment[:8]}/{self._region}/{self._service}/aws4_request"
        to_sign = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = _mac(self._key_for(moment[:8], credentials.secret), to_sign).hex()
        named = f"Credential={credentials.key_id}/{scope}, SignedHeaders={signed}, Signature={signature}"
        return every | {"authorization": f"AWS4-HMAC-SHA256 {named}"}

    def _key_for(self, day: str, secret: str) -> bytes:
        """Return the key of a day, which takes four steps."""
        if self._key_of != (day, secret):
            key = f"AWS4{secret}".encode()
            for part in (day, self._region, self._service, "aws4_request"):
                key = _mac(key, part)
            self._key_of, self._key = (day, secret), key
        return self._key


def _mac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def _region() -> str:
    # botocore reads this one alone. Lambda sets both.
    return os.environ.get("AWS_DEFAULT_REGION") or os.environ.get("AWS_REGION") or ""


def _credentials() -> Credentials | None:
    """Return those of the environment, which are renewed there."""
    variables = os.environ
    key_id, secret = variables.get("AWS_ACCESS_KEY_ID"), variables.get("AWS_SECRET_ACCESS_KEY")
    if not key_id or not secret:
        return None
    return Credentials(key_id, secret, variables.get("AWS_SESSION_TOKEN") or variables.get("AWS_SECURITY_TOKEN"))


def _host(scheme: str, host: str, port: int | None) -> str:
    name = f"[{host}]" if ":" in host else host
    return name if port in (None, {"http": 80, "https": 443}[scheme]) else f"{name}:{port}"


def _body(arguments: Mapping[str, Any]) -> bytes:
    try:
        # To escape each character that is not ASCII takes longer, and so does to sign and send it.
        return json.dumps(arguments, ensure_ascii=False, default=_in_base64).encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return json.dumps(arguments, default=_in_base64).encode()


def _in_base64(value: object) -> str:
    """Return bytes as the protocol has them."""
    if isinstance(value, bytes | bytearray):
        return b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} is no type of the protocol")


# The answer.


def _answer(content: bytes) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(content) if content else {}
    # The only bytes in an answer to a call of ours.
    if "SecretBinary" in answer:
        answer["SecretBinary"] = b64decode(answer["SecretBinary"])
    return answer


def _error(status: int, headers: HTTPMessage, content: bytes) -> dict[str, Any]:
    """Return an error as botocore has it."""
    metadata = {"HTTPStatusCode": status}
    stripped = content.strip()
    if status >= 500 and (not stripped or stripped.startswith(b"<html>")):
        return {"Error": {"Code": str(status), "Message": responses.get(status, "")}, "ResponseMetadata": metadata}
    try:
        told = json.loads(content) if content else {}
    except ValueError:
        told = {"message": content.decode(errors="replace")}
    told = told if isinstance(told, dict) else {}
    code = str(told.get("__type") or status).partition(":")[0].rpartition("#")[2]
    # SQS tells the names of its errors from before it had this protocol.
    before = headers.get("x-amzn-query-error", "").split(";")
    if len(before) == 2 and before[0]:
        code = before[0]
    message = told.get("message", told.get("Message", ""))
    return {"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}


# The connection.


def _connection(scheme: str, host: str, port: int | None) -> HTTPConnection:
    if scheme == "http":
        return HTTPConnection(host, port, timeout=CONNECT_SECONDS)
    bundle = os.environ.get("AWS_CA_BUNDLE") or os.environ.get("REQUESTS_CA_BUNDLE")
    return HTTPSConnection(host, port, timeout=CONNECT_SECONDS, context=_tls(bundle))


@cache  # it takes 20 ms, and each client and each new connection needs one
def _tls(bundle: str | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=bundle)


class _ConnectTimeout(OSError):
    pass


def _unreachable(error: Exception, url: str) -> AwsUnreachable:
    """Return a failure of the connection, with the names that botocore has for its kinds."""
    why = str(error) or type(error).__name__
    match error:
        case _ConnectTimeout():
            return AwsUnreachable("ConnectTimeoutError", f'Connect timeout on endpoint URL: "{url}"')
        case TimeoutError():
            return AwsUnreachable("ReadTimeoutError", f'Read timeout on endpoint URL: "{url}"')
        case ssl.SSLError():
            return AwsUnreachable("SSLError", f"SSL validation failed for {url} {why}")
        case HTTPException() | ConnectionResetError() | BrokenPipeError():
            text = f'Connection was closed before we received a valid response from endpoint URL: "{url}"'
            return AwsUnreachable("ConnectionClosedError", text)
    return AwsUnreachable("EndpointConnectionError", f'Could not connect to the endpoint URL: "{url}": {why}')


def _is_readable(sock: socket.socket) -> bool:
    """Tell whether there is something to read before anything was asked: the end of the connection."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


class _Clock(io.RawIOBase):
    """Reads from a socket until a moment, however many parts there are."""

    def __init__(self, sock: socket.socket, seconds: float) -> None:
        self._sock = sock
        # It keeps the socket open for an answer that ends with the connection.
        self._raw = sock.makefile("rb", buffering=0)
        self._end = time.monotonic() + seconds

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
