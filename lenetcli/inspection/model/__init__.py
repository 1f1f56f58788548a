"""A model as plain data: layers, parameters, what its filters see, whether its gradients are right."""
