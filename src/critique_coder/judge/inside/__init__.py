"""What runs inside the jail: standard library only, executed by path (``__main__.py``), never imported by the caller.

The one exception is ``values``, which both rooms share: how a value becomes bytes and back.
"""
