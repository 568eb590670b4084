"""The Data API in front of a real Postgres: the part of its protocol that one client uses, checked against botocore's
model.
"""

import base64
import json
from typing import Any

import botocore.session
import pg8000.native
from botocore.validate import ParamValidator
from postgres_server import PostgresServer

from ..runtime.serving import Quiet, Serving

_OPERATIONS = {"/BatchExecute": "BatchExecuteStatement", "/Execute": "ExecuteStatement"}
_MAX_REQUEST = 4 * 1024 * 1024


class DataApiStub:
    """``errors`` are sent in place of responses, in their order: status, exception, message."""

    def __init__(self, server: PostgresServer) -> None:
        self.errors: list[tuple[int, str, str]] = []
        self.calls: list[str] = []
        self.sizes: list[int] = []
        self._server = server
        self._model = botocore.session.get_session().get_service_model("rds-data")
        stub = self

        class Handler(Quiet):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, error, answer = stub.answer(self.path, body)
                content = json.dumps(answer).encode()
                self.send_response(status)
                if error:
                    self.send_header("x-amzn-ErrorType", error)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        self._http = Serving(Handler)
        self.port = self._http.port

    def answer(self, path: str, body: bytes) -> tuple[int, str, dict[str, Any]]:
        operation = _OPERATIONS[path]
        self.calls.append(operation)
        self.sizes.append(len(body))
        if self.errors:
            status, error, message = self.errors.pop(0)
            return status, error, {"message": message}
        if len(body) > _MAX_REQUEST:
            return 400, "BadRequestException", {"message": "Request is larger than 4 MiB"}
        request = _decode(json.loads(body))
        report = ParamValidator().validate(request, self._model.operation_model(operation).input_shape)
        assert not report.has_errors(), report.generate_report()
        connection = self._server.connect()
        try:
            connection.run("BEGIN")
            for parameters in request.get("parameterSets") or [[]]:
                connection.run(request["sql"], **{each["name"]: _value(each["value"]) for each in parameters})
            connection.run("COMMIT")
        except pg8000.native.DatabaseError as error:
            fields = error.args[0]
            detail = f"\n  Detail: {fields['D']}" if "D" in fields else ""
            message = f"ERROR: {fields['M']}{detail}; SQLState: {fields['C']}"
            return 400, "DatabaseErrorException", {"message": message}
        finally:
            connection.close()
        return 200, "", {"updateResults": []} if operation.startswith("Batch") else {"numberOfRecordsUpdated": 0}

    def close(self) -> None:
        self._http.close()


def _decode(request: dict[str, Any]) -> dict[str, Any]:
    """Decode the values that the protocol sends as base64."""
    for parameters in request.get("parameterSets", []):
        for each in parameters:
            if "blobValue" in each["value"]:
                each["value"]["blobValue"] = base64.b64decode(each["value"]["blobValue"])
    return request


def _value(value: dict[str, Any]) -> Any:
    ((_, content),) = value.items()
    return content
