"""The page that steps through a batch: ``step_through`` records the passes, lays out the graph, and writes the page."""
