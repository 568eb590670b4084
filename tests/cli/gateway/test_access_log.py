from scalable_webhook_cli.gateway.access_log import fill


def test_an_access_log_line_has_the_context_and_a_dash_for_what_is_not_known() -> None:
    line = fill('{"id": "$context.requestId", "ip": "$context.identity.sourceIp", "e": "$context.error.message"}',
                {"requestId": "a", "identity": {"sourceIp": "127.0.0.1"}})  # fmt: skip
    assert line == '{"id": "a", "ip": "127.0.0.1", "e": "-"}'
