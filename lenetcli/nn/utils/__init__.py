"""Gradient clipping, parameters as one vector, weights computed from others (torch.nn.utils)."""

from lenetcli.nn.utils import parametrizations, parametrize, rnn
from lenetcli.nn.utils.clip_grad import clip_grad_norm_, clip_grad_value_, clip_grads_with_norm_, get_total_norm
from lenetcli.nn.utils.convert_parameters import parameters_to_vector, vector_to_parameters
from lenetcli.nn.utils.weight_norm import remove_spectral_norm, remove_weight_norm, spectral_norm, weight_norm

__all__ = [
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "get_total_norm",
    "parameters_to_vector",
    "parametrizations",
    "parametrize",
    "remove_spectral_norm",
    "remove_weight_norm",
    "rnn",
    "spectral_norm",
    "vector_to_parameters",
    "weight_norm",
]
