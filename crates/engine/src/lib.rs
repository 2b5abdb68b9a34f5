//! Fetch, plan, apply, settle, verify; journal, lock, cancellation.
