//! The built program, end to end.
