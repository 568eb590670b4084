"""An AWS on this machine to deploy to, with no account and no Docker. It talks to loopback only."""
