"""Tests of text of messages."""
