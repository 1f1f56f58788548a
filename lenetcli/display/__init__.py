"""Storey 0, beside the kernels: pictures and HTML from arrays and texts alone, for notebooks and pages.

Whatever comes in as text is escaped. Colours are the reader's own where they can be, so that what is shown here suits a
light page as well as a dark one.
"""
