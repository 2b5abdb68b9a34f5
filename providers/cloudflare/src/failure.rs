//! What the service complains about, as errors that say what to do.

use mailzone_http::Reply;
use mailzone_provider::{ProviderError, ProviderErrorKind as Kind, Retry};

use crate::wire::Complaint;

/// What was asked for; the permission that it needs follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    ListZones,
    ReadZone,
    ReadRecords,
    Write,
}

/// Codes of credentials that are wrong, whatever is asked for: 1000 and 9109 (in part) an unknown token, 6003 a
/// malformed header with 6102, 6103, 6111 in its chain, 9103, 9106, 9107 a wrong or missing key or address.
const CREDENTIALS: &[u64] = &[1000, 6003, 6102, 6103, 6111, 9103, 9106, 9107];

/// The zone's identifier is none, or leads nowhere.
const NO_ZONE: &[u64] = &[1001, 7000, 7003];

/// The zone is not as it was read: 81044 a record is gone, 81053 and 81054 another stands at the name,
/// 81057 and 81058 an identical one is there.
const CONFLICTS: &[u64] = &[81044, 81053, 81054, 81057, 81058];

/// No room for more records.
const QUOTA: u64 = 81045;

/// Whether another's change explains the complaint.
pub(crate) fn is_conflict(complaints: &[Complaint]) -> bool {
    complaints.iter().any(|complaint| CONFLICTS.contains(&complaint.code))
}

/// The error of an answer that is none.
pub(crate) fn explain(reply: &Reply, complaints: &[Complaint], action: Action) -> ProviderError {
    let said = said(complaints, reply.status);
    let has = |codes: &[u64]| complaints.iter().any(|complaint| codes.contains(&complaint.code));
    let names_token = complaints.iter().any(|c| c.code == 9109 && c.message.contains("access token"));
    let fail =
        |kind: fn(String) -> Kind, text: &str, remedy: &str| reply.failure(kind, &format!("{text}: {said}"), remedy);
    // Cloudflare says 10000 with 403 where a right is missing, and with 400 or 401 where it does not know the token.
    let unknown_token = action == Action::ListZones && has(&[10_000]) && reply.status != 403;
    if reply.status == 401 || names_token || unknown_token || has(CREDENTIALS) {
        let remedy = "create an API token with Zone → Zone → Read and Zone → DNS → Edit for the zones (My Profile → API \
                      Tokens), and name it as api_token";
        return fail(Kind::Credentials, "Cloudflare does not accept the credentials", remedy);
    }
    if has(&[10_429]) {
        let error = fail(Kind::Throttled, "Cloudflare says that there are too many requests", "try again in 5 minutes");
        return ProviderError { retry: Retry::Later, ..error };
    }
    if has(NO_ZONE) {
        let remedy = "check zone_id (the zone's overview page shows it), and that the token is for this zone";
        return fail(Kind::NoZone, "Cloudflare knows no such zone", remedy);
    }
    if reply.status == 403 || has(&[9109, 10_000]) {
        let (text, remedy) = missing(action);
        return fail(Kind::Permission, text, remedy);
    }
    if reply.status == 404 && action != Action::Write {
        return fail(Kind::NoZone, "Cloudflare knows no such zone", "check zone_id");
    }
    if has(&[QUOTA]) {
        let remedy = "delete records that nobody needs any more, or take a plan with more of them";
        return fail(Kind::Refused, "the zone holds as many records as its plan allows", remedy);
    }
    if is_conflict(complaints) {
        let remedy = "plan again: another record is in the way, or somebody else changed the zone";
        return fail(Kind::Refused, "Cloudflare's records are not as they were read", remedy);
    }
    match action {
        Action::Write => {
            let remedy = "correct the value that the message names; nothing of this request was written";
            fail(Kind::Refused, "Cloudflare does not take the change", remedy)
        }
        _ => fail(Kind::Protocol, "Cloudflare refuses the request", "check the endpoint, and report this"),
    }
}

fn missing(action: Action) -> (&'static str, &'static str) {
    match action {
        Action::ListZones => (
            "the token may not list zones",
            "give the token Zone → Zone → Read, or name each zone with `zone` and `zone_id`",
        ),
        Action::ReadZone => (
            "the token may not read this zone",
            "give the token Zone → Zone → Read for this zone, or name it with `zone` beside `zone_id`",
        ),
        Action::ReadRecords => (
            "the token may not read the records of this zone",
            "give the token Zone → DNS → Read (for apply: Edit) for this zone",
        ),
        Action::Write => {
            ("the token may not write the records of this zone", "give the token Zone → DNS → Edit for this zone")
        }
    }
}

/// `1004 DNS Validation Error (9005 Content for A record ...), status 400`.
fn said(complaints: &[Complaint], status: u16) -> String {
    let mut text = String::new();
    for complaint in complaints {
        if !text.is_empty() {
            text.push_str("; ");
        }
        push(&mut text, complaint);
    }
    if text.is_empty() {
        return format!("status {status}, no reason given");
    }
    format!("{text}, status {status}")
}

fn push(text: &mut String, complaint: &Complaint) {
    text.push_str(&format!("{} {}", complaint.code, complaint.message));
    // One level is what has been seen.
    let chain: Vec<String> =
        complaint.error_chain.iter().map(|inner| format!("{} {}", inner.code, inner.message)).collect();
    if !chain.is_empty() {
        text.push_str(&format!(" ({})", chain.join("; ")));
    }
}
