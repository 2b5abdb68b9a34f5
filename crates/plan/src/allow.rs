use mailzone_mailauth::Finding;
use mailzone_record::Name;

/// A guard that may pass or a finding that is waived: `--allow CODE[:NAME]`, or an `allow` entry of the
/// configuration that has not run out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow {
    /// The finding's code; compared without case.
    pub code: String,
    /// The owner name that it is for: absolute, or relative to `domain`. `None`: any.
    pub name: Option<String>,
    /// The domain whose table holds the entry; `None` for the command line.
    pub domain: Option<Name>,
    /// Why, for the record.
    pub reason: Option<String>,
}

impl Allow {
    /// Reads `CODE` or `CODE:NAME` as given on the command line. Never fails: an unknown code allows
    /// nothing and the caller says so.
    pub fn from_argument(text: &str) -> Self {
        let (code, name) = match text.split_once(':') {
            Some((code, name)) => (code, Some(name.to_owned())),
            None => (text, None),
        };
        Self { code: code.to_owned(), name, domain: None, reason: None }
    }

    /// Whether this lets `finding` pass, which concerns `owner` in `zone` and the configured domain `domain`. An entry
    /// of one domain covers nothing of another, above or below.
    pub fn covers(&self, finding: &Finding, owner: &Name, domain: Option<&Name>, zone: &Name) -> bool {
        if !self.code.eq_ignore_ascii_case(&finding.code) {
            return false;
        }
        let base = self.domain.as_ref().unwrap_or(zone);
        if self.domain.is_some() && self.domain.as_ref() != domain {
            return false;
        }
        match self.name.as_deref() {
            None => true,
            Some("@") => owner == base,
            Some(name) => {
                Name::parse_idn(name).is_ok_and(|absolute| absolute == *owner)
                    || (!name.ends_with('.') && base.prepend(name).is_ok_and(|relative| relative == *owner))
            }
        }
    }
}
