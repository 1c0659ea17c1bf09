"""The tables: those of the ERP, then those of the portal."""
