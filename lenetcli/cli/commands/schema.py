"""`lenet schema`: the JSON Schema of configurations."""

from __future__ import annotations

import json


def schema() -> None:
    """Print the JSON Schema (Draft 7) of configurations, for editors that complete and check YAML.

    Example: lenet schema > lenet.schema.json
    """
    from lenetcli.config.json_schema import schema as of_configs

    print(json.dumps(of_configs(), indent=1))
