"""What synth time and run time both say, and the one thing of run time that synth time imports."""
