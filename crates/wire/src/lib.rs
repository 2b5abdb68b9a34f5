//! DNS exchanges over UDP and TCP; the only user of the DNS library.
