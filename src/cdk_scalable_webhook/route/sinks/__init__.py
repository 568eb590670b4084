"""The kinds of sinks. Each is loaded when it is asked for: the CDK modules that it needs cost every synth."""
