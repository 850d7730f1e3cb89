"""Cases: what is opened, goes through stages with limits, and is closed; complaints now, requests and conflicts later.

The room knows stages and their clocks, not what a case is about: which events begin and end which stage is policy, and
a subject says what its events are.
"""
