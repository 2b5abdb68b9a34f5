//! The built program, end to end.

mod architecture;
