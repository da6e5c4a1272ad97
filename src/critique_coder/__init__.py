"""critique-coder: train code models to write programs and to judge them."""

__version__ = "0.1.0"
