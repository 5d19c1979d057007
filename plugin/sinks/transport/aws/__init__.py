"""Accounts of AWS: credentials, regions and endpoints."""
