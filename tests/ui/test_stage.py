"""The stage itself: a widget's two sides talk, and nothing leaves this host unseen."""

from __future__ import annotations

import pytest
from browser import open_context
from playwright.sync_api import Browser, expect
from stage import Stage

anywidget = pytest.importorskip("anywidget")
traitlets = pytest.importorskip("traitlets")

_SCRIPT = """
export default { render({ model, el }) {
  const button = Object.assign(document.createElement("button"), { textContent: model.get("label") });
  model.on("change:label", () => { button.textContent = model.get("label"); });
  model.on("msg:custom", (content, buffers) => { button.title = `${content.word} ${buffers[0]?.getUint8(0)}`; });
  button.onclick = () => { model.set("count", model.get("count") + 1); model.save_changes(); model.send({ ask: 1 }); };
  el.append(button);
  return () => { document.title = "unmounted"; };
} };
"""


class Probe(anywidget.AnyWidget):
    _esm = _SCRIPT
    label = traitlets.Unicode("press").tag(sync=True)
    count = traitlets.Int(0).tag(sync=True)


def test_both_sides_of_a_widget_talk(stage: Stage) -> None:
    probe = Probe()
    probe.on_msg(lambda widget, content, buffers: widget.send({"word": f"answer to {content['ask']}"}, [b"\x07"]))
    mounted = stage.mount(probe)
    button = stage.page.get_by_role("button", name="press")
    button.click()
    expect(button).to_have_attribute("title", "answer to 1 7")
    assert probe.count == 1
    probe.label = "pressed"
    expect(mounted.root).to_contain_text("pressed")
    mounted.unmount()
    expect(stage.page).to_have_title("unmounted")
    probe.close()


def asking_page(browser: Browser) -> None:
    with open_context(browser) as context:
        page = Stage(context).page
        answer = page.evaluate("fetch('http://flatkit.invalid/x.css').then(() => 'got it', () => 'refused')")
        assert answer == "refused"


def failing_page(browser: Browser) -> None:
    with open_context(browser) as context:
        page = Stage(context).page
        with page.expect_event("pageerror"):
            page.evaluate("() => { setTimeout(() => { throw new Error('planted'); }); }")


def test_asking_another_host_is_seen_and_refused(browser: Browser) -> None:
    with pytest.raises(AssertionError, match="other hosts"):
        asking_page(browser)


def test_an_error_of_a_script_is_seen(browser: Browser) -> None:
    with pytest.raises(AssertionError, match="script"):
        failing_page(browser)
