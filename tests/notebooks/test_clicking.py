"""The clicker itself: it notices what a handler raises, which nbclient alone never hears of."""

from __future__ import annotations

import nbformat
import pytest
from clicking import Clicker

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:zmq", "ignore::DeprecationWarning:jupyter_client")

BUTTON = """import ipywidgets
button = ipywidgets.Button(description="press")
button.on_click(lambda b: {action})
button"""
ACTIONS = [
    ("setattr(b, 'description', 'pressed')", ""),
    ("1 / 0", "ZeroDivisionError"),
    ("b.nothing()", "AttributeError"),
]


@pytest.mark.parametrize(("action", "fault"), ACTIONS, ids=["does it", "fails", "fails otherwise"])
def test_a_handler_that_fails_is_noticed(kernel: str, action: str, fault: str) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(BUTTON.format(action=action))])
    client = Clicker(notebook, kernel_name=kernel, timeout=120)
    with client.setup_kernel():
        client.execute_cell(notebook.cells[0], 0)
        (button,) = client.find(_model_name="ButtonModel")
        if fault:
            with pytest.raises(AssertionError):
                client.click(button)
        else:
            client.click(button)
            client.wait_for(button, "description", lambda text: text == "pressed")
        assert len(client.faults) == bool(fault)
        assert fault in "".join(client.faults)
