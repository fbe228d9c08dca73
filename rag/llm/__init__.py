"""The LLM: any OpenAI-compatible endpoint, or the local model in a child process of ours."""
