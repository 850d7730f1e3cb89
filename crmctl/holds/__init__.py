"""What may not be destroyed for now, whatever policies say: frozen by hand, or by a case that is open (DES-07)."""
