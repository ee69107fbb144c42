"""A local server that speaks the OpenAI chat-completions protocol (extra `serve`)."""
