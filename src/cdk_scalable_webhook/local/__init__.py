"""A local AWS to deploy to, with no account and no Docker (extra ``[local]``). It never talks to anything but
loopback."""
