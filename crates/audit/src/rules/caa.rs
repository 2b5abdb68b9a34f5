//! Certificate authorities (rule book 11).

use mailzone_mailauth::Kind;
use mailzone_mailauth::caa::{CertificateAuthorities, IssueValue, issuers};
use mailzone_mailauth::lookup::Answer;
use mailzone_record::{Name, Rdata, RecordType};

use super::hosts::{exchangers, organization, sessions};
use crate::{Certificate, Inquiry, Measure};

/// Authorities by how their certificates name them, with the domains that they go by in CAA.
const AUTHORITIES: &[(&str, &[&str])] = &[
    ("Let's Encrypt", &["letsencrypt.org"]),
    ("Internet Security Research Group", &["letsencrypt.org"]),
    ("Google Trust Services", &["pki.goog"]),
    (
        "DigiCert",
        &[
            "digicert.com",
            "www.digicert.com",
            "digicert.ne.jp",
            "symantec.com",
            "thawte.com",
            "geotrust.com",
            "rapidssl.com",
        ],
    ),
    ("GeoTrust", &["digicert.com", "geotrust.com"]),
    ("Thawte", &["digicert.com", "thawte.com"]),
    ("Sectigo", &["sectigo.com", "comodo.com", "comodoca.com", "usertrust.com", "trust-provider.com"]),
    ("GlobalSign", &["globalsign.com"]),
    ("SSL Corp", &["ssl.com"]),
    ("Buypass", &["buypass.com", "buypass.no"]),
    ("Amazon", &["amazon.com", "amazontrust.com", "awstrust.com", "amazonaws.com", "aws.amazon.com"]),
    ("GoDaddy", &["godaddy.com", "starfieldtech.com"]),
    ("Actalis", &["actalis.it"]),
    ("SwissSign", &["swisssign.com"]),
    ("Entrust", &["entrust.net", "affirmtrust.com"]),
];

/// Those that issue by ACME, where an account can be named.
const ACME: &[&str] = &["letsencrypt.org", "pki.goog", "sectigo.com", "ssl.com", "buypass.com"];

/// A certificate whose authority may not renew it.
#[derive(Debug)]
pub(super) struct Issuing {
    /// Whose it is.
    pub(super) authority: String,
    /// Where the CAA records are.
    pub(super) at: String,
    /// Whom they allow.
    pub(super) allowed: String,
}

pub(super) fn check(inquiry: &mut Inquiry<'_>) {
    inquiry.topic("the CAA records");
    let domain = inquiry.domain();
    let found = relevant(inquiry, domain);
    if let Some(found) = &found {
        own(inquiry, domain, found.as_ref());
    }
    in_use(inquiry);
}

/// CAA-03, CAA-04, CAA-05, CAA-07, and the lints of the records.
fn own(inquiry: &mut Inquiry<'_>, domain: &Name, found: Option<&(Name, Vec<Rdata>)>) {
    let name = domain.to_text_without_dot();
    let complete = inquiry.subject().scope.completeness;
    let Some((at, values)) = found else {
        inquiry.measure(Measure::Caa, 0, "no CAA");
        if complete {
            inquiry.find("CAA-04", name, "any authority may issue certificates");
        }
        return;
    };
    let refs: Vec<&Rdata> = values.iter().collect();
    for value in &refs {
        inquiry.note(at.to_text_without_dot(), CertificateAuthorities.describe(value));
    }
    // What stands above is another domain's matter.
    if at == domain {
        for finding in CertificateAuthorities.lint(at, &refs) {
            inquiry.add(finding);
        }
    }
    let (issue, mail) = (issuers("issue", &refs), issuers("issuemail", &refs));
    match (&issue, &mail) {
        (Some(_), Some(_)) => inquiry.measure(Measure::Caa, 100, "CAA with issue and issuemail"),
        (Some(_), None) => inquiry.measure(Measure::Caa, 70, "CAA without issuemail"),
        (None, _) => inquiry.measure(Measure::Caa, 0, "CAA without issue"),
    }
    if !complete {
        return;
    }
    if mail.is_none() {
        inquiry.find("CAA-05", name.as_str(), "any authority may issue S/MIME certificates");
    }
    let open = |value: &&IssueValue| {
        let is_acme = value.issuer.as_deref().is_some_and(|issuer| ACME.contains(&issuer));
        is_acme && !value.parameters.iter().any(|(parameter, _)| parameter.eq_ignore_ascii_case("accounturi"))
    };
    for value in issue.iter().flatten().filter(open) {
        let issuer = value.issuer.clone().unwrap_or_default();
        inquiry.find("CAA-07", name.as_str(), format!("every account at {issuer} may ask for certificates"));
    }
}

/// CAA-03.
fn in_use(inquiry: &mut Inquiry<'_>) {
    if !inquiry.subject().scope.smtp {
        return;
    }
    inquiry.topic("the authorities of the mail hosts' certificates");
    let Some(exchangers) = exchangers(inquiry) else { return };
    for (host, _, session) in sessions(inquiry, &exchangers) {
        // Somebody else's hosts are somebody else's matter.
        if organization(&host) != organization(inquiry.domain()) {
            continue;
        }
        let Some(leaf) = session.and_then(|session| session.as_ref().ok()).and_then(|session| session.chain.first())
        else {
            continue;
        };
        if let Some(Issuing { authority, at, allowed }) = forbidden(inquiry, &host, leaf) {
            let message = format!("its certificate is of {authority}, and the CAA records at {at} allow {allowed}");
            inquiry.find("CAA-03", host.to_text_without_dot(), message);
        }
    }
}

