"""Intake: what the engine writes into FIFOs goes into journals, whatever else happens."""
