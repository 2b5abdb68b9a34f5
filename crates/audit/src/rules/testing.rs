//! A small world for the tests of rules: one zone, everything else does not exist.

use mailzone_mailauth::Finding;
use mailzone_mailauth::lookup::{Answer, Answers, Lookup, Overlay, ZoneData};
use mailzone_record::zonefile::ZoneFile;
use mailzone_record::{Name, RecordType};

use crate::{
    Audit, Certificate, DelegationSigner, Facts, Failure, Scope, Security, SmtpSession, Subject, Validation, audit,
};

/// An RSA key of 2048 bits in base64, as two strings of a TXT record in a zone file.
pub(crate) const KEY: &str = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAmzdtk8y2DjW3scdQGVB3dAdGak+wlVewhM+N+353Sd0gS+08shYi9m2ggDCsaFcAy+S/l/32dswddaqvf3Z7baUkeC8RPhLmSbEkXiFM6Ae/9weDyAXDEAI/t/Lhoao80hl0e4JnDXiA3XpCh28mxAME7Woi\" \"FYqwOUZsUo+ez1MzVYC7k1M/FOWCH93X4v9P611T6Wzk5Oy5mTAIp9f2QLXDk+NBa6v14X5hUth1kuU0HCBwslO6g5wTLxWHrcupQAyouauSqdr/3+Kl5ylZy/YAmPQpcjMk/jFImcbRWsyHr3P6g5fnj6mMdXey0Cg3P3hzGSHxNOm4EDZ02FrjQwIDAQAB";

/// Another.
pub(crate) const OTHER_KEY: &str = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAk+2NPzrKj0och8vTnEdyX9YXNp/NoWpEwIFp/BgA/Js64OeDFll+O0T7P/EDX44VhQy++WI9K8XZkkixme/b7lny+kBARjbXaNS56e11pE6EwbWnad4EDyC4eS4nqyhSuevNXD0JAB6fJqGTkwRDkq23TFqU\" \"rMoAbbYv4J56uhez5db8jV8PbGBUW5geQwny10pKgZ0iyrExCc0O0NuadcRMfvGVwI6KIGE0y4S1uKD9ZZvoERTGK3Y/W93/XmklzHXg6pWkiB7MBZcek84Oirc5GRzrAQJHqqsJRPZ34JdXcJ0IdSaTDlvLnDP6331Ha1/zzreHc6uzcdRohBXAewIDAQAB";

/// The zone `example.test`, and what was looked up.
pub(crate) struct World {
    zones: Vec<ZoneData>,
    elsewhere: Answers,
    pub(crate) subject: Subject,
    pub(crate) facts: Facts,
}

impl World {
    /// The time in it.
    pub(crate) const NOW: i64 = 1_800_000_000;
    /// A year later.
    pub(crate) const LATER: i64 = Self::NOW + 365 * 86_400;

    /// Lines of a zone file: name, type, data. Names are relative to `example.test`.
    pub(crate) fn new(lines: &str) -> Self {
        Self::zones(&[("example.test", lines)])
    }

    /// Several zones.
    pub(crate) fn zones(zones: &[(&str, &str)]) -> Self {
        let zones = zones.iter().map(|(apex, lines)| {
            let apex = Name::parse(apex).unwrap();
            let text = format!("$TTL 300\n@ SOA ns hostmaster 1 3600 600 86400 300\n{lines}\n");
            let file = ZoneFile::parse(text.as_bytes(), &apex).unwrap();
            let sets = file.rrsets();
            ZoneData::new(apex, &sets)
        });
        let zones = zones.collect();
        let scope = Scope { completeness: true, ..Scope::DNS };
        Self {
            zones,
            elsewhere: Answers::otherwise(Answer::NxDomain),
            subject: Subject::new(Name::parse("example.test").unwrap(), scope),
            facts: Facts { now: Self::NOW, ..Facts::default() },
        }
    }

    /// The DNS has no answer for a name outside of the zones.
    pub(crate) fn fails(&mut self, name: &str, rtype: RecordType) {
        self.elsewhere.insert(Name::parse(name).unwrap(), rtype, Answer::TempError);
    }

    /// The zones alone: what is elsewhere is not known.
    pub(crate) fn zone_data(&self) -> &[ZoneData] {
        &self.zones
    }

    /// What a host says at port 25.
    pub(crate) fn says(&mut self, host: &str, address: &str, said: Result<SmtpSession, Failure>) {
        self.facts.smtp.insert((Name::parse(host).unwrap(), address.parse().unwrap()), said);
    }

    /// The DNS of this world.
    pub(crate) fn lookup(&self) -> impl Lookup + '_ {
        Overlay { over: self.zone_data(), base: &self.elsewhere }
    }

    /// The audit of `example.test`.
    pub(crate) fn audit(&self) -> Audit {
        let audit = audit(&self.subject, &self.facts, &self.lookup());
        for (_, finding) in &audit.findings {
            assert!(mailzone_mailauth::rules::rule(&finding.code).is_some(), "{} is in no table", finding.code);
        }
        audit
    }

    /// The findings of this code; at least one.
    pub(crate) fn finds(&self, code: &str) -> Found {
        let all: Vec<Finding> = self.audit().into_findings().collect();
        let list: Vec<Finding> = all.iter().filter(|finding| finding.code == code).cloned().collect();
        assert!(!list.is_empty(), "no {code} in {all:#?}");
        Found(list)
    }

    /// Asserts that there is no finding of this code.
    pub(crate) fn lacks(&self, code: &str) {
        let found: Vec<Finding> = self.audit().into_findings().filter(|finding| finding.code == code).collect();
        assert!(found.is_empty(), "{found:#?}");
    }
}

/// Findings of one code.
#[derive(Debug)]
pub(crate) struct Found(pub(crate) Vec<Finding>);

impl Found {
    /// The one finding.
    pub(crate) fn only(&self) -> &Finding {
        assert_eq!(self.0.len(), 1, "{:#?}", self.0);
        &self.0[0]
    }
}

/// A certificate of a public authority.
pub(crate) fn certificate(names: &[&str], not_after: i64) -> Certificate {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    Certificate {
        der: format!("certificate {}", names.join(" ")).into_bytes(),
        public_key: format!("key {}", names.join(" ")).into_bytes(),
        names,
        issuer: "Let's Encrypt".to_owned(),
        is_authority: false,
        not_before: 0,
        not_after,
    }
}

/// A mail server that is as it ought to be.
pub(crate) fn session(host: &str) -> SmtpSession {
    SmtpSession {
        banner: format!("{host} ESMTP"),
        extensions: vec!["STARTTLS".to_owned()],
        starttls: true,
        tls_version: Some("TLSv1.3".to_owned()),
        chain: vec![certificate(&[host], World::LATER)],
        ..SmtpSession::default()
    }
}

/// A zone that validates.
pub(crate) fn secure() -> Validation {
    Validation {
        security: Security::Secure,
        ds: vec![DelegationSigner { key_tag: 1, algorithm: 13, digest_type: 2 }],
        keys: vec![(1, 13), (2, 13)],
        signatures_end: Some(World::LATER),
    }
}
