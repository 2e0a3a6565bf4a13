"""Pictures of graphs and networks, formulas of gradients: ``draw``, ``explain``, and what they are made of."""
