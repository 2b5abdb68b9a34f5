use std::fmt;

use mailzone_record::Name;

/// The name of a provider's table in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProviderId(Box<str>);

/// A service's own identifier of a zone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZoneId(Box<str>);

/// One zone that a provider lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// The service's identifier.
    pub id: ZoneId,
    /// The apex.
    pub name: Name,
    /// What may be done with it.
    pub access: Access,
    /// The name servers that the service assigned to the zone, empty if it does not tell.
    pub nameservers: Vec<Name>,
}

/// What may be done with a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Read and written.
    ReadWrite,
    /// Only read.
    ReadOnly {
        /// Why: secondary, locked, another service's.
        reason: Box<str>,
        /// What to do about it.
        remedy: Box<str>,
    },
}

impl ProviderId {
    /// The identifier `text`.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The identifier as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ZoneId {
    /// The identifier `text`.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The identifier as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProviderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ZoneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
