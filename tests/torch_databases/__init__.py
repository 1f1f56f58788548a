"""torch's own test databases (operators, modules, optimizers) run against this package."""
