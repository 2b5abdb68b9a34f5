use mailzone_mailauth::report_uri::ReportUri;
use mailzone_mailauth::tag_list::TagList;
use mailzone_mailauth::{bimi, caa, dkim, dmarc, mta_sts, report_authorisation, tls_rpt};
use mailzone_record::{Caa, Rdata};

use super::{fixed, halves, kind, text, txt_kind};

pub(super) const TAG_WORDS: &[&str] = &[
    "v=STSv1; ",
    "v=TLSRPTv1; ",
    "v=DMARC1; ",
    "v=DKIM1; ",
    "v=BIMI1; ",
    "l=https://example.com/logo.svg; ",
    "avp=personal",
    "id=",
    "rua=",
    "mailto:",
    "mailto:a@example.com",
    "https://example.com/r",
    "!10m",
    "!",
    "; ",
    ";",
    "=",
    ",",
    ":",
    "20260101T000000",
    "x=y",
    "v=",
    "%2C",
    "?subject=x",
    "\u{201c}",
];

pub(super) const DMARC_WORDS: &[&str] = &[
    "v=DMARC1",
    "; ",
    "p=",
    "p=none",
    "p=quarantine",
    "p=reject",
    "sp=reject",
    "np=none",
    "adkim=s",
    "aspf=r",
    "t=y",
    "psd=n",
    "pct=50",
    "pct=101",
    "rua=mailto:d@example.com",
    "ruf=",
    ",",
    "mailto:d@example.net!10m",
    "fo=1:d:s",
    "fo=0",
    "rf=afrf",
    "ri=86400",
    "V=dmarc1",
    "p = none",
    "=",
    "!",
];

pub(super) const DKIM_WORDS: &[&str] = &[
    "v=DKIM1; ",
    "k=rsa; ",
    "k=ed25519; ",
    "h=sha256:sha1; ",
    "s=email; ",
    "s=*",
    "t=y:s; ",
    "n=note=20; ",
    "g=*; ",
    "p=",
    "; ",
    "=",
    ":",
    "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A",
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GN",
    "AAAA",
    "+",
    "/",
    "====",
];

pub(super) const POLICY_WORDS: &[&str] = &[
    "version: STSv1\n",
    "mode: enforce\n",
    "mode: testing\r\n",
    "mode: none\n",
    "mx: mail.example.com\n",
    "mx: *.example.net\n",
    "mx: *\n",
    "max_age: 604800\n",
    "max_age: 31557601\n",
    "\r\n",
    "\n",
    ":",
    "mx:",
    "*.",
    "b\u{fc}cher.example",
];

pub(super) const CAA_WORDS: &[&str] = &[
    "ca.example",
    ";",
    "; ",
    "=",
    "validationmethods=dns-01",
    "accounturi=https://ca.example/1",
    ".",
    "-",
    "mailto:a@example.com",
];

pub(super) fn tag_list(input: &[u8]) {
    let text = text(input);
    let list = TagList::parse(&text);
    for tag in &list.tags {
        assert_eq!(text.get(tag.value_span.clone()), Some(tag.value));
        assert!(text.get(tag.span.clone()).is_some_and(|part| part.starts_with(tag.name)));
        assert!(list.get(tag.name).is_some());
    }
    for problem in &list.problems {
        assert!(text.get(problem.span.clone()).is_some(), "{problem:?}");
    }
    list.repeated();
    let printed = list.to_string();
    let again = TagList::parse(&printed);
    let pairs = |list: &TagList<'_>| {
        list.tags.iter().map(|tag| (tag.name.to_owned(), tag.value.to_owned())).collect::<Vec<_>>()
    };
    assert_eq!(pairs(&again), pairs(&list), "{printed}");
}

pub(super) fn report_uri(input: &[u8]) {
    let text = text(input);
    let uri = ReportUri::parse(&text);
    if uri.problem().is_none() {
        assert!(uri.is_uri() && uri.mailbox().is_some() && uri.host().is_some(), "{uri:?}");
        assert_eq!(uri.scheme().as_deref(), Some("mailto"));
        let printed = uri.to_string();
        assert_eq!(ReportUri::parse(&printed), uri, "{printed}");
    }
    uri.host();
}

/// That what was read prints and reads the same.
macro_rules! printed {
    ($read:expr, $parse:expr) => {
        if let Ok(read) = $read {
            let printed = read.to_string();
            assert_eq!($parse(&printed).as_ref(), Ok(&read), "{printed}");
        }
    };
}

