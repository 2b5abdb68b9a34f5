//! Claims and a snapshot into a plan: a pure function.
