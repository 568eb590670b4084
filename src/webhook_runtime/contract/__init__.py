"""Facts that synth time and run time share: the only modules of run time that synth time imports."""
