"""Probability distributions under torch's names: to draw from, to weigh what was drawn, to compare."""

from typing import TYPE_CHECKING

from lenetcli.lazy import offered

if TYPE_CHECKING:
    from lenetcli.distributions.bernoulli import *
    from lenetcli.distributions.categorical import *
    from lenetcli.distributions.distribution import *
    from lenetcli.distributions.exponential import *
    from lenetcli.distributions.independent import *
    from lenetcli.distributions.kl import *
    from lenetcli.distributions.normal import *
    from lenetcli.distributions.one_hot_categorical import *
    from lenetcli.distributions.uniform import *

_MODULES = {
    "lenetcli.distributions.bernoulli": "Bernoulli",
    "lenetcli.distributions.categorical": "Categorical",
    "lenetcli.distributions.distribution": "Distribution",
    "lenetcli.distributions.exponential": "Exponential",
    "lenetcli.distributions.independent": "Independent",
    "lenetcli.distributions.kl": "kl_divergence register_kl",
    "lenetcli.distributions.normal": "Normal",
    "lenetcli.distributions.one_hot_categorical": "OneHotCategorical",
    "lenetcli.distributions.uniform": "Uniform",
}
if not TYPE_CHECKING:
    __getattr__, __dir__, __all__ = offered(__name__, _MODULES, "constraints")
