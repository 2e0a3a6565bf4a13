"""The colours of graph pictures, pages and plots: roles, data and gradients look the same wherever they are shown.

Chosen by search so that the fills differ by a CIELAB distance of 12 or more for normal vision and for each of the three
kinds of colour blindness, and so that black, ``DATA`` and ``GRADIENT`` text has a contrast of at least 4.5 on each.
"""

DATA = "#00508C"  # blue
GRADIENT = "#9A3B00"  # orange, darkened until it reads as text
FRAME = "#8A8A8A"  # frames and edges around which the rest stands out

ROLES = {
    "input": "#D5E8FA",
    "parameter": "#EAD7AD",
    "constant": "#D0D0D0",
    "hidden": "#FFFFFF",
    "loss": "#F8BBFF",
}
