"""The local AWS: an emulator on this machine, without an account and without Docker. It talks to loopback only."""
