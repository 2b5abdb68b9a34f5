//! The providers' services, emulated in process: stateful, strict, and faulty on command.

pub mod cloudflare;
pub mod ionos_cloud;
pub mod ionos_hosting;
pub mod netcup_ccp;
pub mod netcup_clouddns;
pub mod netcup_scp;
pub mod route53;
