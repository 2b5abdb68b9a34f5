//! What the REST providers share: one client, retries, request budget, limits, redaction.
