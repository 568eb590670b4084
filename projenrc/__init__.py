"""What .projenrc.py puts together: the package, what checks it, and what the code host does with it."""
