"""`python -m claw` is the `claw` command."""

from claw.cli.main import main

main()
