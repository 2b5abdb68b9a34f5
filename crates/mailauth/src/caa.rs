//! Which certificate authorities may issue for a name (RFC 8659, RFC 9495).

use std::collections::BTreeSet;

use mailzone_record::{Caa, Name, Rdata, RecordType};

use crate::finding::{Finding, Severity};
use crate::kind::{Class, Difference, Equality, Kind, KindId, LiveSlot, Recognition};
use crate::set::{self, Sets};

/// The kind `caa`: the values of the property tags that the configuration names.
///
/// Classes: fewer issuers, or the first of a property, tighten; more, or the last going, loosen; other
/// properties are neutral, or unknown where they are critical and not known here.
#[derive(Debug, Clone, Copy)]
pub struct CertificateAuthorities;

/// The value of an issue property (RFC 8659 section 4.2).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IssueValue {
    /// The authority's domain in lower case; `None` for nobody (`;`).
    pub issuer: Option<String>,
    /// `name=value` pairs, such as `accounturi` (RFC 8657).
    pub parameters: BTreeSet<(String, String)>,
}

/// The properties that restrict issuing: certificates, wildcard ones, S/MIME, brand marks.
const ISSUE_TAGS: &[&str] = &["issue", "issuewild", "issuemail", "issuevmc"];
const OTHER_TAGS: &[&str] = &["iodef", "contactemail", "contactphone"];

impl IssueValue {
    /// Reads the value of an issue property. `None` where the syntax is wrong: authorities then treat it
    /// as nobody.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(value)
            .ok()
            .filter(|text| text.bytes().all(|b| b == b'\t' || b == b' ' || b.is_ascii_graphic()))?;
        let mut parts = text.split(';').map(|part| part.trim_matches([' ', '\t']));
        let issuer = match parts.next()? {
            "" => None,
            domain => {
                let label = |l: &str| !l.is_empty() && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
                domain.split('.').all(label).then(|| Some(domain.to_ascii_lowercase()))?
            }
        };
        let mut parameters = BTreeSet::new();
        for part in parts.filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=')?;
            let (name, value) = (name.trim_matches([' ', '\t']), value.trim_matches([' ', '\t']));
            let tag = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            let plain = value.bytes().all(|b| b.is_ascii_graphic());
            if !tag || !plain {
                return None;
            }
            parameters.insert((name.to_owned(), value.to_owned()));
        }
        Some(Self { issuer, parameters })
    }

    /// Whether everything that `other` allows is allowed by this value too.
    fn allows(&self, other: &Self) -> bool {
        other.issuer.is_none() || (self.issuer == other.issuer && self.parameters.is_subset(&other.parameters))
    }
}

/// Who may issue by a property, such as `issue`: `None` is everybody, an empty list nobody. `issue` covers
/// wildcards where there is no `issuewild` (RFC 8659 section 4.3).
pub fn issuers(tag: &str, values: &[&Rdata]) -> Option<Vec<IssueValue>> {
    let all: Vec<&Caa> = values.iter().filter_map(|value| as_caa(value)).collect();
    let mut own = issue_values(tag, &all);
    if own.is_empty() && tag == "issuewild" {
        own = issue_values("issue", &all);
    }
    let issuers = own.iter().flatten().filter(|value| value.issuer.is_some()).cloned().collect();
    (!own.is_empty()).then_some(issuers)
}

impl Kind for CertificateAuthorities {
    fn id(&self) -> KindId {
        KindId::Caa
    }

    fn recognise(&self, rdata: &Rdata) -> Recognition {
        if matches!(rdata, Rdata::Caa(_)) { Recognition::Candidate } else { Recognition::Foreign }
    }

    fn equal(&self, _owner: &Name, a: &[&Rdata], b: &[&Rdata]) -> Equality {
        set::equal(a, b, key)
    }

    fn difference(&self, owner: &Name, before: &[&Rdata], after: &[&Rdata]) -> Difference {
        if let Some(none) = set::unchanged(self.equal(owner, before, after)) {
            return none;
        }
        let sets = Sets::of(before, after, key);
        let issuing = ISSUE_TAGS.iter().map(|tag| issuing(tag, before, after)).fold(Class::Neutral, Class::and);
        let unread = sets.gone.iter().chain(&sets.come).any(|value| match value {
            Rdata::Caa(caa) => caa.flags & 128 != 0 && !is_known(&caa.tag),
            _ => true,
        });
        let class = if unread { Class::Unknown } else { issuing };
        let term = |value: &Rdata| match value {
            Rdata::Caa(caa) => caa.tag.to_ascii_lowercase(),
            other => other.rtype().to_string(),
        };
        Difference { class, details: sets.details(term, shown) }
    }

