"""`python -m lenetcli` is `lenet`."""

from lenetcli.cli.app import main

main()
