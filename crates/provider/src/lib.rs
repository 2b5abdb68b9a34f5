//! The Provider trait, capabilities, change batches and typed errors.
