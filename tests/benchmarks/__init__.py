"""Speed as ratios to raw floors measured in the same run; see ``nox -s bench``."""
