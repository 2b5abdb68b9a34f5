//! netcup's CCP API, emulated.
