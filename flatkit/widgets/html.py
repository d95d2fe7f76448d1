"""Pieces of HTML: escaped text, and colours that follow the page's light or dark theme."""

from __future__ import annotations

from html import escape as _escape

from flatkit.untrusted import escape_hidden

# JupyterLab and VS Code give their colours by these names. Their own styles reach in, so every rule is below a class of
# ours, and that class is written twice where theirs would win.
STYLE = """<style>
.fk {font-family: var(--jp-ui-font-family, sans-serif); font-size: 13px; line-height: 1.5;
 color: var(--jp-ui-font-color1, var(--vscode-foreground, #222)); max-width: 60em}
.fk.fk pre {font-family: var(--jp-code-font-family, monospace); font-size: 12px; line-height: 1.45;
 margin: 4px 0; padding: 6px 8px; white-space: pre-wrap; overflow-wrap: anywhere; color: inherit;
 max-height: 30em; overflow: auto;
 background: var(--jp-layout-color2, var(--vscode-textCodeBlock-background, #f3f3f3))}
.fk.fk pre.fk-end {display: flex; flex-direction: column-reverse}
.fk.fk code {font-family: var(--jp-code-font-family, monospace); background: none; color: inherit; padding: 0}
.fk.fk table {border-collapse: collapse; margin: 4px 0; font-size: 13px}
.fk.fk tbody tr, .fk.fk tbody tr:hover {background: none}
.fk.fk td, .fk.fk th {text-align: left; vertical-align: top; padding: 2px 14px 2px 0; background: none; border: 0}
.fk .fk-dim {color: var(--jp-ui-font-color2, var(--vscode-descriptionForeground, #555))}
.fk .fk-ok {color: var(--jp-success-color0, #1b5e20)}
.fk .fk-bad {color: var(--jp-error-color0, #b71c1c)}
[data-jp-theme-light="false"] .fk .fk-ok {color: var(--jp-success-color2, #81c784)}
[data-jp-theme-light="false"] .fk .fk-bad {color: var(--jp-error-color2, #e57373)}
.fk.fk .fk-number {text-align: right; font-variant-numeric: tabular-nums}
.fk .fk-badge {border: 1px solid var(--jp-border-color1, #999); border-radius: 9px; padding: 0 8px; font-size: 12px}
.fk .fk-bar {display: inline-block; height: 8px; background: var(--jp-brand-color1, #1976d2); min-width: 1px}
.fk .fk-fault {border-left: 3px solid var(--jp-error-color1, #d32f2f); padding-left: 8px; margin: 6px 0}
.fk .fk-note {border-left: 3px solid var(--jp-warn-color1, #f57c00); padding-left: 8px; margin: 6px 0}
.fk .fk-line {font-weight: bold}
.fk details summary {cursor: pointer}
.fk iframe {display: block; width: 100%; height: 11em; resize: vertical; overflow: auto; margin: 4px 0;
 border: 1px solid var(--jp-border-color1, #999); background: #fff}
</style>"""


def escape(value: object) -> str:
    """Return text as HTML, with hidden characters made visible: it may come from a machine or a server."""
    return _escape(escape_hidden(value))


def block(*parts: str, role: str = "") -> str:
    """Return parts of HTML as one display, with the style sheet."""
    spoken = f' role="{role}" aria-live="polite"' if role else ""
    return f'{STYLE}<div class="fk"{spoken}>{"".join(parts)}</div>'


# Hidden where it is not known whether the widget lives. JupyterLab shows an error in the place of a widget without a
# kernel; the text takes that place.
_KEPT = """<style>
.fk-kept {display: none}
.jp-OutputArea-child:not(:has(.fk-widget)) + .jp-OutputArea-child .fk-kept {display: block}
.jp-OutputArea-child:has(.fk-widget) + .jp-OutputArea-child:has(.fk-kept) {display: none}
.jp-OutputArea-child:not(:has(.fk-widget, .fk-kept)):has(+ .jp-OutputArea-child .fk-kept) {display: none}
</style>"""


def kept(twin: str, wake: str) -> str:
    """Return the text of a widget that is seen when the widget is gone, and what brings it back."""
    return f'{_KEPT}<div class="fk-kept">{block(line(text(wake, "line")), pre(twin))}</div>'


def text(value: object, kind: str = "") -> str:
    """Return escaped text, in a span of the class `kind` if there is one (ok, bad, dim, badge, line)."""
    escaped = escape(value)
    return f'<span class="fk-{kind}">{escaped}</span>' if kind else escaped


def line(*parts: str) -> str:
    """Return one line."""
    return f"<div>{''.join(parts)}</div>"


def pre(value: object, label: str = "", *, at_end: bool = False) -> str:
    """Return preformatted text; `label` is its accessible name. `at_end`: a long one is scrolled to its end, as a terminal."""
    named = f' role="region" tabindex="0" aria-label="{escape(label)}"' if label else ""
    place = ' class="fk-end"' if at_end else ""
    return f"<pre{place}{named}>{escape(value)}</pre>"


# What a machine sends must not reach out of its frame: no script, no form, and nothing is fetched for it.
_CLOSED = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">"


def frame(page: str, title: str) -> str:
    """Return a foreign page of HTML, shown as a page: its style counts, and it can do nothing."""
    return f'<iframe sandbox title="{escape(title)}" srcdoc="{escape(_CLOSED + page)}"></iframe>'


def link(label: object, url: str) -> str:
    """Return a link to an address of flatkit's own making; it opens in a tab of its own."""
    return f'<a href="{escape(url)}" target="_blank" rel="noopener noreferrer">{escape(label)}</a>'


def folded(title: str, body: str) -> str:
    """Return a body that opens on a click."""
    return f"<details><summary>{escape(title)}</summary>{body}</details>"