    fn describe(&self, rdata: &Rdata) -> String {
        let Rdata::Caa(caa) = rdata else { return rdata.to_string() };
        let tag = caa.tag.to_ascii_lowercase();
        let what = match tag.as_str() {
            "issue" => "certificates",
            "issuewild" => "wildcard certificates",
            "issuemail" => "S/MIME certificates",
            "issuevmc" => "mark certificates",
            "iodef" => return format!("reports of refused requests to {}", shown(rdata)),
            _ => return format!("{tag} {}", shown(rdata)),
        };
        match IssueValue::parse(&caa.value) {
            Some(IssueValue { issuer: Some(issuer), parameters }) if parameters.is_empty() => {
                format!("{issuer} may issue {what}")
            }
            Some(IssueValue { issuer: Some(issuer), parameters }) => {
                let names: Vec<&str> = parameters.iter().map(|(name, _)| name.as_str()).collect();
                format!("{issuer} may issue {what}, limited by {}", names.join(", "))
            }
            Some(_) => format!("nobody may issue {what}"),
            None => format!("nobody may issue {what} (unreadable value)"),
        }
    }

    fn lint(&self, owner: &Name, values: &[&Rdata]) -> Vec<Finding> {
        let subject = owner.to_lowercase().to_string();
        let mut found = Vec::new();
        let mut add = |code, severity, message: String, remedy, reference| {
            found.push(Finding::new(code, severity, subject.as_str(), message, remedy, reference));
        };
        let all: Vec<&Caa> = values.iter().filter_map(|value| as_caa(value)).collect();
        for caa in &all {
            let (flags, tag) = (caa.flags, &caa.tag);
            if flags & 127 != 0 {
                let message = format!("flags {flags} of `{tag}`: only 0 and 128 have a meaning");
                add("CAA-01", Severity::Warning, message, "write 0", "RFC 8659 section 4.1");
            }
            if flags & 128 != 0 && !is_known(tag) {
                let message = format!("`{tag}` is critical and unknown: authorities must refuse to issue");
                add("CAA-01", Severity::Error, message, "write flags 0, or a known tag", "RFC 8659 section 4.1");
            }
            if is_issue(tag) && IssueValue::parse(&caa.value).is_none() {
                let value = String::from_utf8_lossy(&caa.value);
                let message = format!("`{tag}` has a value that authorities cannot read, so nobody may issue: {value}");
                let remedy = "write a domain, then `;` before each `name=value`";
                add("CAA-01", Severity::Error, message, remedy, "RFC 8659 section 4.2");
            }
            if tag.eq_ignore_ascii_case("iodef") {
                let value = String::from_utf8_lossy(&caa.value).trim().to_ascii_lowercase();
                if !["mailto:", "https://", "http://"].iter().any(|scheme| value.starts_with(scheme)) {
                    let message = "`iodef` is neither mailto nor http(s)".to_owned();
                    add("CAA-06", Severity::Warning, message, "write `mailto:` and an address", "RFC 8659 section 4.4");
                }
            }
        }
        for tag in ISSUE_TAGS {
            let issuers: Vec<Option<String>> =
                issue_values(tag, &all).into_iter().flatten().map(|value| value.issuer).collect();
            if issuers.contains(&None) && issuers.iter().any(Option::is_some) {
                let message = format!("`{tag} \";\"` (nobody) beside an authority: the authority may issue");
                add("CAA-02", Severity::Warning, message, "keep one or the other", "RFC 8659 section 4.2");
            }
        }
        found
    }

    fn slot_at(&self, owner: &Name, rtype: RecordType, values: &[&Rdata]) -> Option<LiveSlot> {
        (rtype == RecordType::CAA && !values.is_empty()).then(|| LiveSlot { domain: owner.clone(), key: None })
    }
}

/// What authorities cannot tell apart (rule book 11).
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Issue(u8, String, IssueValue),
    Property(u8, String, Vec<u8>),
    Other((u16, Vec<u8>)),
}

