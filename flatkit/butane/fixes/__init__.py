"""Suggested edits by kind of fault. Each module makes candidates; `quickfix` tries them before they are offered."""
