//! Amazon Route 53, emulated.