fn key(rdata: &Rdata) -> Key {
    let Rdata::Caa(caa) = rdata else { return Key::Other(set::folded(rdata)) };
    let tag = caa.tag.to_ascii_lowercase();
    match IssueValue::parse(&caa.value).filter(|_| is_issue(&tag)) {
        Some(value) => Key::Issue(caa.flags, tag, value),
        None => Key::Property(caa.flags, tag, caa.value.trim_ascii().to_vec()),
    }
}

fn as_caa<'a>(rdata: &&'a Rdata) -> Option<&'a Caa> {
    match rdata {
        Rdata::Caa(caa) => Some(caa),
        _ => None,
    }
}

fn shown(rdata: &Rdata) -> String {
    match rdata {
        Rdata::Caa(caa) if caa.flags == 0 => String::from_utf8_lossy(caa.value.trim_ascii()).into_owned(),
        Rdata::Caa(caa) => format!("{} (flags {})", String::from_utf8_lossy(caa.value.trim_ascii()), caa.flags),
        other => other.to_string(),
    }
}

fn is_issue(tag: &str) -> bool {
    ISSUE_TAGS.iter().any(|known| known.eq_ignore_ascii_case(tag))
}

fn is_known(tag: &str) -> bool {
    is_issue(tag) || OTHER_TAGS.iter().any(|known| known.eq_ignore_ascii_case(tag))
}

/// The values of an issue property; `None` for one that cannot be read.
fn issue_values(tag: &str, values: &[&Caa]) -> Vec<Option<IssueValue>> {
    let own = values.iter().filter(|caa| caa.tag.eq_ignore_ascii_case(tag));
    own.map(|caa| IssueValue::parse(&caa.value)).collect()
}

