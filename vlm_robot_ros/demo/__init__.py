"""The scripted and the interactive demo."""
