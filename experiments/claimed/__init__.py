"""The paper's claims: rules, what they are judged by, and where that is."""
