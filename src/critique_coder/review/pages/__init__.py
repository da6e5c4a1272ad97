"""The pages of a review, one file each; ``server`` says how to add one."""
