"""What a model can do on held-out problems, and whether a difference between two models is more than chance."""
