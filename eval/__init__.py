"""Offline evaluation: questions, metrics, reports."""
