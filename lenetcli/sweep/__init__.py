"""Storey 6, above training: many runs of one configuration, each with other values; shared by any number of workers."""
