//! Messy zones and claims of every kind.

use mailzone_mailauth::KindId;
use mailzone_plan::{Claim, Own, Slot};
use mailzone_provider::Snapshot;
use mailzone_record::{Name, Origin, RRset, RRsetKey, Rdata, RecordType, Ttl, Txt, Value};
use proptest::prelude::*;
use proptest::sample::select;

use crate::support::{self, Case, KEY, OTHER_KEY, data, name};

/// Texts that some kind takes for its own, that look so, and that are foreign.
const TEXTS: &[&str] = &[
    "v=spf1 mx -all",
    "v=spf1  MX -ALL",
    "V=SPF1 ip4:192.0.2.0/24 include:_spf.example.net ~all",
    "v=spf1",
    "v=spf1x mx",
    "\"v=spf1 mx -all\"",
    " v=spf1 a -all",
    "v=DMARC1; p=none",
    "v = DMARC1 ;p=none;",
    "v=DMARC1; p=reject; rua=mailto:d@example.com",
    "v=DMARC1; rua=mailto:d@example.com; p=reject",
    "v=dmarc1; p=none",
    "v=DMARC1",
    KEY,
    "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7h cvPapiMlrwIaaPcHURo=;",
    OTHER_KEY,
    "v=DKIM1; p=",
    "v=STSv1; id=1",
    "v=STSv1;id=2;",
    "v=stsv1; id=1",
    "v=TLSRPTv1; rua=mailto:t@example.com",
    "v=TLSRPTv1;rua=mailto:t@example.com",
    "v=TLSRPTv1 rua=",
    "google-site-verification=abc",
    "MS=ms123",
    "",
];

/// Where records stand and what the claims are about.
const OWNERS: &[&str] = &[
    "@",
    "_dmarc",
    "s1._domainkey",
    "s2._domainkey",
    "_mta-sts",
    "mta-sts",
    "_smtp._tls",
    "other.example._report._dmarc",
    "mail",
    "_25._tcp.mail",
    "www",
    "sub",
    "_dmarc.sub",
    "*",
    "WWW.Sub",
];

/// A zone and claims on it.
pub(crate) fn case() -> impl Strategy<Value = Case> {
    (zone(), claims(), option_ttl()).prop_map(|(sets, claims, default_ttl)| {
        let mut case = Case::new("");
        case.snapshot = Snapshot::new(sets, default_ttl);
        case.facts.mentioned = claims.iter().map(|claim| claim.slot.clone()).collect();
        case.claims = claims;
        case
    })
}

fn zone() -> impl Strategy<Value = Vec<RRset>> {
    let nodes: Vec<_> = OWNERS.iter().map(|owner| node(owner)).collect();
    nodes.prop_map(|nodes| nodes.into_iter().flatten().collect())
}

fn owner(text: &str) -> Name {
    Name::parse_in(text, Some(&name("example.com"))).unwrap()
}

/// What stands at one name: nothing, a CNAME, or sets of other types.
fn node(at: &'static str) -> BoxedStrategy<Vec<RRset>> {
    let set = move |rtype: RecordType, values: BoxedStrategy<Vec<Rdata>>| {
        (values, option_ttl(), any::<u16>()).prop_map(move |(values, ttl, handle)| {
            let values = values.into_iter().enumerate().map(|(i, rdata)| {
                let spelling = format!("as stored {i}: {rdata}").into();
                let origin = Origin { handle: Some(format!("{handle}.{i}").into()), spelling: Some(spelling) };
                Value { rdata, origin: Some(Box::new(origin)) }
            });
            vec![RRset::new(owner(at), rtype, ttl, values.collect())]
        })
    };
    let nothing = Just(Vec::new()).boxed();
    let cname = set(RecordType::CNAME, target(RecordType::CNAME)).boxed();
    let txt = || set(RecordType::TXT, prop::collection::vec(txt(), 1..5).boxed()).boxed();
    let mx = set(RecordType::MX, exchangers(1)).boxed();
    let caa = set(RecordType::CAA, prop::collection::vec(one_caa(), 1..4).boxed()).boxed();
    let address = set(RecordType::A, addresses(1)).boxed();
    let unknown = set(RecordType(65_400), Just(vec![data(RecordType(65_400), "\\# 3 00ff22")]).boxed()).boxed();
    let ns = set(RecordType::NS, target(RecordType::NS)).boxed();
    let tlsa = set(RecordType::TLSA, prop::collection::vec(one_tlsa(), 1..3).boxed()).boxed();
    let several = |kinds: Vec<BoxedStrategy<Vec<RRset>>>| {
        let maybe: Vec<_> = kinds.into_iter().map(|kind| prop_oneof![Just(Vec::new()), kind]).collect();
        maybe.prop_map(|sets| sets.into_iter().flatten().collect::<Vec<RRset>>()).boxed()
    };
    match at {
        "@" => several(vec![txt(), mx, caa, address, unknown, ns]),
        "mail" | "www" => prop_oneof![1 => cname, 8 => several(vec![txt(), address, unknown])].boxed(),
        "_25._tcp.mail" => prop_oneof![nothing, tlsa].boxed(),
        "sub" => prop_oneof![8 => nothing, 1 => ns, 2 => txt()].boxed(),
        "*" => prop_oneof![8 => nothing, 4 => txt(), 1 => cname].boxed(),
        _ => prop_oneof![2 => nothing, 1 => cname, 4 => txt(), 1 => several(vec![txt(), unknown])].boxed(),
    }
}

