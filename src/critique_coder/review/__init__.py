"""People judge solutions and critiques: what they answer, how far they agree, and what that changes."""
