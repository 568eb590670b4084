"""Synth-time guardrails: a wrong argument is a ValueError in the constructor, never a failed deployment.

Every message names the argument, the limit, the value that it got and what to do instead. Values that are known only at
deployment (tokens) pass. A check that one module needs alone is in that module.
"""
