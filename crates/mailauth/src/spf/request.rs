use std::borrow::Cow;
use std::net::IpAddr;

use mailzone_record::Name;

use super::expand::text_of;

/// The most octets of an explanation that are kept: those of one SMTP reply line (RFC 5321 section 4.5.3.1.5).
pub const EXPLANATION_LIMIT: usize = 512;

/// A message's envelope, as far as SPF sees it.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The client's address. An IPv4-mapped one counts as IPv4.
    pub ip: IpAddr,
    /// What the client called itself.
    pub helo: &'a str,
    /// The envelope sender without angle brackets. Empty (a bounce): `postmaster` at the HELO name is checked, which is also
    /// how the HELO identity is.
    pub mail_from: &'a str,
    /// Who receives: `%{r}` in explanations; empty where that is not to be told.
    pub receiver: &'a str,
    /// Seconds since 1970: `%{t}` in explanations.
    pub time: u64,
}

/// The processing limits of RFC 7208 section 4.6.4. The time limit is the caller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Terms that query the DNS: 10.
    pub lookups: usize,
    /// Of those, terms for which the DNS has nothing: 2.
    pub void_lookups: usize,
    /// MX records for one `mx`: 10.
    pub exchangers: usize,
    /// PTR names that are looked at: 10.
    pub reverse_names: usize,
}

impl Default for Limits {
    /// The standard's.
    fn default() -> Self {
        Self { lookups: 10, void_lookups: 2, exchangers: 10, reverse_names: 10 }
    }
}

impl<'a> Request<'a> {
    /// A request without receiver and time.
    pub const fn new(ip: IpAddr, helo: &'a str, mail_from: &'a str) -> Self {
        Self { ip, helo, mail_from, receiver: "", time: 0 }
    }

    /// The local part and the domain of the identity that is checked (RFC 7208 sections 2.4 and 4.3).
    pub(super) fn identity(&self) -> (&'a str, &'a str) {
        if self.mail_from.is_empty() {
            return ("postmaster", self.helo);
        }
        match self.mail_from.rsplit_once('@') {
            Some(("", domain)) => ("postmaster", domain),
            Some((local, domain)) => (local, domain),
            None => ("postmaster", self.mail_from),
        }
    }
}

/// Labels in other scripts as A-labels; what does not convert stays, and is no name then.
pub(super) fn ascii(domain: &str) -> Cow<'_, str> {
    if domain.is_ascii() {
        return domain.into();
    }
    Name::parse_idn(domain).ok().and_then(|name| text_of(&name)).map_or_else(|| domain.into(), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_that_is_checked() {
        let identity = |mail_from: &'static str| {
            let request = Request::new([192, 0, 2, 1].into(), "mail.example.com", mail_from);
            let (local, domain) = request.identity();
            format!("{local} {}", ascii(domain))
        };
        for (mail_from, expected) in [
            ("", "postmaster mail.example.com"),
            ("@example.net", "postmaster example.net"),
            ("example.net", "postmaster example.net"),
            ("a@b@example.net", "a@b example.net"),
            ("a@b\u{fc}cher.example", "a xn--bcher-kva.example"),
            ("a@", "a "),
        ] {
            assert_eq!(identity(mail_from), expected);
        }
    }
}
