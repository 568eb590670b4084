"""What holds for every run of the tests: in whose shell, in which order, how it ends, and where its time goes."""
