"""Tests of the managed plugin. A package, so that its engine ends with the last of them."""
