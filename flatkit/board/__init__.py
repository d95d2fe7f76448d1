"""The trainer's board: what happens at each seat, so that nobody is stuck alone. docs/board.md has the format of events.

At a seat, `journal` keeps what happens in a numbered file and `sender` posts it; on the board, `ledger` stores each event
once and in order, `overview` says how each seat is doing, and `server` shows it to the trainers.
"""
