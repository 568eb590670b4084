import pytest

from scalable_webhook_cli.gateway.rest_api import Method, RestApi, TokenBucket


def test_a_bucket_accepts_its_burst_and_then_its_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("scalable_webhook_cli.gateway.rest_api.time.monotonic", lambda: now)
    bucket = TokenBucket(rate=2, burst=3)
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    now = 0.5
    assert [bucket.take() for _ in range(2)] == [True, False]
    now = 100
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]


def api(*paths: str, methods: tuple[str, ...] = ("ANY",), binary: tuple[str, ...] = ()) -> RestApi:
    resources = {path: {name: Method("id", path, "NONE", False, {}) for name in methods} for path in paths}
    return RestApi("id", "us-east-1", "prod", {}, binary, None, resources, None)


@pytest.mark.parametrize(
    ("path", "resource", "parameters"),
    [
        ("/", "/", {}),
        ("/hooks", "/hooks", {}),
        ("/hooks/a/b", "/hooks/{proxy+}", {"proxy": "a/b"}),
        ("/users/7", "/users/{id}", {"id": "7"}),
        ("/other", "/{proxy+}", {"proxy": "other"}),
        ("/hooks/ä ?", "/hooks/{proxy+}", {"proxy": "ä ?"}),
    ],
)
def test_a_request_goes_to_the_most_specific_resource(path: str, resource: str, parameters: dict[str, str]) -> None:
    found = api("/", "/{proxy+}", "/hooks", "/hooks/{proxy+}", "/users/{id}", "/users/{proxy+}").match(path, "POST")
    assert found is not None
    assert (found[0].resource_path, found[1]) == (resource, parameters)


def test_a_method_that_is_not_there_is_no_match() -> None:
    assert api("/a", methods=("GET",)).match("/a", "POST") is None
    assert api("/a").match("/b", "POST") is None


@pytest.mark.parametrize(
    ("declared", "content_type", "binary"),
    [
        (("*/*",), "text/plain", True),
        (("image/*",), "image/png", True),
        (("image/png",), "Image/PNG; q=1", True),
        (("image/png",), "text/plain", False),
        ((), "application/octet-stream", False),
    ],
)
def test_a_media_type_is_binary_where_it_is_declared(
    declared: tuple[str, ...], content_type: str, binary: bool
) -> None:
    assert api(binary=declared).is_binary(content_type) is binary
