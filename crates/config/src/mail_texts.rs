//! The kinds of strings that are about mail, and how each is read.

use std::net::IpAddr;

use mailzone_mailauth::spf::{self, DomainSpec, Network, SpfError};
use mailzone_mailauth::{Severity, dmarc};
use mailzone_record::Name;

use crate::keys::TextKind;
use crate::texts::{Fault, host_name, name};

pub(crate) static SPF: TextKind = TextKind {
    name: "an SPF record, \"absent\" or \"unmanaged\"",
    pattern: Some("^([vV]=[sS][pP][fF]1( .*)?|absent|unmanaged)$"),
    check: |text| match text {
        "absent" | "unmanaged" => Ok(()),
        _ => spf_record(text),
    },
};
pub(crate) static SPF_TERM: TextKind = TextKind {
    name: "an SPF term",
    pattern: Some(r"^\S+$"),
    check: |text| spf::Term::parse(text).map(drop).map_err(spf_fault),
};
pub(crate) static SPF_TARGET: TextKind =
    TextKind { name: "a name as in SPF", pattern: Some(r"^\S+$"), check: |text| domain_spec(text).map(drop) };
pub(crate) static SPF_DOMAIN: TextKind =
    TextKind { name: "a name as in SPF", pattern: Some(r"^\S+$"), check: |text| domain_spec(text).map(drop) };
pub(crate) static SPF_IP4: TextKind = TextKind {
    name: "an IPv4 address or network",
    pattern: Some("^[0-9.]+(/[0-9]+)?$"),
    check: |text| network(text, false).map(drop),
};
pub(crate) static SPF_IP6: TextKind = TextKind {
    name: "an IPv6 address or network",
    pattern: Some("^[0-9A-Fa-f:.]+(/[0-9]+)?$"),
    check: |text| network(text, true).map(drop),
};
pub(crate) static SELECTOR: TextKind =
    TextKind { name: "a DKIM selector", pattern: Some("."), check: |text| selector(text).map(drop) };
pub(crate) static DKIM_WORD: TextKind =
    TextKind { name: "a word of a DKIM record", pattern: Some("^([A-Za-z0-9-]+|[*])$"), check: dkim_word };
pub(crate) static DMARC: TextKind = TextKind {
    name: "a DMARC record, \"absent\" or \"unmanaged\"",
    pattern: Some("^([vV]\\s*=.*|absent|unmanaged)$"),
    check: |text| match text {
        "absent" | "unmanaged" => Ok(()),
        _ => dmarc_record(text),
    },
};
pub(crate) static MAILTO: TextKind = TextKind {
    name: "a mailto: URI",
    pattern: Some("^[mM][aA][iI][lL][tT][oO]:[^@]+@."),
    check: |text| report_uri(text, false),
};
pub(crate) static TLS_RPT: TextKind = TextKind {
    name: "a TLS-RPT record, \"absent\" or \"unmanaged\"",
    pattern: Some("^(v=TLSRPTv1.*|absent|unmanaged)$"),
    check: |text| match text {
        "absent" | "unmanaged" => Ok(()),
        _ => tls_rpt_record(text),
    },
};
pub(crate) static TLS_RPT_URI: TextKind = TextKind {
    name: "a mailto: or https: URI",
    pattern: Some("^([mM][aA][iI][lL][tT][oO]:|[hH][tT][tT][pP][sS]://)"),
    check: |text| report_uri(text, true),
};
pub(crate) static MX_PATTERN: TextKind =
    TextKind { name: "a host name, or *. and a name", pattern: Some("."), check: |text| mx_pattern(text).map(drop) };
