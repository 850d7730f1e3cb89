"""Notices (通知): short lines about what is due, kept until a channel took them; a channel that fails stops nobody.

A verb writes its notices in its own transaction (`queue`); after its commit `deliver` sends what waits, each channel
one digest. What a channel did not take stays and is tried again by the next run or by `crmctl notify send`. Knows no
subject: what a line says is a code with numbers and times, never a person's data.
"""
