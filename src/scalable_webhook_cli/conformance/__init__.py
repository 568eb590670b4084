"""Find out whether an AWS does what this library relies on.

``places.py`` deploys the app of ``app/`` and destroys it, ``cases.py`` has the cases as data, ``ways.py`` the ways in
which a case is tried, and ``run.py`` compares. ``report.py`` prints.
"""
