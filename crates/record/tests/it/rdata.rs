use mailzone_record::{Field, Name, Opaque, Rdata, RecordType, parse_rdata, parse_rdata_text};
use proptest::prelude::*;

use crate::strategies::{rdata, rtype};

proptest! {
    #[test]
    fn print_and_parse_are_inverse(data in rdata()) {
        let text = data.to_string();
        prop_assert_eq!(parse_rdata_text(data.rtype(), &text, None), Ok(data.clone()), "{}", text);
        // The printed names are absolute: an origin changes nothing.
        let origin = Name::parse("elsewhere.example").unwrap();
        prop_assert_eq!(parse_rdata_text(data.rtype(), &text, Some(&origin)), Ok(data));
    }

    #[test]
    fn octets_and_back(data in rdata()) {
        match data.to_wire() {
            Some(wire) => prop_assert_eq!(Rdata::from_wire(data.rtype(), &wire), data),
            None => {
                let text_only = matches!(data, Rdata::Opaque(Opaque::Text { .. }));
                prop_assert!(text_only);
            }
        }
    }

    #[test]
    fn any_octets_survive(rtype in rtype(), octets in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert_eq!(Rdata::from_wire(rtype, &octets).to_wire(), Some(octets));
    }

    #[test]
    fn any_text_is_read_without_a_panic(rtype in rtype(), text in "\\PC{0,40}|[0-9a-f\\\\\"#=@.: -]{0,40}") {
        if let Ok(data) = parse_rdata_text(rtype, &text, None) {
            prop_assert_eq!(data.rtype(), rtype);
            prop_assert_eq!(parse_rdata_text(rtype, &data.to_string(), None), Ok(data));
        }
    }
}

fn read(rtype: RecordType, text: &str) -> Rdata {
    let origin = Name::parse("example.com").unwrap();
    parse_rdata_text(rtype, text, Some(&origin)).unwrap()
}

fn error(rtype: RecordType, text: &str) -> String {
    let error = parse_rdata_text(rtype, text, None).unwrap_err();
    format!("field {}: {error}", error.field)
}

