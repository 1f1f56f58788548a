"""A script written for torch, answered by this package: `python -m lenetcli.as_torch SCRIPT [ARGS]`.

`torch` and `torchvision` are names of this package while the script runs, whether torch is installed or not; random
numbers are torch's own. A name that is not here is told with the script's line; at the end the script is told which
names were answered by something that does less than torch's.
"""
