"""Value prediction (paper, section 2.2)."""
