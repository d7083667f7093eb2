"""The guided tour through the app, and presenter mode."""
