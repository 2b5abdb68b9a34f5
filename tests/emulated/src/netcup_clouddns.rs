//! netcup's CloudDNS API, emulated.
