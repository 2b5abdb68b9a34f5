//! Report addresses: the URIs of `rua` and `ruf` in DMARC (RFC 9989 section 4.7) and of `rua` in
//! TLS-RPT (RFC 8460 section 3).

use std::fmt;

use mailzone_record::Name;

use crate::tag_list::is_white;

/// One report address as it stands, valid or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportUri {
    /// The URI without a size limit, as written.
    pub uri: String,
    /// The size limit after `!`, which only RFC 7489 readers know.
    pub size: Option<SizeLimit>,
}

/// The size limit of a report address (RFC 7489 section 6.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SizeLimit {
    /// As written after `!`, without white space.
    pub text: String,
    /// Octets; `None` if the text is no size.
    pub octets: Option<u64>,
}

/// What is wrong with a report address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UriProblem {
    /// An item of the list with a blank inside.
    #[error("`{0}` has a blank inside: addresses are separated by commas")]
    Blank(String),
    /// No scheme, as in `dmarc@example.com`.
    #[error("`{0}` has no scheme: write `mailto:{0}`")]
    NoScheme(String),
    /// A character that no URI has.
    #[error("`{0}` has the character {1:?}, which must be percent-coded in a URI")]
    BadCharacter(String, char),
    /// A `mailto:` URI without a mailbox.
    #[error("`{0}` names no mailbox: write `mailto:user@domain`")]
    NoMailbox(String),
    /// A scheme that report senders need not support.
    #[error("`{0}` has the scheme `{1}`, which report senders need not support: use `mailto:`")]
    OtherScheme(String, String),
    /// A size limit that is no number of octets with `k`, `m`, `g` or `t` after it.
    #[error("`!{0}` is no size limit")]
    BadSize(String),
}

impl ReportUri {
    /// An address without a size limit.
    pub fn new(uri: impl Into<String>) -> Self {
        Self { uri: uri.into(), size: None }
    }

    /// Reads one item of a `rua` or `ruf` list. Never fails: see [`ReportUri::problem`].
    pub fn parse(item: &str) -> Self {
        let item = item.trim_matches(is_white);
        let Some((uri, size)) = item.rsplit_once('!') else { return Self::new(item) };
        let text: String = size.chars().filter(|&c| !is_white(c)).collect();
        let octets = octets(&text);
        Self { uri: uri.trim_matches(is_white).to_owned(), size: Some(SizeLimit { text, octets }) }
    }

    /// The scheme in lower case, if there is one.
    pub fn scheme(&self) -> Option<String> {
        let (scheme, _) = self.uri.split_once(':')?;
        let good = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
        good.then(|| scheme.to_ascii_lowercase())
    }

    /// Whether this is a URI by its syntax (RFC 3986): what RFC 9989 asks of a `rua` that makes up for a
    /// missing or invalid `p`.
    pub fn is_uri(&self) -> bool {
        self.syntax_problem().is_none()
    }

    /// Local part and domain of a `mailto:` URI.
    pub fn mailbox(&self) -> Option<(&str, &str)> {
        let (scheme, rest) = self.uri.split_once(':')?;
        if !scheme.eq_ignore_ascii_case("mailto") {
            return None;
        }
        let address = rest.split('?').next().unwrap_or(rest);
        let (local, domain) = address.rsplit_once('@')?;
        (!local.is_empty() && Name::parse_idn(domain).is_ok_and(|name| !name.is_root())).then_some((local, domain))
    }

    /// The host that receives the reports: the domain of the mailbox, or the host of another URI.
    pub fn host(&self) -> Option<Name> {
        if let Some((_, domain)) = self.mailbox() {
            return Name::parse_idn(domain).ok();
        }
        let (scheme, rest) = self.uri.split_once("://")?;
        if scheme.eq_ignore_ascii_case("mailto") {
            return None;
        }
        let authority = rest.split(['/', '?', '#']).next()?;
        let host = authority.rsplit('@').next()?.split(':').next()?;
        Name::parse_idn(host).ok().filter(|name| !name.is_root())
    }

    /// What would keep reports from being sent there by `mailto:`, the one scheme all senders support.
    pub fn problem(&self) -> Option<UriProblem> {
        if let Some(problem) = self.syntax_problem() {
            return Some(problem);
        }
        match self.scheme() {
            Some(scheme) if scheme != "mailto" => return Some(UriProblem::OtherScheme(self.uri.clone(), scheme)),
            _ if self.mailbox().is_none() => return Some(UriProblem::NoMailbox(self.uri.clone())),
            _ => {}
        }
        self.size.as_ref().filter(|size| size.octets.is_none()).map(|size| UriProblem::BadSize(size.text.clone()))
    }

