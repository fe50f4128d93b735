"""Tests of the decoder in JavaScript, in web/."""