fn issuing(tag: &str, before: &[&Rdata], after: &[&Rdata]) -> Class {
    let within = |a: &[IssueValue], b: &[IssueValue]| a.iter().all(|value| b.iter().any(|wide| wide.allows(value)));
    match (issuers(tag, before), issuers(tag, after)) {
        (None, None) => Class::Neutral,
        (None, Some(_)) => Class::Tightens,
        (Some(_), None) => Class::Loosens,
        (Some(a), Some(b)) => match (within(&a, &b), within(&b, &a)) {
            (true, true) => Class::Neutral,
            (true, false) => Class::Loosens,
            (false, true) => Class::Tightens,
            (false, false) => Class::Mixed,
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kind::Detail;
    use crate::set::tests::{laws, name, refs};

    fn caa(flags: u8, tag: &str, value: &str) -> Rdata {
        Rdata::Caa(Caa { flags, tag: tag.into(), value: value.as_bytes().into() })
    }

    /// `issue=a.b | iodef=mailto:x`
    fn set_of(text: &str) -> Vec<Rdata> {
        let values = text.split(" | ").filter(|v| !v.is_empty());
        values.map(|v| v.split_once('=').map(|(tag, value)| caa(0, tag, value)).unwrap()).collect()
    }

    #[test]
    fn issue_values_read() {
        let read = |text: &str| IssueValue::parse(text.as_bytes());
        let of = |issuer: Option<&str>, parameters: &[(&str, &str)]| {
            let parameters = parameters.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            Some(IssueValue { issuer: issuer.map(str::to_owned), parameters })
        };
        assert_eq!(read(" LetsEncrypt.org "), of(Some("letsencrypt.org"), &[]));
        assert_eq!(read(";"), of(None, &[]));
        assert_eq!(read(""), of(None, &[]));
        let two = of(Some("ca.example"), &[("accounturi", "https://a.b/1?x=y"), ("validationmethods", "dns-01")]);
        assert_eq!(read("ca.example; validationmethods = dns-01 ;accounturi=https://a.b/1?x=y;"), two);
        for text in
            ["ca.example validationmethods=dns-01", "ca.example; dns-01", "ca..example", "a b", "a.b; x y=z", "é"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn equality_and_class() {
        let owner = name("example.com");
        for (a, b, equality, class) in [
            ("issue=ca.example", "ISSUE= CA.example ", Equality::Same, Class::Cosmetic),
            ("issue=a.b;x=1;y=2", "issue=a.b; y=2; x=1", Equality::Same, Class::Cosmetic),
            ("issue=a.b;x=1", "issue=a.b;x=2", Equality::Different, Class::Mixed),
            ("", "issue=a.b", Equality::Different, Class::Tightens),
            ("issue=a.b", "", Equality::Different, Class::Loosens),
            ("issue=a.b", "issue=;", Equality::Different, Class::Tightens),
            ("issue=a.b | issue=c.d", "issue=a.b", Equality::Different, Class::Tightens),
            ("issue=a.b", "issue=a.b | issue=c.d", Equality::Different, Class::Loosens),
            ("issue=a.b", "issue=c.d", Equality::Different, Class::Mixed),
            ("issue=a.b", "issue=a.b | issuewild=;", Equality::Different, Class::Tightens),
            ("issue=a.b", "issue=a.b | issuewild=c.d", Equality::Different, Class::Mixed),
            ("issue=a.b", "issue=a.b | issuewild=a.b", Equality::Different, Class::Neutral),
            ("issue=a.b", "issue=a.b;accounturi=x", Equality::Different, Class::Tightens),
            ("issue=a.b", "issue=a.b | issuemail=;", Equality::Different, Class::Tightens),
            ("iodef=mailto:a@b.c", "iodef=mailto:d@b.c", Equality::Different, Class::Neutral),
            ("issue=a b", "issue=a b ", Equality::Same, Class::Cosmetic),
        ] {
            let (a, b) = (set_of(a), set_of(b));
            assert_eq!(CertificateAuthorities.equal(&owner, &refs(&a), &refs(&b)), equality, "{a:?} {b:?}");
            assert_eq!(CertificateAuthorities.difference(&owner, &refs(&a), &refs(&b)).class, class, "{a:?} {b:?}");
        }
        let critical = [caa(128, "future", "x")];
        assert_eq!(CertificateAuthorities.difference(&owner, &[], &refs(&critical)).class, Class::Unknown);
        let (a, b) = (set_of("issue=a.b | iodef=mailto:x@y.z"), set_of("issue=; | iodef=mailto:x@y.z"));
        let expected = [Detail::changed("issue", "a.b", ";")];
        assert_eq!(CertificateAuthorities.difference(&owner, &refs(&a), &refs(&b)).details, expected);
    }

    #[test]
    fn lints() {
        let codes = |values: &[Rdata]| -> String {
            let found = CertificateAuthorities.lint(&name("example.com"), &refs(values));
            found.iter().map(|f| format!("{} {:?} ", f.code, f.severity)).collect()
        };
        assert_eq!(codes(&set_of("issue=a.b | issuewild=; | iodef=mailto:x@y.z | future=x")), "");
        assert_eq!(codes(&[caa(1, "issue", "a.b")]), "CAA-01 Warning ");
        assert_eq!(codes(&[caa(128, "issue", "a.b")]), "");
        assert_eq!(codes(&[caa(128, "isue", "a.b")]), "CAA-01 Error ");
        assert_eq!(codes(&set_of("issue=a.b validationmethods=dns-01")), "CAA-01 Error ");
        assert_eq!(codes(&set_of("issue=a.b | issue=;")), "CAA-02 Warning ");
        assert_eq!(codes(&set_of("iodef=ca@example.com")), "CAA-06 Warning ");
    }

    #[test]
    fn says_what_it_means() {
        let says = |tag, value| CertificateAuthorities.describe(&caa(0, tag, value));
        assert_eq!(
            says("issue", "ca.example; accounturi=x"),
            "ca.example may issue certificates, limited by accounturi"
        );
        assert_eq!(says("issuewild", ";"), "nobody may issue wildcard certificates");
        assert_eq!(says("iodef", "mailto:x@y.z"), "reports of refused requests to mailto:x@y.z");
    }

    proptest! {
        #[test]
        fn holds_the_laws(sets in prop::array::uniform3(prop::collection::vec(
            (prop_oneof![Just(0u8), Just(128)], "issue|ISSUE|issuewild|iodef|x", "a\\.b|A\\.B ?|;|c\\.d; ?x=[12]|\\PC{0,3}"), 0..3,
        ))) {
            let sets = sets.map(|set| set.into_iter().map(|(f, t, v)| caa(f, &t, &v)).collect::<Vec<_>>());
            laws(&CertificateAuthorities, &name("example.com"), [&sets[0], &sets[1], &sets[2]]);
        }
    }
}
