"""Published recipes trained several times, by this program and by their plain Keras scripts, and what that shows."""
