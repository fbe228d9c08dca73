"""The web page: Gradio, one file a tab, rendering apart in `view`."""
