"""Start of each kernel of `flatkit course` (PYTHONSTARTUP), so that a cell that runs too early names what is missing.

It registers the explanation of undefined names before the first cell, and leaves no name behind.
"""

try:
    from flatkit.widgets.missing import register as _flatkit_register
except ImportError:  # a kernel of another environment
    pass
else:
    _flatkit_register()
    del _flatkit_register
