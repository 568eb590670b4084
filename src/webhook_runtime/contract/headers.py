"""The headers that API Gateway drops or adds, in lower case, for the checks at synth and the local API Gateway."""

# Dropped before a template or a function sees them. Recorded from AWS, see tests/recorded.
NEVER_ARRIVE = {
    *("connection", "content-length", "content-md5", "expect", "max-forwards", "proxy-authenticate", "server", "te"),
    *("trailer", "transfer-encoding", "upgrade", "www-authenticate"),
}
# Added to every request, in place of the client's own.
ADDED = {"x-amzn-trace-id", "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto"}
