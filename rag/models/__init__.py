"""Models on this machine: which there are, how they get here, and whether they are whole.

This package runs no model.
"""

from rag.models.store import ModelInfo, ModelStore, Problem, fingerprint

__all__ = ["ModelInfo", "ModelStore", "Problem", "fingerprint"]