pub(crate) fn txt() -> impl Strategy<Value = Rdata> {
    let octets = prop_oneof![
        4 => select(TEXTS).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
        1 => prop::collection::vec(select(b" \"\\;=v\t\x00\xc3\xa4".as_slice()), 0..300),
    ];
    (octets, prop::collection::vec(any::<prop::sample::Index>(), 0..3)).prop_map(|(octets, cuts)| cut(&octets, &cuts))
}

/// TXT data with these octets and borders between its character-strings at these places.
pub(crate) fn cut(octets: &[u8], cuts: &[prop::sample::Index]) -> Rdata {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(octets.len() + 1)).collect();
    at.extend([0, octets.len()]);
    at.extend((0..octets.len()).step_by(200));
    at.sort_unstable();
    at.dedup();
    let strings: Vec<Box<[u8]>> = at.windows(2).map(|ends| Box::from(&octets[ends[0]..ends[1]])).collect();
    Rdata::Txt(Txt::from_strings(strings).unwrap_or_else(|| Txt::from_text(octets)))
}

fn option_ttl() -> impl Strategy<Value = Option<Ttl>> {
    select(vec![None, Some(60), Some(300), Some(3600)]).prop_map(|ttl| ttl.and_then(Ttl::from_secs))
}

fn target(rtype: RecordType) -> BoxedStrategy<Vec<Rdata>> {
    let target = select(vec!["mail.example.net.", "MAIL.example.net.", "x.example."]);
    target.prop_map(move |target| vec![data(rtype, target)]).boxed()
}

fn exchangers(least: usize) -> BoxedStrategy<Vec<Rdata>> {
    let one = select(vec!["10 mail.example.com.", "10 MAIL.example.com.", "20 b.example.", "30 b.example.", "0 ."]);
    prop::collection::vec(one.prop_map(|mx| data(RecordType::MX, mx)), least..4).boxed()
}

