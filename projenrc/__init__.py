"""The parts of .projenrc.py: the package, its checks, and the files for the code host."""
