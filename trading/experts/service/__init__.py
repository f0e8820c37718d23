"""Use cases of the register, of draws and of committees (ED1 D2 to D11)."""
