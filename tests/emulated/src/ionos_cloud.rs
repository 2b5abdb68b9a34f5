//! IONOS Cloud DNS, emulated.
