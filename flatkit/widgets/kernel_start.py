"""What a kernel of `flatkit course` runs first (PYTHONSTARTUP), so that a cell which is run too early says what is missing.

The magics and the explanation of missing names are there before the first cell; no name is left behind.
"""

try:
    from flatkit.widgets.missing import register as _flatkit_register
except ImportError:  # a kernel of another environment
    pass
else:
    _flatkit_register()
    del _flatkit_register
