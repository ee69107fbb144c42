"""A scored set of prompts for small chat models, and what the score is made of.

It knows prompts, exact checks and their report; it does not know how a model is trained. Answers
come from edge_sdk.Chat on any device.
"""