#[test]
fn typed_data() {
    let cases = [
        (RecordType::A, "192.0.2.1", "192.0.2.1"),
        (RecordType::A, r"\# 4 7f 000002", "127.0.0.2"),
        (RecordType::AAAA, "2001:DB8:0:0:0::1", "2001:db8::1"),
        (RecordType::MX, "010 mail", "10 mail.example.com."),
        (RecordType::MX, "0 .", "0 ."),
        (RecordType::NS, "@", "example.com."),
        (RecordType::TXT, "v=spf1 -all", r#""v=spf1" "-all""#),
        (RecordType::TXT, r#""a;b""c" d\"e "#, r#""a;b" "c" "d\"e""#),
        (RecordType::TXT, "\"caf\u{e9}\"", r#""caf\195\169""#),
        (RecordType::TLSA, "3 1 1 AABB ccdd", "3 1 1 aabbccdd"),
        (RecordType::CAA, "0 issue ca.example", r#"0 issue "ca.example""#),
        (RecordType::SOA, "ns1 host.a 1 1h 30m 2w 300", "ns1.example.com. host.a.example.com. 1 3600 1800 1209600 300"),
    ];
    for (rtype, text, printed) in cases {
        let data = read(rtype, text);
        assert_eq!(data.to_string(), printed);
        assert!(!matches!(data, Rdata::Opaque(_)), "{data:?}");
    }
}

#[test]
fn carried_data() {
    let cases = [
        (RecordType::DS, "14480 RSASHA256 2 BB1C 4B61", "14480 8 2 bb1c4b61"),
        (RecordType::NAPTR, r#"1 2 "u" E2U+sip "!^.*$!x!" ."#, r#"1 2 "u" "E2U+sip" "!^.*$!x!" ."#),
        (RecordType::ISDN, "address", r#""address""#),
        (RecordType::ISDN, "address sub", r#""address" "sub""#),
        (RecordType::URI, r#"10 1 "ftp://a/""#, r#"10 1 "ftp://a/""#),
        (RecordType::EUI48, "00-00-5E-00-53-2a", "00-00-5e-00-53-2a"),
        (RecordType::L64, "10 2001:DB8:1140:0", "10 2001:0db8:1140:0000"),
        (RecordType::NSEC3PARAM, "1 1 12 -", "1 1 12 -"),
        (RecordType::DNAME, "x", "x.example.com."),
        (RecordType::SSHFP, r"\# 3 010102", "1 1 02"),
        (RecordType(999), r"\# 2 0A0b", r"\# 2 0a0b"),
        (RecordType(999), r"\# 0", r"\# 0"),
    ];
    for (rtype, text, printed) in cases {
        let data = read(rtype, text);
        assert_eq!(data.to_string(), printed);
        assert!(matches!(data, Rdata::Opaque(Opaque::Wire { .. })), "{data:?}");
    }
}

#[test]
fn what_cannot_be_read_is_kept_as_text() {
    let cases = [
        (RecordType::WKS, "10.0.0.1  6\t( 25 )", "10.0.0.1 6 ( 25 )"),
        (RecordType::SVCB, r#"1 a.  alpn="h2,h3" port=x"#, r#"1 a. alpn="h2,h3" port=x"#),
        (RecordType::DS, "14480 13 2 not-hex", "14480 13 2 not-hex"),
        (RecordType::TLSA, "3 1 1 mdfiytq3=", "3 1 1 mdfiytq3="),
        (RecordType(999), "whatever \"x  y\"", "whatever \"x  y\""),
    ];
    for (rtype, text, kept) in cases {
        assert_eq!(read(rtype, text), Rdata::Opaque(Opaque::Text { rtype, text: kept.into() }));
    }
    let fields =
        [("1", false), ("a.", false), ("alpn=", false), ("h2", true)].map(|(text, quoted)| Field { text, quoted });
    assert_eq!(parse_rdata(RecordType::HTTPS, &fields, None).unwrap().to_string(), r#"1 a. alpn="h2""#);
}

#[test]
fn errors_name_the_field() {
    insta::assert_snapshot!(error(RecordType::A, "192.0.2"), @"field 0: not an IPv4 address");
    insta::assert_snapshot!(error(RecordType::A, ""), @"field 0: an IPv4 address is missing");
    insta::assert_snapshot!(error(RecordType::LOC, " "), @"field 0: the data is missing");
    insta::assert_snapshot!(error(RecordType::MX, "65536 mail"), @"field 0: the preference is no number, or too large");
    insta::assert_snapshot!(error(RecordType::MX, "10"), @"field 1: the exchange is missing");
    insta::assert_snapshot!(error(RecordType::MX, "10 a..b"), @"field 1: the exchange is no domain name: empty label (two dots in a row, or a dot at the start)");
    insta::assert_snapshot!(error(RecordType::MX, "10 a b"), @"field 2: more fields than the record type has");
    insta::assert_snapshot!(error(RecordType::NS, "@"), @"field 0: the name server is no domain name: relative name without an origin");
    insta::assert_snapshot!(error(RecordType::TXT, "\"a"), @"field 0: a quoted string without its closing quote");
    insta::assert_snapshot!(error(RecordType::TXT, r"x a\25"), @"field 1: a backslash without a character or three digits up to 255");
    insta::assert_snapshot!(error(RecordType::TXT, &"x".repeat(256)), @"field 0: a character-string of more than 255 octets; split it into several in quotes");
    insta::assert_snapshot!(error(RecordType::CAA, "0 a-b c"), @"field 1: the property tag is not 1 to 255 letters and digits (RFC 8659 section 4.1)");
    insta::assert_snapshot!(error(RecordType::A, r"\# 4 7f0000"), @"field 2: 3 octets of data where 4 are announced");
}
