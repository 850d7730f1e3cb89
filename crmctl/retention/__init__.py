"""What is destroyed when nobody needs it any more: planned, agreed to, done, proved (DES-01 to DES-08)."""
