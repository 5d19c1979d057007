"""Delivery: a process of its own that takes journals to destinations. It can crash, be killed, or be slow, alone."""
