use mailzone_record::{Caa, Mx, Name, Rdata, RecordType, Soa, Srv, Tlsa, Txt};
use proptest::collection::vec;
use proptest::prelude::*;

pub(crate) fn name() -> impl Strategy<Value = Name> {
    let label = prop_oneof![
        6 => "[a-zA-Z0-9_-]{1,12}".prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 1..20),
    ];
    vec(label, 0..5).prop_map(|labels| {
        let mut wire = Vec::new();
        for label in labels {
            wire.push(u8::try_from(label.len()).unwrap());
            wire.extend(label);
        }
        wire.push(0);
        Name::from_wire(&wire).unwrap()
    })
}

pub(crate) fn octets(max: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => "[ -~]{0,40}".prop_map(String::into_bytes),
        1 => "[a-z\";\\\\() @$\u{e9}]{0,20}".prop_map(String::into_bytes),
        2 => vec(any::<u8>(), 0..=max),
    ]
}

pub(crate) fn txt() -> impl Strategy<Value = Txt> {
    vec(octets(255).prop_map(Vec::into_boxed_slice), 1..4).prop_map(|strings| Txt::from_strings(strings).unwrap())
}

/// Data as the readers make it.
pub(crate) fn rdata() -> impl Strategy<Value = Rdata> {
    prop_oneof![
        2 => any::<[u8; 4]>().prop_map(|a| Rdata::A(a.into())),
        1 => any::<[u8; 16]>().prop_map(|a| Rdata::Aaaa(a.into())),
        1 => name().prop_map(Rdata::Ns),
        1 => name().prop_map(Rdata::Cname),
        1 => name().prop_map(Rdata::Ptr),
        2 => (any::<u16>(), name()).prop_map(|(preference, exchange)| Rdata::Mx(Mx { preference, exchange })),
        4 => txt().prop_map(Rdata::Txt),
        1 => (any::<[u16; 3]>(), name()).prop_map(|([priority, weight, port], target)| {
            Rdata::Srv(Srv { priority, weight, port, target })
        }),
        1 => (any::<[u8; 3]>(), vec(any::<u8>(), 1..70)).prop_map(|([usage, selector, matching], data)| {
            Rdata::Tlsa(Tlsa { usage, selector, matching, data })
        }),
        1 => (any::<u8>(), "[a-zA-Z0-9]{1,20}", octets(300)).prop_map(|(flags, tag, value)| {
            Rdata::Caa(Caa { flags, tag: tag.into(), value: value.into() })
        }),
        1 => (name(), name(), any::<[u32; 5]>()).prop_map(|(mname, rname, [serial, refresh, retry, expire, minimum])| {
            Rdata::Soa(Box::new(Soa { mname, rname, serial, refresh, retry, expire, minimum }))
        }),
        3 => (rtype(), vec(any::<u8>(), 0..60)).prop_map(|(rtype, data)| Rdata::from_wire(rtype, &data)),
        1 => text_only(),
    ]
}

/// Every type of a mnemonic, and any other.
pub(crate) fn rtype() -> impl Strategy<Value = RecordType> {
    prop_oneof![(1u16..270).prop_map(RecordType), any::<u16>().prop_map(RecordType)]
}

fn text_only() -> impl Strategy<Value = Rdata> {
    let svcb = "1 [a-z]{1,8}\\. alpn=\"h2,h3\" port=[0-9]{1,4}x( key7=[a-z]{1,5})?";
    let loc = "[0-9]{1,2} [0-9]{1,2} N [0-9]{1,2} E 10km";
    prop_oneof![
        svcb.prop_map(|text| (RecordType::SVCB, text)),
        loc.prop_map(|text| (RecordType::LOC, text)),
        "10\\.0\\.0\\.1 (TCP|6) (SMTP|25)".prop_map(|text| (RecordType::WKS, text)),
    ]
    .prop_map(|(rtype, text)| Rdata::Opaque(mailzone_record::Opaque::Text { rtype, text: text.into() }))
}
