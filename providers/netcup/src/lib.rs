//! netcup as a provider: the CCP API, CloudDNS, and PTR through the server control panel.
//!
//! netcup has three APIs that know nothing of each other. Which of the two for DNS holds a zone is found out for each
//! zone, once in a run: CloudDNS is asked first, for it alone can say that a domain is on the other.
//!
//! **CCP** knows a TTL for the zone alone: RRsets have none, and the zone's is never changed. All changes of a stage
//! are one call, which is not known to be atomic, so after each error the zone is read again. **CloudDNS** takes all
//! changes of a stage as one revision, and compares what is to go in the same step; how it spells records is
//! taken from the zone (`clouddns`). **PTR** is set for one address at a time; each address that an account
//! holds appears as a zone of its own ([`mailzone_provider::reverse`]).
//!
//! A zone whose place cannot be told is listed too: reading it gives the reason, while others go on.

mod ccp;
mod clouddns;
mod delta;
mod locate;
mod provider;
mod reverse_name;
mod scp;
mod settings;
mod text;

pub use provider::NetcupProvider;
pub use settings::{
    CCP_ENDPOINT, CCP_LIMIT, CcpSettings, CloudDnsSettings, REST_ENDPOINT, REST_LIMIT, SCP_ENDPOINT, SCP_LIMIT,
    ScpSettings, Settings,
};
