"""What trains what: one file for each way of training, each turning a finished build into rows.

``hybrid`` (rl, crl and their mix), ``cft``, ``cgd``, ``ctrl``, ``cure``, ``kto``; ``columns`` says which columns they
have, ``source`` what they draw from, ``export`` writes them as a folder.
"""
