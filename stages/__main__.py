"""``python -m stages`` is ``paindistill``."""

from stages.cli import main

main()
