"""What a function runs: its code, its packages, and the function itself."""
