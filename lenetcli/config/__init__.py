"""Storey 4: YAML to a checked, frozen Config in which every value knows its line.

files -> text (a tree with places) -> overrides, document (sections of other files) -> derive, catalogue, components
(what a class takes) -> sections, loading (the whole) ; explain, wording (what is wrong) ; writing, json_schema.
"""

from lenetcli.config.components import Component
from lenetcli.config.loading import load
from lenetcli.config.problems import InvalidConfig, Problem, dotted
from lenetcli.config.sections import Config, Model, Train
from lenetcli.config.writing import dump

__all__ = ["Component", "Config", "InvalidConfig", "Model", "Problem", "Train", "dotted", "dump", "load"]
