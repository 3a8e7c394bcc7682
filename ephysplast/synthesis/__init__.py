"""Recordings with known truth: a release sampler of its own, response shapes, noise, and the sample data.

Nothing here shares code with a likelihood or an analyser, so what is synthesised can test both.
"""