    /// The form in which addresses are compared (rule book 4.5): scheme and host without case, local part
    /// with case, the size limit in octets.
    pub(crate) fn comparable(&self) -> String {
        let mut text = match (self.mailbox(), self.uri.split_once("://")) {
            (Some((local, domain)), _) => {
                let query = self.uri.split_once('?').map(|(_, query)| format!("?{query}")).unwrap_or_default();
                format!("mailto:{local}@{}{query}", domain.to_ascii_lowercase())
            }
            (None, Some((scheme, rest))) => {
                let host_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
                let (authority, path) = rest.split_at(host_end);
                format!("{}://{}{path}", scheme.to_ascii_lowercase(), authority.to_ascii_lowercase())
            }
            (None, None) => self.uri.clone(),
        };
        match &self.size {
            Some(SizeLimit { octets: Some(octets), .. }) => text.push_str(&format!("!{octets}")),
            Some(SizeLimit { text: size, .. }) => text.push_str(&format!("!{size}")),
            None => {}
        }
        text
    }

    fn syntax_problem(&self) -> Option<UriProblem> {
        let owned = || self.uri.clone();
        if self.uri.contains(is_white) {
            return Some(UriProblem::Blank(owned()));
        }
        if self.scheme().is_none() {
            return Some(UriProblem::NoScheme(owned()));
        }
        let bad = |c: &char| {
            !matches!(c, '!'..='~')
                || matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}' | '!' | ',' | ';')
        };
        self.uri.chars().find(bad).map(|c| UriProblem::BadCharacter(owned(), c))
    }
}

impl fmt::Display for ReportUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.uri)?;
        self.size.as_ref().map_or(Ok(()), |size| write!(f, "!{}", size.text))
    }
}

/// The octets of `10m`; units are powers of 1024 (RFC 7489 section 6.4).
fn octets(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return None,
    };
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes() {
        for (item, expected) in [
            ("mailto:a@example.com!10 K ", Some(10_240)),
            ("mailto:a@example.com ! 2G", Some(2_147_483_648)),
            ("mailto:a@example.com!50", Some(50)),
            ("mailto:a@example.com!m", None),
            ("mailto:a@example.com!+1", None),
            ("mailto:a@example.com!99999999999999999999t", None),
        ] {
            let uri = ReportUri::parse(item);
            assert_eq!(uri.uri, "mailto:a@example.com");
            assert_eq!(uri.size.unwrap().octets, expected, "{item}");
        }
        assert_eq!(ReportUri::parse("mailto:a@example.com").size, None);
    }

    #[test]
    fn hosts() {
        for (uri, host) in [
            ("mailto:a@Example.COM", Some("example.com")),
            ("mailto:a@example.com?subject=x@y", Some("example.com")),
            ("https://user@reports.example:8443/v1@x", Some("reports.example")),
            ("mailto://abuse.com", None),
            ("mailto:abuse.com", None),
            ("a@example.com", None),
        ] {
            let host = host.map(|host| Name::parse(host).unwrap());
            assert_eq!(ReportUri::new(uri).host(), host, "{uri}");
        }
    }

    #[test]
    fn problems() {
        let items = [
            "mailto:a@example.com mailto:b@example.com",
            "dmarc@example.com",
            "mailto:a@example.com!1x",
            "mailto:abuse.com",
            "https://example.com/report",
            "mailto:\u{e4}@example.com",
            "mailto:a@example.com",
        ];
        let shown = items.map(|item| ReportUri::parse(item).problem().map_or_else(|| "fine".into(), |p| p.to_string()));
        insta::assert_snapshot!(shown.join("\n"), @"
        `mailto:a@example.com mailto:b@example.com` has a blank inside: addresses are separated by commas
        `dmarc@example.com` has no scheme: write `mailto:dmarc@example.com`
        `!1x` is no size limit
        `mailto:abuse.com` names no mailbox: write `mailto:user@domain`
        `https://example.com/report` has the scheme `https`, which report senders need not support: use `mailto:`
        `mailto:ä@example.com` has the character 'ä', which must be percent-coded in a URI
        fine
        ");
    }

    proptest! {
        #[test]
        fn any_text_reads(text in any::<String>()) {
            let uri = ReportUri::parse(&text);
            uri.problem();
            uri.host();
            prop_assert_eq!(uri.comparable(), ReportUri::parse(&text).comparable());
        }
    }
}
