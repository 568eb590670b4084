"""The command line ``scalable-webhook``, and the local AWS that it starts (extra ``[local]``).

It imports neither the CDK nor the construct: an app runs in a process of its own.
"""
