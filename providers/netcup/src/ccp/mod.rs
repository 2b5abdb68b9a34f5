//! The legacy CCP DNS API: one session for a run, one request at a time, whole zones.

mod answer;
mod codec;
#[cfg(test)]
mod recorded;
mod session;
mod zone;

pub(crate) use codec::refuse;
pub(crate) use session::Ccp;
