"""Authenticode: who signed a Windows program, and whether that counts here."""
