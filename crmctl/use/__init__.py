"""Use of customer information (信息使用): asked for, recorded, evaluated; and the copies that left (USE-01 to USE-05).

Knows no subject: rooms that disclose something ask here whether they may, and record here what left.
"""
