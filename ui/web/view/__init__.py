"""Turns what the program knows into HTML, purely: one file a tab. No Gradio, no state, no I/O.

Everything that comes from users, documents and models is data: it is escaped here and stays text, whatever
tags, links or Markdown it holds.
"""
