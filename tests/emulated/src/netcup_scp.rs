//! netcup's server control panel, emulated.
