"""The data plane of API Gateway, in front of the emulator, which lacks most of it."""
