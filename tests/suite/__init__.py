"""What holds for every run of the tests: in whose shell it runs, how it ends, in which order, and where its time goes."""