fn addresses(least: usize) -> BoxedStrategy<Vec<Rdata>> {
    let one = select(vec!["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
    prop::collection::vec(one.prop_map(|address| data(RecordType::A, address)), least..4).boxed()
}

fn one_caa() -> impl Strategy<Value = Rdata> {
    let texts = [
        "0 issue \"ca.example\"",
        "0 issue \"b.example\"",
        "0 issuewild \";\"",
        "0 iodef \"mailto:a@b.c\"",
        "0 x \"y\"",
    ];
    select(texts.to_vec()).prop_map(|caa| data(RecordType::CAA, caa))
}

fn one_tlsa() -> impl Strategy<Value = Rdata> {
    (0u8..3).prop_map(|n| data(RecordType::TLSA, &format!("3 1 1 {}", format!("{n:02x}").repeat(32))))
}

/// Claims as a configuration makes them: each slot at most once.
fn claims() -> impl Strategy<Value = Vec<Claim>> {
    use KindId::{Caa, Dkim, Dmarc, Hosts, Mx, ReportAuthorisation, Spf, TlsRpt, Tlsa};
    let plain =
        |kind, key: Option<&'static str>, at: &'static str, rtype, own: Own, want: BoxedStrategy<Vec<Rdata>>| {
            want.prop_map(move |want| vec![support::claim(kind, key, at, rtype, own.clone(), want)]).boxed()
        };
    let spf = wanted(&["v=spf1 mx -all", "v=spf1 ip4:192.0.2.0/24 -all"]);
    let dmarc = wanted(&["v=DMARC1; p=none", "v=DMARC1; p=reject; rua=mailto:d@example.com"]);
    let keys = || wanted(&[KEY, OTHER_KEY, "v=DKIM1; p="]);
    let caa_own = Own::CaaTags(vec!["issue".into(), "issuewild".into()]);
    let issuers =
        select(vec!["0 issue \"ca.example\"", "0 issuewild \";\""]).prop_map(|caa| data(RecordType::CAA, caa));
    let listed = || prop::collection::vec(txt(), 1..3);
    let slots: Vec<BoxedStrategy<Vec<Claim>>> = vec![
        plain(Mx, None, "@", RecordType::MX, Own::RRset, exchangers(0)),
        plain(Spf, None, "@", RecordType::TXT, Own::Candidates, spf),
        own_name(Dmarc, None, "_dmarc", Own::Candidates, dmarc),
        own_name(Dkim, Some("s1"), "s1._domainkey", Own::RRset, keys()),
        own_name(Dkim, Some("s2"), "s2._domainkey", Own::RRset, keys()),
        own_name(KindId::MtaSts, None, "_mta-sts", Own::Candidates, wanted(&["v=STSv1; id=1", "v=STSv1; id=2"])),
        own_name(TlsRpt, None, "_smtp._tls", Own::Candidates, wanted(&["v=TLSRPTv1; rua=mailto:t@example.com"])),
        plain(
            ReportAuthorisation,
            Some("other.example"),
            "other.example._report._dmarc",
            RecordType::TXT,
            Own::Candidates,
            wanted(&["v=DMARC1"]),
        ),
        plain(Caa, None, "@", RecordType::CAA, caa_own, prop::collection::vec(issuers, 0..3).boxed()),
        plain(Hosts, Some("mail"), "mail", RecordType::A, Own::RRset, addresses(0)),
        plain(
            Tlsa,
            Some("_25._tcp"),
            "_25._tcp.mail",
            RecordType::TLSA,
            Own::RRset,
            prop::collection::vec(one_tlsa(), 0..3).boxed(),
        ),
        listed().prop_map(|want| vec![listed_claim("www", Own::Values(want.clone()), want)]).boxed(),
        prop::collection::vec(txt(), 0..3).prop_map(|want| vec![listed_claim("*", Own::RRset, want)]).boxed(),
        listed().prop_map(|want| vec![listed_claim("@", Own::Values(want.clone()), want)]).boxed(),
        plain(KindId::Records, Some("sub.NS"), "sub", RecordType::NS, Own::RRset, target(RecordType::NS)),
    ];
    // Names in a delegation are rare, or most zones would be refused.
    let last = slots.len() - 1;
    let maybe: Vec<_> = slots
        .into_iter()
        .enumerate()
        .map(|(i, slot)| prop_oneof![3 => Just(Vec::new()), if i == last { 1 } else { 4 } => slot])
        .collect();
    (maybe, prop::collection::vec(option_ttl(), 20), any::<u64>()).prop_map(|(claims, ttls, reliance)| {
        let mut claims: Vec<Claim> = claims.into_iter().flatten().collect();
        let ttl_of = |slot: &Slot| match slot.kind {
            // An RRset has one TTL: shared sets leave it open.
            KindId::Records | Spf => None,
            kind => ttls[kind as usize % ttls.len()],
        };
        let keys: Vec<RRsetKey> = claims.iter().map(Claim::key).collect();
        for (i, claim) in claims.iter_mut().enumerate() {
            claim.ttl = ttl_of(&claim.slot);
            // Any relation at all, circles too.
            let relies = |j: usize| (reliance >> ((i * 7 + j) % 64)) & 1 == 1;
            claim.relies_on = keys.iter().enumerate().filter(|(j, _)| relies(*j)).map(|(_, key)| key.clone()).collect();
            claim.relies_always = (reliance >> (i % 64)) & 3 == 3;
        }
        claims
    })
}

fn listed_claim(at: &str, own: Own, want: Vec<Rdata>) -> Claim {
    support::claim(KindId::Records, Some(&format!("{at}.TXT")), at, RecordType::TXT, own, want)
}

/// One of these, or nothing.
fn wanted(texts: &'static [&'static str]) -> BoxedStrategy<Vec<Rdata>> {
    prop_oneof![
        3 => select(texts).prop_map(|text| vec![support::text(text)]),
        1 => Just(Vec::new()),
    ]
    .boxed()
}

/// A slot whose name is its own: text, a CNAME, or neither.
fn own_name(
    kind: KindId,
    key: Option<&'static str>,
    at: &'static str,
    own: Own,
    want: BoxedStrategy<Vec<Rdata>>,
) -> BoxedStrategy<Vec<Claim>> {
    let cname = select(vec!["", "", "", "keys.example.net"]);
    (want, cname, any::<bool>())
        .prop_map(move |(want, cname, adopt)| {
            let want = if cname.is_empty() { want } else { Vec::new() };
            let wants_text = !want.is_empty();
            let claim = support::claim(kind, key, at, RecordType::TXT, own.clone(), want);
            let mut claims = vec![Claim { own_name: true, adopt: adopt && kind == KindId::Dkim, ..claim }];
            if !wants_text {
                claims.push(Claim { slot: claims[0].slot.clone(), ..support::alias(kind, at, cname) });
            }
            claims
        })
        .boxed()
}