/// Whether the authority of a certificate may not renew it for this host. `None`: it may, or that is not known; only
/// authorities of the table above are sure.
pub(super) fn forbidden(inquiry: &mut Inquiry<'_>, host: &Name, certificate: &Certificate) -> Option<Issuing> {
    let known = AUTHORITIES.iter().find(|(name, _)| certificate.issuer.to_lowercase().contains(&name.to_lowercase()));
    let (authority, domains) = known?;
    let (at, values) = relevant(inquiry, host)??;
    let refs: Vec<&Rdata> = values.iter().collect();
    let text = host.to_lowercase().to_text_without_dot();
    let by_name = certificate.names.iter().any(|name| name.trim_end_matches('.').eq_ignore_ascii_case(&text));
    let allowed = issuers(if by_name { "issue" } else { "issuewild" }, &refs)?;
    let may = |value: &IssueValue| value.issuer.as_deref().is_some_and(|issuer| domains.contains(&issuer));
    if allowed.iter().any(may) {
        return None;
    }
    let allowed: Vec<String> = allowed.into_iter().filter_map(|value| value.issuer).collect();
    let allowed = if allowed.is_empty() { "nobody".to_owned() } else { allowed.join(", ") };
    Some(Issuing { authority: (*authority).to_owned(), at: at.to_text_without_dot(), allowed })
}

/// The CAA records that count for a name: its own, or those of the nearest name above (RFC 8659 section 3).
/// `None`: not known; `Some(None)`: there are none.
fn relevant(inquiry: &mut Inquiry<'_>, name: &Name) -> Option<Option<(Name, Vec<Rdata>)>> {
    let mut at = name.clone();
    while !at.is_root() {
        match inquiry.dns(&at, RecordType::CAA)? {
            Answer::Records(values, _) => {
                let values: Vec<Rdata> =
                    values.iter().filter(|value| matches!(value, Rdata::Caa(_))).cloned().collect();
                if !values.is_empty() {
                    return Some(Some((at, values)));
                }
            }
            Answer::NoData | Answer::NxDomain => {}
            Answer::TempError | Answer::Unknown => return None,
        }
        at = at.parent()?;
    }
    Some(None)
}

#[cfg(test)]
mod tests {
    use mailzone_record::RecordType;

    use crate::Measure;
    use crate::rules::testing::{World, session};

    const GOOD: &str = "@ CAA 0 issue \"letsencrypt.org; accounturi=https://ca.test/1\"\n@ CAA 0 issuemail \";\"";

    fn share(world: &World) -> Option<u8> {
        world.audit().measures.get(&Measure::Caa).map(|seen| seen.share)
    }

    #[test]
    fn good_records() {
        let world = World::new(GOOD);
        for code in 1..=7 {
            world.lacks(&format!("CAA-{code:02}"));
        }
        assert_eq!(share(&world), Some(100));
    }

    #[test]
    fn what_is_missing() {
        World::new("").finds("CAA-04").only();
        assert_eq!(share(&World::new("")), Some(0));
        World::new("@ CAA 0 issue \"digicert.com\"").finds("CAA-05").only();
        assert_eq!(share(&World::new("@ CAA 0 issue \"digicert.com\"")), Some(70));
        World::new("@ CAA 0 issue \"letsencrypt.org\"").finds("CAA-07").only();
        World::new("@ CAA 0 issue \"digicert.com\"").lacks("CAA-07");
        let mut part = World::new("");
        part.subject.scope.completeness = false;
        part.lacks("CAA-04");
    }

    #[test]
    fn records_themselves() {
        World::new("@ CAA 1 issue \"ca.test\"").finds("CAA-01").only();
        World::new("@ CAA 0 issue \"ca.test\"\n@ CAA 0 issue \";\"").finds("CAA-02").only();
        World::new("@ CAA 0 iodef \"a@example.test\"").finds("CAA-06").only();
    }

    #[test]
    fn those_of_a_parent_count() {
        let mut world = World::new("@ CAA 0 issue \"digicert.com\"\n@ CAA 1 issuemail \";\"\nsub A 192.0.2.1");
        world.subject.domain = world.subject.domain.prepend("sub").unwrap();
        world.lacks("CAA-04");
        world.lacks("CAA-01");
        assert_eq!(share(&world), Some(100));
    }

    #[test]
    fn a_failing_answer_claims_nothing() {
        let mut world = World::new("");
        world.subject.domain = mailzone_record::Name::parse("elsewhere.test").unwrap();
        world.fails("elsewhere.test", RecordType::CAA);
        world.lacks("CAA-04");
        assert_eq!(share(&world), None);
    }

    #[test]
    fn the_authority_in_use() {
        let world = |caa: &str| {
            let mut world = World::new(&format!("@ MX 10 mail\nmail A 192.0.2.25\n{caa}"));
            world.subject.scope.smtp = true;
            world.says("mail.example.test", "192.0.2.25", Ok(session("mail.example.test")));
            world
        };
        world("@ CAA 0 issue \"digicert.com\"").finds("CAA-03").only();
        world("@ CAA 0 issue \"digicert.com\"\nmail CAA 0 issue \"letsencrypt.org\"").lacks("CAA-03");
        world("@ CAA 0 issuemail \";\"").lacks("CAA-03");
        let mut own = world("@ CAA 0 issue \"digicert.com\"");
        let mut said = session("mail.example.test");
        said.chain[0].issuer = "Example House Authority".to_owned();
        own.says("mail.example.test", "192.0.2.25", Ok(said));
        own.lacks("CAA-03");
    }
}
