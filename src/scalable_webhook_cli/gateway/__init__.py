"""API Gateway's data plane, in front of the local AWS, which lacks most of it."""
