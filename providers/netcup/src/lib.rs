//! netcup as a provider: the CCP API, CloudDNS, and PTR through the server control panel.
