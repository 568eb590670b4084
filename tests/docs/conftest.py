import os

# As for the tests of synth: the built-in validator costs a second a synth.
os.environ.setdefault("CDK_VALIDATION", "false")
