"""Turns arrays and reports into Altair charts and pictures. Altair is imported when the first chart is drawn."""
