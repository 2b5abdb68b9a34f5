//! The targets, by what they read.

mod config;
mod dns;
mod keys;
mod mail;
mod message;
mod spf;
mod zone;

use std::borrow::Cow;

use mailzone_mailauth::{Equality, Kind};
use mailzone_record::{Name, Rdata, Txt};

use crate::Target;

macro_rules! targets {
    ($($name:literal = $run:path, $words:expr, $about:literal;)*) => {
        /// All of them.
        pub static TARGETS: &[Target] = &[$(Target { name: $name, about: $about, run: $run, words: $words }),*];
    };
}

targets! {
    "name" = zone::name, zone::NAME_WORDS, "a name in text, relative and international ones too";
    "name_wire" = zone::name_wire, &[], "a name in wire form";
    "record_type" = zone::record_type, &["TYPE", "MX", "TXT", "NSAP-PTR", "65535"], "a record type";
    "ttl" = zone::ttl, &["s", "m", "h", "d", "w", "2147483647", "2147483648"], "a time to live";
    "rdata_text" = zone::rdata_text, zone::RDATA_WORDS, "type and data of a record in presentation format";
    "rdata_wire" = zone::rdata_wire, &[], "type and data of a record in wire form";
    "zone_text" = zone::zone_text, zone::ZONE_WORDS, "a zone file, and the same zone written anew";
    "zone_edit" = zone::zone_edit, zone::ZONE_WORDS, "two zone files, the first edited into the second";
    "dns_response" = dns::response, dns::WORDS, "a DNS response";
    "dns_request" = dns::request, dns::WORDS, "a request to the embedded server";
    "dns_transfer" = dns::transfer, dns::WORDS, "the messages of a zone transfer";
    "dns_signed" = dns::signed, dns::WORDS, "answers signed with TSIG";
    "tag_list" = mail::tag_list, mail::TAG_WORDS, "a tag list";
    "report_uri" = mail::report_uri, mail::TAG_WORDS, "a report address";
    "dkim_record" = mail::dkim_record, mail::DKIM_WORDS, "one or two DKIM key records";
    "dmarc" = mail::dmarc, mail::DMARC_WORDS, "one or two DMARC records";
    "report_authorisation" = mail::report_authorisation, mail::DMARC_WORDS, "one or two report authorisations";
    "mta_sts_record" = mail::mta_sts_record, mail::TAG_WORDS, "one or two MTA-STS records";
    "mta_sts_policy" = mail::mta_sts_policy, mail::POLICY_WORDS, "an MTA-STS policy file";
    "tls_rpt" = mail::tls_rpt, mail::TAG_WORDS, "one or two TLS-RPT records";
    "bimi" = mail::bimi, mail::TAG_WORDS, "one or two BIMI records";
    "message" = message::message, message::WORDS, "a message, its signature fields, and their verification";
    "caa_value" = mail::caa_value, mail::CAA_WORDS, "one or two values of a CAA issue property";
    "spf_record" = spf::record, spf::WORDS, "one or two SPF records";
    "spf_evaluation" = spf::evaluation, spf::WORDS, "a message's envelope and a world of DNS answers";
    "dns_recording" = spf::recording, spf::RECORDING_WORDS, "recorded DNS answers in JSON";
    "dkim_paste" = keys::paste, keys::WORDS, "keys as pasted from signers' tools";
    "dkim_key" = keys::key_material, keys::WORDS, "one key in any form";
    "private_key" = keys::private, keys::WORDS, "a private key file";
    "config" = config::config, config::WORDS, "a configuration file";
}

/// The octets as text; what is no UTF-8 replaced, so that every input reaches the parser.
fn text(input: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(input)
}

/// What stands before and behind a line `--`; all of it, and nothing, without such a line.
fn halves(input: &[u8]) -> (&[u8], &[u8]) {
    const LINE: &[u8] = b"\n--\n";
    let at = input.windows(LINE.len()).position(|part| part == LINE);
    match at.and_then(|at| Some((input.get(..at)?, input.get(at + LINE.len()..)?))) {
        Some(halves) => halves,
        None => (input, &[]),
    }
}

/// A name that is certainly one.
fn fixed(name: &str) -> Name {
    Name::parse(name).unwrap_or_else(|_| Name::root())
}

/// What holds for a kind of records and whatever two values.
fn kind(kind: &dyn Kind, owner: &str, a: &Rdata, b: &Rdata) {
    let owner = fixed(owner);
    for value in [a, b] {
        kind.recognise(value);
        kind.describe(value);
        kind.lint(&owner, &[value]);
        kind.slot_at(&owner, value.rtype(), &[value]);
        let (none, one): (&[&Rdata], &[&Rdata]) = (&[], &[value]);
        assert_eq!(kind.equal(&owner, one, one), Equality::Identical, "of {value} and itself");
        assert!(kind.difference(&owner, one, one).details.is_empty(), "{value} differs from itself");
        assert!(kind.guards(&owner, one, one).is_empty(), "{value} is guarded from itself");
        kind.difference(&owner, none, one);
        kind.difference(&owner, one, none);
        kind.guards(&owner, one, none);
    }
    kind.lint(&owner, &[a, b]);
    kind.adopt(a, b);
    let equality = kind.equal(&owner, &[a], &[b]);
    assert_eq!(equality, kind.equal(&owner, &[b], &[a]), "of {a} and {b}, one way and the other");
    let difference = kind.difference(&owner, &[a], &[b]);
    let guards = kind.guards(&owner, &[a], &[b]);
    if equality <= Equality::Same {
        assert!(difference.details.is_empty(), "{a} and {b} are the same and differ: {difference:?}");
        assert!(guards.is_empty(), "{a} and {b} are the same, guarded by {guards:?}");
    }
}

/// The same for values in TXT records.
fn txt_kind(of: &dyn Kind, owner: &str, input: &[u8]) {
    let (a, b) = halves(input);
    kind(of, owner, &Rdata::Txt(Txt::from_text(a)), &Rdata::Txt(Txt::from_text(b)));
}
