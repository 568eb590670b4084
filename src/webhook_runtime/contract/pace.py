"""The pace of an adaptive rate: synth time needs its start for warnings."""

# The part of the maximum at which it starts.
START = 0.1
