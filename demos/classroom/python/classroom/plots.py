"""Loss curves and decision boundaries of the lesson in the browser: the functions of demos/plots.py, as charts.

>>> show_loss({"train": [0.9, 0.5]}).chart_spec["curves"]
[{'name': 'train', 'x': [1, 2], 'y': [0.9, 0.5]}]
"""
