"""How a request becomes a message: API, access control, ingress."""
