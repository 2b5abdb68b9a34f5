//! What to write instead: the messages of syntax errors.

use std::net::IpAddr;

use super::error::{SpfError, SpfErrorKind};
use super::network::Network;
use super::parse::is_near_miss;

/// The names of mechanisms and modifiers; the most frequent first.
pub(super) const NAMES: &[&str] = &["ip4", "ip6", "include", "a", "mx", "all", "ptr", "exists", "redirect", "exp"];

/// A text that receivers do not select.
pub(super) fn not_spf(text: &[u8]) -> SpfError {
    let all = 0..text.len();
    let error = |message: &str, remedy: &str| SpfError::new(all.clone(), SpfErrorKind::NotSpf, message, remedy);
    let version = text.get(..6).is_some_and(|v| v.eq_ignore_ascii_case(b"v=spf1"));
    match text.get(6) {
        Some(b';') if version => error("`;` after `v=spf1`: receivers do not select this", "separate terms by blanks"),
        Some(b'\t') if version => {
            error("a tab after `v=spf1`: receivers do not select this", "separate terms by blanks")
        }
        Some(b'0'..=b'9') if version => error("the version is not `v=spf1`", "start with `v=spf1` and a blank"),
        Some(_) if version => {
            error("no blank after `v=spf1`: receivers do not select this", "write a blank after `v=spf1`")
        }
        _ if is_near_miss(text) => error(
            "something stands before or within `v=spf1`: receivers do not select this",
            "start with exactly `v=spf1`: no quotes, no blank in front",
        ),
        _ => error("no SPF record: it does not start with `v=spf1`", "start with `v=spf1` and a blank"),
    }
}

/// The address of `ip4` (`v4`) or `ip6` that is none; `text` has its prefix length too.
pub(super) fn bad_address(text: &str, address: &str, v4: bool, at: usize) -> SpfError {
    let span = at..at + address.len();
    let (family, other) = if v4 { ("IPv4", "ip6") } else { ("IPv6", "ip4") };
    let message = format!("`{address}` is not an {family} address");
    let error = |message: String, remedy: &str| SpfError::new(span.clone(), SpfErrorKind::BadAddress, message, remedy);
    if address.is_empty() {
        let mechanism = if v4 { "ip4" } else { "ip6" };
        return SpfError::new(
            span,
            SpfErrorKind::MissingArgument,
            format!("`{mechanism}:` without an address"),
            "name one",
        );
    }
    if address.parse::<IpAddr>().is_ok() {
        return error(message, &format!("write `{other}:{text}`"));
    }
    if !v4 {
        return error(message, "write it as in `2001:db8::1`, without brackets");
    }
    let octets: Vec<&str> = address.split('.').collect();
    let numeric = octets.iter().all(|o| !o.is_empty() && o.bytes().all(|b| b.is_ascii_digit()));
    if !numeric {
        return error(message, "write four numbers with dots; for a host name write `a:`");
    }
    if let Some(big) = octets.iter().find(|o| o.parse::<u16>().map_or(true, |n| n > 255)) {
        return error(format!("{message}: `{big}` is over 255"), "each of the four numbers is 0 to 255");
    }
    if octets.len() != 4 {
        return error(format!("{message}: {} numbers instead of 4", octets.len()), "write all four numbers");
    }
    error(format!("{message}: a number has a leading zero"), "write the numbers without leading zeros")
}

/// A term whose name is no mechanism.
pub(super) fn unknown(body: &str, name: &str, rest: &str, at: usize) -> SpfError {
    let whole = at..at + body.len();
    let address = body.split_once('/').map_or(body, |(address, _)| address);
    if let Ok(address) = address.parse::<IpAddr>() {
        let mechanism = Network::host(address).mechanism();
        let message = format!("an address without its mechanism: `{body}`");
        return SpfError::new(whole, SpfErrorKind::MissingName, message, format!("write `{mechanism}:{body}`"));
    }
    if name.is_empty() {
        let message = if body.is_empty() {
            "a qualifier without a mechanism".to_owned()
        } else {
            format!("`{body}` does not start with the name of a mechanism")
        };
        let remedy = "write the qualifier directly before a mechanism, as in `-all`";
        let whole = if body.is_empty() { at.saturating_sub(1)..at } else { whole };
        return SpfError::new(whole, SpfErrorKind::MissingName, message, remedy);
    }
    let folded = name.to_ascii_lowercase();
    let message = format!("no mechanism is called `{name}`");
    let remedy = match folded.as_str() {
        "ipv4" => format!("write `ip4{rest}`"),
        "ipv6" => format!("write `ip6{rest}`"),
        "ip" => match rest.trim_start_matches(':').split('/').next().map(str::parse::<IpAddr>) {
            Some(Ok(address)) => format!("write `{}{rest}`", Network::host(address).mechanism()),
            _ => format!("write `ip4{rest}` or `ip6{rest}`"),
        },
        "aaaa" => format!("write `a{rest}`: it covers IPv6 too"),
        _ => match nearest(&folded) {
            Some(known @ ("redirect" | "exp")) => {
                format!("write `{known}={}`", rest.trim_start_matches(':'))
            }
            Some(known) => format!("write `{known}{rest}`"),
            None if rest.is_empty() && name.contains('.') => {
                format!("write `a:{name}` for a host, `include:{name}` for another domain's record")
            }
            None => "the mechanisms are all, include, a, mx, ip4, ip6, exists and ptr".to_owned(),
        },
    };
    SpfError::new(at..at + name.len(), SpfErrorKind::UnknownMechanism, message, remedy)
}

/// Lost blanks and pasted punctuation explain an error better than what the grammar missed.
pub(super) fn explain(text: &str, at: usize, error: SpfError) -> SpfError {
    let lower = text.to_ascii_lowercase();
    let end = at + text.len();
    if text.len() > 4 && text.is_char_boundary(text.len() - 4) {
        let (before, tail) = lower.split_at(text.len() - 4);
        if matches!(tail, "-all" | "~all" | "?all" | "+all") && !before.is_empty() {
            let message = format!("no blank before `{tail}`");
            let remedy = format!("write `{} {tail}`", &text[..before.len()]);
            return SpfError::new(end - 4..end, SpfErrorKind::LostBlank, message, remedy);
        }
    }
    if let Some(quote) = text.find('"') {
        let message = "a quote inside the record";
        return SpfError::new(at + quote..at + quote + 1, SpfErrorKind::BadCharacter, message, "leave the quotes out");
    }
    if let Some(mark) = text.find([',', ';']) {
        let found = &text[mark..=mark];
        let message = format!("`{found}` instead of a blank");
        let span = at + mark..at + mark + 1;
        return SpfError::new(span, SpfErrorKind::LostBlank, message, "separate terms by blanks");
    }
    error
}

/// The known name at most two edits away, if the name is long enough for that to mean anything.
fn nearest(name: &str) -> Option<&'static str> {
    // Before anything is counted: a name may be as long as a record.
    if !(3..16).contains(&name.len()) {
        return None;
    }
    let near = NAMES.iter().map(|known| (distance(name, known), *known)).min()?;
    let allowed = if name.len() <= 4 { 1 } else { 2 };
    (near.0 <= allowed).then_some(near.1)
}

/// Edits between two short names, a swap of neighbours counted as one.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<u8>, Vec<u8>) = (a.bytes().collect(), b.bytes().collect());
    let mut rows = vec![vec![0usize; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let edit = usize::from(a[i - 1] != b[j - 1]);
                let mut best = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + edit);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    best = best.min(rows[i - 2][j - 2] + 1);
                }
                best
            };
        }
    }
    rows[a.len()][b.len()]
}