pub(crate) static STS_ID: TextKind = TextKind {
    name: "\"auto\", or 1 to 32 letters and digits",
    pattern: Some("^[A-Za-z0-9]{1,32}$"),
    check: |text| {
        let good = (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
        if good { Ok(()) } else { Err(Fault::new("an id has 1 to 32 letters and digits (RFC 8461 section 3.1)")) }
    },
};
pub(crate) static CAA_ISSUER: TextKind =
    TextKind { name: "a CA's domain with parameters, or \";\"", pattern: Some("."), check: |text| caa_issuer(text) };
pub(crate) static CAA_URI: TextKind = TextKind {
    name: "a mailto:, http: or https: URI",
    pattern: Some("^([mM][aA][iI][lL][tT][oO]:|[hH][tT][tT][pP][sS]?://)"),
    check: |text| {
        let lower = text.to_ascii_lowercase();
        let known = ["mailto:", "http://", "https://"].iter().any(|scheme| lower.starts_with(scheme));
        if !known {
            return Err(no_scheme(text, "neither mailto:, http: nor https: (RFC 8659 section 4.4)"));
        }
        plain(text)
    },
};

/// A complete SPF record (RFC 7208 section 4.5).
fn spf_record(text: &str) -> Result<(), Fault> {
    let Err(errors) = spf::Record::parse(text) else { return Ok(()) };
    let mut faults = errors.into_iter().map(spf_fault);
    let first = faults.next().unwrap_or_else(|| Fault::new("not an SPF record"));
    Err(Fault { more: faults.collect(), ..first })
}

fn spf_fault(error: SpfError) -> Fault {
    let fault = Fault::new(error.message).at(error.span);
    if error.remedy.is_empty() { fault } else { fault.help(error.remedy) }
}

/// The argument of `include`, `redirect`, `exists`, `a` and `mx`; without `include:` in front.
pub(crate) fn domain_spec(text: &str) -> Result<DomainSpec, Fault> {
    if !text.is_ascii() {
        let ascii = name(text)?.to_text_without_dot();
        return DomainSpec::parse(&ascii).map_err(spf_fault);
    }
    DomainSpec::parse(text).map_err(spf_fault)
}

/// An address or network of one family.
pub(crate) fn network(text: &str, v6: bool) -> Result<Network, Fault> {
    let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
    let parsed: IpAddr = address.parse().map_err(|_| Fault::new("not an address").at(0..address.len()))?;
    if parsed.is_ipv6() != v6 {
        let (is, key) = if v6 { ("IPv4", "ip4") } else { ("IPv6", "ip6") };
        return Err(Fault::new(format!("an {is} address")).at(0..address.len()).help(format!("put it into `{key}`")));
    }
    let full = if v6 { 128 } else { 32 };
    let prefix = match prefix {
        None => Some(full),
        Some(p) if p.len() > 1 && p.starts_with('0') || !p.bytes().all(|b| b.is_ascii_digit()) => None,
        Some(p) => p.parse().ok(),
    };
    prefix
        .and_then(|prefix| Network::new(parsed, prefix))
        .ok_or_else(|| Fault::new(format!("not a prefix length from 0 to {full}")).at(address.len() + 1..text.len()))
}

/// A selector in lower case (RFC 6376 section 3.1); `*` for the wildcard, also as first label.
pub(crate) fn selector(text: &str) -> Result<String, Fault> {
    let lower = text.trim_end_matches('.').to_lowercase();
    let labels: Vec<&str> = lower.split('.').collect();
    let domainkey = labels.iter().position(|label| matches!(*label, "_domainkey" | "domainkey"));
    if let Some(at) = domainkey {
        let fault = Fault::new("a selector without `_domainkey` belongs here");
        let selector = labels.get(..at).unwrap_or_default().join(".");
        return Err(if selector.is_empty() {
            fault.help("write the selector, such as `s2026`: `._domainkey` and the domain are appended")
        } else {
            fault.help(format!("write `dkim.{}`: `._domainkey` and the domain are appended", quoted_key(&selector)))
        });
    }
    let label = |(i, label): (usize, &&str)| {
        (i == 0 && *label == "*")
            || !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if labels.iter().enumerate().all(label) && Name::parse(&lower).is_ok() {
        return Ok(lower);
    }
    Err(Fault::new("a selector has letters, digits and hyphens, in labels with dots between (RFC 6376 section 3.1)"))
}

/// A key as TOML wants it.
pub(crate) fn quoted_key(key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if bare { key.to_owned() } else { format!("\"{}\"", key.escape_debug()) }
}

fn dkim_word(text: &str) -> Result<(), Fault> {
    let word = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if word || text == "*" { Ok(()) } else { Err(Fault::new("not a word of letters, digits and hyphens")) }
}

/// A complete DMARC record without errors; what deserves a warning is left to the lints.
fn dmarc_record(text: &str) -> Result<(), Fault> {
    let (_, problems) = dmarc::Record::parse_with_problems(text).map_err(|error| Fault::new(error.to_string()))?;
    let errors = problems.into_iter().filter(|problem| problem.severity() == Severity::Error);
    let mut faults = errors.map(|problem| Fault::new(problem.to_string()).at(problem.span));
    match faults.next() {
        None => Ok(()),
        Some(first) => Err(Fault { more: faults.collect(), ..first }),
    }
}

fn tls_rpt_record(text: &str) -> Result<(), Fault> {
    let version = text.split(';').next().unwrap_or(text);
    if version.trim_end() != "v=TLSRPTv1" {
        return Err(Fault::new("a TLS-RPT record begins with `v=TLSRPTv1;` (RFC 8460 section 3)"));
    }
    let mut at = version.len() + 1;
    for part in text.split(';').skip(1) {
        let lead = part.len() - part.trim_start().len();
        if let Some(uris) = part.trim_start().strip_prefix("rua=") {
            let mut start = at + lead + "rua=".len();
            for uri in uris.split(',') {
                report_uri(uri.trim(), true).map_err(|fault| fault.at(start..start + uri.len()))?;
                start += uri.len() + 1;
            }
            return Ok(());
        }
        at += part.len() + 1;
    }
    Err(Fault::new("a TLS-RPT record needs `rua=` with at least one URI (RFC 8460 section 3)"))
}

/// One address that reports go to, complete and without characters that end it in a record.
fn report_uri(text: &str, https: bool) -> Result<(), Fault> {
    let lower = text.to_ascii_lowercase();
    if https && lower.starts_with("https://") && lower.len() > "https://".len() {
        return plain(text);
    }
    let Some(address) = lower.strip_prefix("mailto:") else {
        let what = if https { "neither a mailto: nor an https: URI" } else { "no mailto: URI" };
        return Err(no_scheme(text, what));
    };
    let mailbox = address.split('?').next().unwrap_or(address);
    if !https
        && let Some((before, limit)) = mailbox.rsplit_once('!')
        && limit.trim_end_matches(['k', 'm', 'g', 't']).bytes().all(|b| b.is_ascii_digit())
    {
        let start = "mailto:".len() + before.len();
        return Err(Fault::new("a size limit, which RFC 9989 removed and mailzone does not write")
            .at(start..start + 1 + limit.len())
            .help(format!("leave out `!{limit}`")));
    }
    match mailbox.rsplit_once('@') {
        Some((local, domain)) if !local.is_empty() && host_name(domain).is_ok() => plain(text),
        _ => Err(Fault::new("no mailbox: mailto: is followed by USER@DOMAIN")),
    }
}

fn no_scheme(text: &str, what: &str) -> Fault {
    let fault = Fault::new(what);
    if text.contains('@') && !text.contains(':') { fault.help(format!("write \"mailto:{text}\"")) } else { fault }
}

/// No character that must be percent-coded in the URI of a record (RFC 7489 section 6.2).
fn plain(text: &str) -> Result<(), Fault> {
    match text
        .char_indices()
        .find(|(_, c)| !c.is_ascii_graphic() || matches!(c, ',' | ';' | '!' | '"' | '<' | '>' | '\\'))
    {
        None => Ok(()),
        Some((at, c)) => {
            let coded: String = c.to_string().bytes().map(|b| format!("%{b:02X}")).collect();
            Err(Fault::new(format!("{c:?} cannot stand in this URI"))
                .at(at..at + c.len_utf8())
                .help(format!("write `{coded}`, or one URI for each item of the list")))
        }
    }
}

/// A pattern of an MTA-STS policy (RFC 8461 section 4.1): lower case, without closing dot.
pub(crate) fn mx_pattern(text: &str) -> Result<String, Fault> {
    let (wildcard, host) = text.strip_prefix("*.").map_or(("", text), |host| ("*.", host));
    Ok(format!("{wildcard}{}", host_name(host)?.to_text_without_dot()))
}

fn caa_issuer(text: &str) -> Result<(), Fault> {
    if !text.bytes().all(|b| (0x20..0x7f).contains(&b)) {
        return Err(Fault::new("a CAA value has printable ASCII only (RFC 8659 section 4.2)"));
    }
    let issuer = text.split(';').next().unwrap_or(text).trim();
    if issuer.is_empty() {
        return if text.trim() == ";" {
            Ok(())
        } else {
            Err(Fault::new("no CA").help("\";\" alone says that nobody may issue"))
        };
    }
    host_name(issuer).map(drop).map_err(|fault| Fault { at: Some(0..issuer.len()), ..fault })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors() {
        assert_eq!(selector("S2026").unwrap(), "s2026");
        assert_eq!(selector("2026q4.mail").unwrap(), "2026q4.mail");
        assert_eq!(selector("*").unwrap(), "*");
        assert!(selector("s1._domainkey.example.com").unwrap_err().help.unwrap().contains("`dkim.s1`"));
        assert!(selector("dkim.domainkey").is_err() && selector("domainkey").is_err());
        assert!(selector("a b").is_err() && selector("").is_err() && selector("a.*").is_err());
    }

    #[test]
    fn uris() {
        assert!(report_uri("mailto:a@b.example", false).is_ok());
        assert_eq!(report_uri("a@b.example", false).unwrap_err().help.unwrap(), "write \"mailto:a@b.example\"");
        assert!(report_uri("mailto:a@b.example,mailto:c@d.example", false).is_err());
        assert!(report_uri("https://b.example/r", false).is_err() && report_uri("https://b.example/r", true).is_ok());
        assert!(tls_rpt_record("v=TLSRPTv1; rua=mailto:a@b.example,https://b.example").is_ok());
        assert_eq!(tls_rpt_record("v=TLSRPTv1;rua=mailto:a@b.example,b").unwrap_err().at, Some(34..35));
    }

    #[test]
    fn networks() {
        assert!(network("192.0.2.0/24", false).is_ok() && network("2001:db8::/32", true).is_ok());
        assert!(network("192.0.2.0/33", false).is_err() && network("192.0.2.0/08", false).is_err());
        assert!(network("192.0.2.0", true).is_err() && network("192.0.2.0/", false).is_err());
    }
}
