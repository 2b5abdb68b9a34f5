//! The IONOS hosting DNS API, emulated.
