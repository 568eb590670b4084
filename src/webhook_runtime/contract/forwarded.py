"""The headers of a webhook that are forwarded to an HTTP service.

Names are in lower case with hyphens: many servers treat "-" and "_" as equal.
"""

# These belong to the connection on which the webhook arrived.
OF_THE_CONNECTION = frozenset(
    {
        "alt-used",
        "connection",
        "content-length",
        "early-data",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

# A proxy tells the service behind it about the client by these headers, and the service trusts them. Here, any client
# could send them.
_TRUSTED = frozenset(
    {
        # The environment of a CGI program, https://httpoxy.org, and the path, host or method of another request.
        *("proxy", "x-rewrite-url", "x-host", "x-http-host-override", "x-http-method", "x-http-method-override"),
        *("x-method-override", "x-http-path-override", "x-script-name", "x-scheme", "x-url-scheme", "front-end-https"),
        # The address of a client.
        *("forwarded", "x-forwarded", "forwarded-for", "x-real-ip", "x-client-ip", "client-ip", "true-client-ip"),
        *("x-cluster-client-ip", "x-originating-ip", "cf-connecting-ip"),
        *("cf-connecting-ipv6", "cf-pseudo-ipv4", "fastly-client-ip", "fly-client-ip", "do-connecting-ip"),
        *("proxy-client-ip", "x-proxyuser-ip", "via", "cdn-loop", "x-azure-fdid", "x-arr-ssl"),
        *("x-azure-clientip", "x-azure-socketip", "x-appengine-user-ip", "x-nf-client-connection-ip"),
        # The certificate of a client, https://www.rfc-editor.org/rfc/rfc9440.
        *("client-cert", "client-cert-chain", "x-arr-clientcert", "x-certificate", "x-cert"),
        # The user who is signed in.
        *("x-user", "x-user-id", "x-userid", "x-username", "x-user-name", "x-user-email", "x-user-roles"),
        *("x-user-groups", "x-email", "x-groups", "x-roles", "x-authenticated", "x-consumer-id", "x-consumer-username"),
        *("x-consumer-groups", "x-consumer-custom-id", "x-userinfo", "x-apigateway-api-userinfo", "sm-user", "iv-user"),
        *("iv-groups", "iv-creds", "oam-remote-user", "x-endpoint-api-userinfo", "x-jwt-assertion", "l5d-client-id"),
        *("x-user-role", "x-auth-user", "x-auth-email", "x-auth-roles", "x-auth-groups", "x-auth-username"),
        # Headers that a framework or a server obeys if its own proxy sends them.
        *("x-middleware-subrequest", "x-sendfile-type", "x-accel-mapping"),
        *("x-credential-identifier", "x-anonymous-consumer", "x-goog-iap-jwt-assertion", "x-serverless-authorization"),
    }
)
_TRUSTED_PREFIXES = (
    *("x-forwarded-", "x-original-", "remote-", "x-remote-", "x-client-cert", "x-client-dn", "x-client-verify"),
    *("ssl-", "x-ssl-", "x-tls-", "x-amzn-mtls-", "x-amzn-oidc-", "x-ms-client-principal", "x-ms-token-"),
    *("x-goog-authenticated-user-", "cf-access-", "tailscale-user-", "x-auth-request-", "x-authenticated-"),
    *("x-proxy-", "wl-proxy-", "oidc-claim-", "mellon-", "shib-", "cloudfront-viewer-"),
    *("x-authentik-", "x-webauth-", "x-vouch-", "x-pomerium-", "x-envoy-", "x-internal-", "x-trusted-"),
)


def plain(name: str) -> str:
    """Return the name in the form in which names are compared."""
    return name.lower().replace("_", "-")


def is_trusted(name: str) -> bool:
    """Tell whether a service might trust the header of this plain name. It is forwarded only if a user asks for it."""
    return name in _TRUSTED or name.startswith(_TRUSTED_PREFIXES)
