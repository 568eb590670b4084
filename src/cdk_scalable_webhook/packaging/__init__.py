"""The functions: their code, their packages, and the functions themselves."""
