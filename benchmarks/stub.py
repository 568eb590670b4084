"""A stub for the services that a function calls. It gives their successful answers, at almost no cost.

It is no emulator. It knows the calls of our functions and of the peers' only, so the measured time is that of the
function. It stores the ids alone, each once.

    python stub.py SECRET
"""

import hashlib
import json
import sys
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from processes import serve

Answer = tuple[int, dict[str, Any]]


class _Services(BaseHTTPRequestHandler):
    """The JSON protocols of SQS, DynamoDB and Secrets Manager."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body in one piece
    secret = ""
    tables: dict[str, set[str]] = defaultdict(set)

    def do_POST(self) -> None:
        """Answer one call. Without a target it is one of the Data API, or a request to an HTTP service."""
        request = self.rfile.read(int(self.headers["Content-Length"]))
        if target := self.headers["X-Amz-Target"]:
            self._answer(*getattr(self, target.partition(".")[2])(json.loads(request)))
        else:
            self._answer(200, {"updateResults": []})

    def do_GET(self) -> None:
        """Answer Lambda's GetEventSourceMapping: a person has paused the webhook."""
        self._answer(200, {"State": "Disabled"})

    def _answer(self, status: int, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", self.headers["Content-Type"] or "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def SendMessage(self, request: dict[str, Any]) -> Answer:  # noqa: N802
        """Answer SQS's SendMessage."""
        md5 = hashlib.md5(request["MessageBody"].encode(), usedforsecurity=False).hexdigest()
        return 200, {"MessageId": "059f36b4-87a3-44ab-83d2-661975830a7d", "MD5OfMessageBody": md5}

    def ChangeMessageVisibilityBatch(self, request: dict[str, Any]) -> Answer:  # noqa: N802
        """Answer SQS's ChangeMessageVisibilityBatch, by which a consumer delays what has failed."""
        return 200, {"Successful": [{"Id": each["Id"]} for each in request["Entries"]], "Failed": []}

    def BatchExecuteStatement(self, request: dict[str, Any]) -> Answer:  # noqa: N802
        """Answer DynamoDB's inserts into one table, whose first column is the key."""
        ids = self.tables[request["Statements"][0]["Statement"].split('"')[1]]
        responses = []
        for statement in request["Statements"]:
            id = statement["Parameters"][0]["S"]
            responses.append({"Error": {"Code": "DuplicateItem"}} if id in ids else {})
            ids.add(id)
        return 200, {"Responses": responses}

    def PutItem(self, request: dict[str, Any]) -> Answer:  # noqa: N802
        """Answer DynamoDB's put without a condition."""
        self.tables[request["TableName"]].add(request["Item"]["id"]["S"])
        return 200, {}

    def Scan(self, request: dict[str, Any]) -> Answer:  # noqa: N802
        """Answer DynamoDB's count of items."""
        return 200, {"Count": len(self.tables[request["TableName"]])}

    def GetSecretValue(self, request: dict[str, Any]) -> Answer:  # noqa: N802
        """Answer Secrets Manager with a secret that was never rotated."""
        if request.get("VersionStage", "AWSCURRENT") != "AWSCURRENT":
            return 400, {"__type": "ResourceNotFoundException", "Message": "no such version"}
        return 200, {"ARN": request["SecretId"], "Name": "Secret", "SecretString": self.secret}

    def log_message(self, *_arguments: object) -> None:
        """Log nothing."""


def main() -> None:
    """Serve."""
    _Services.secret = sys.argv[1]
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Services)
    serve(server.server_port, server.serve_forever)


if __name__ == "__main__":
    main()
