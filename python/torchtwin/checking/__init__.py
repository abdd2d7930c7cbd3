"""Notebooks executed under watch, for course authors and continuous integration."""
