"""A notebook with everything that flatkit shows and nothing that boots: for the test of a whole page, and for the benchmark."""

from __future__ import annotations

from lab import Lab, Notebook

from flatkit import paths

# What a learner types, and what is there when it is ready: a selector below that cell's output.
CELLS = {
    "import flatkit as fk\nfk.doctor()": "table",
    'fk.editor("every.bu")': ".fk-editor[data-became]",
    "from flatkit.widgets import live_machine\nlive_machine.get('every')": ".fk-machine .fk-headline",
    "from flatkit.widgets.card import page_type\n"
    "state = {'machine': 'every', 'session': 'flatkit_every', 'argv': ['sh'], 'consoleArgv': ['sh'], 'gone': False}\n"
    "page_type('terminal')(state, print)": ".fk-terminal .xterm-rows",
    'fk.play("provision", recorded=True)': ".fk-player .fk-step",
    'fk.check("00-name")': ".fk-task .fk-task-body p",
    'fk.check("00-recap")': ".fk-task input[type=radio]",
    "fk.channels()": "table",
    'fk.play("everywhere", "every.bu")': "select",
    'fk.play("community")': ".fk",
    "%%butane wrong.bu\nvariant: flatcar\nversion: 1.1.0\nstorag: {}\nsystemd: 5": ".fk-fault, .fk-note",
    'fk.check("02-script").hint().hint().hint()': ".fk-task .fk-task-body ol",
    'fk.check("02-service").hint().hint().hint()': ".fk-task .fk-task-body pre",
    "fk.course()": "svg",
    'fk.glossary("dm-verity")': ".fk",
    'fk.check("review")': ".fk",
    "from flatkit.widgets.results import WebPage\n"
    "WebPage(url='http://127.0.0.1:1/', status=200, text='<h1>Hello</h1>')": "iframe",
    # The last one: an open prediction stops what is run after it.
    'fk.check("02-predict")': ".fk-task .fk-choices button",
}


def prepare(lab: Lab) -> list[str]:
    """Put the config where the cells want it; the cells."""
    (lab.root / "every.bu").write_text((paths.examples_dir() / "web.bu").read_text(encoding="utf-8"))
    return list(CELLS)


def run_all(notebook: Notebook, *, skip: int = 0) -> float:
    """Run all cells but the first `skip`, which are others, and wait until each shows what it is to show; milliseconds."""
    # A terminal is opened when it is seen.
    notebook.page.set_viewport_size({"width": 1280, "height": 5200})
    return float(notebook.page.evaluate(_RUN_ALL, [skip, list(CELLS.values())]))


_RUN_ALL = """async ([skip, selectors]) => {
  const { content } = jupyterapp.shell.currentWidget;
  const cells = content.widgets.slice(skip);
  const shows = (cell, at) => cell.node.querySelector(".jp-OutputArea")?.querySelector(selectors[at]);
  const began = performance.now();
  content.activeCellIndex = skip;
  content.deselectAll();
  void jupyterapp.commands.execute("notebook:run-all-below");
  while (!cells.every(shows)) {
    if (performance.now() - began > 60000)
      throw new Error(`never shown: ${selectors.filter((_, at) => !shows(cells[at], at))}`);
    await new Promise(requestAnimationFrame);
  }
  return performance.now() - began;
}"""
