"""Paper and media with customer information (纸质资料): where it lies, who keeps it, when it was destroyed (SEC-06).

A purge reaches no folder in a cabinet. It makes due what is about whom it destroyed; people destroy it, and say so.
"""
