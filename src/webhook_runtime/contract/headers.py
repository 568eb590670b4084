"""What API Gateway does to the headers of a request, by names in lower case: for the checks at synth, and for the local
API Gateway, which does the same."""

# Dropped before anything can see them, by templates and functions alike: recorded from AWS, see tests/recorded.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
NEVER_ARRIVE = {
    *("connection", "content-length", "content-md5", "expect", "max-forwards", "proxy-authenticate", "server", "te"),
    *("trailer", "transfer-encoding", "upgrade", "www-authenticate"),
}
# In every request that it hands on, whatever the sender says by these names.
ADDED = {"x-amzn-trace-id", "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto"}
