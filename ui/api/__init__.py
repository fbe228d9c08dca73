"""What other programs call: an OpenAI-compatible endpoint, plain JSON, MCP tools, health and metrics."""