pub(super) fn dkim_record(input: &[u8]) {
    let text = text(halves(input).0);
    match dkim::KeyRecord::parse(&text) {
        Ok(record) => {
            // An RSA key is printed in the newer of its two encodings; all else is kept.
            let printed = record.to_string();
            let again = dkim::KeyRecord::parse(&printed);
            let again = again.unwrap_or_else(|error| panic!("{error} in {printed}"));
            assert_eq!(again.to_string(), printed);
            assert_eq!(
                (again.tags(), again.public_key().map(dkim::PublicKey::to_octets)),
                (record.tags(), record.public_key().map(dkim::PublicKey::to_octets))
            );
            if let Some(key) = record.public_key() {
                assert!(key.bits() > 0 && key.is_same_key(key), "{key:?}");
                let octets = key.to_octets();
                assert!(
                    dkim::PublicKey::from_octets(key.key_type(), &octets).is_ok_and(|again| again.is_same_key(key))
                );
                key.fingerprint();
            }
            record.equality(&record);
            record.with_tags_of(&record);
        }
        Err(error) => assert!(text.get(error.span.clone()).is_some(), "{error:?}"),
    }
    txt_kind(&dkim::Dkim, "s._domainkey.example.com", input);
}

pub(super) fn dmarc(input: &[u8]) {
    let text = text(halves(input).0);
    if let Ok((record, problems)) = dmarc::Record::parse_with_problems(&text) {
        for problem in &problems {
            assert!(text.get(problem.span.clone()).is_some(), "{problem:?}");
            problem.code();
            problem.severity();
        }
        record.reading();
        record.external_hosts(&fixed("_dmarc.example.com"));
        if problems.is_empty() {
            let printed = record.to_string();
            assert_eq!(dmarc::Record::parse(&printed).as_ref(), Ok(&record), "{printed}");
        }
    }
    txt_kind(&dmarc::Dmarc, "_dmarc.example.com", input);
}

pub(super) fn report_authorisation(input: &[u8]) {
    report_authorisation::Record::parse(&text(halves(input).0));
    txt_kind(&report_authorisation::ReportAuthorisation, "example.com._report._dmarc.example.net", input);
}

pub(super) fn mta_sts_record(input: &[u8]) {
    let text = text(halves(input).0);
    match mta_sts::Record::parse(&text) {
        Err(error) => assert!(text.get(error.span.clone()).is_some(), "{error:?}"),
        read => printed!(read, mta_sts::Record::parse),
    }
    txt_kind(&mta_sts::MtaSts, "_mta-sts.example.com", input);
}

pub(super) fn mta_sts_policy(input: &[u8]) {
    let text = text(input);
    let read = mta_sts::Policy::parse(&text);
    mta_sts::lint_policy("x", &text);
    if let Ok(policy) = &read {
        policy.covers(&fixed("mail.example.com"));
        assert_eq!(mta_sts::auto_id(policy).len(), 20);
        assert!(policy.is_same(policy));
    }
    printed!(read, mta_sts::Policy::parse);
}

pub(super) fn tls_rpt(input: &[u8]) {
    let text = text(halves(input).0);
    match tls_rpt::Record::parse(&text) {
        Err(error) => assert!(text.get(error.span.clone()).is_some(), "{error:?}"),
        read => printed!(read, tls_rpt::Record::parse),
    }
    txt_kind(&tls_rpt::TlsRpt, "_smtp._tls.example.com", input);
}

pub(super) fn bimi(input: &[u8]) {
    let text = text(halves(input).0);
    match bimi::Record::parse(&text) {
        Err(error) => assert!(text.get(error.span.clone()).is_some(), "{error:?}"),
        read => printed!(read, bimi::Record::parse),
    }
    txt_kind(&bimi::Bimi, "default._bimi.example.com", input);
}

pub(super) fn caa_value(input: &[u8]) {
    let (a, b) = halves(input);
    caa::IssueValue::parse(a);
    let caa = |tag: &str, value: &[u8]| Rdata::Caa(Caa { flags: 0, tag: tag.into(), value: value.into() });
    for tag in ["issue", "iodef"] {
        kind(&caa::CertificateAuthorities, "example.com", &caa(tag, a), &caa(tag, b));
    }
}
