"""Checks at synth: a wrong argument is a ValueError in the constructor, never a failed deployment.

Every message names the argument, the limit, the value and the remedy. Values that are known only at deployment (tokens)
pass. A check that only one module needs is in that module.
"""
