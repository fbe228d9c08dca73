"""From documents to cited answers. The parts are put together in `rag.wiring`."""
