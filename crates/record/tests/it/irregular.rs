//! Types whose text is no plain row of fields: SVCB, LOC, type bitmaps, APL, hosts of several kinds.

use mailzone_record::{Name, Opaque, Rdata, RecordType, parse_rdata_text};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use RecordType as T;

/// Type, text, octets in hexadecimal, and the text printed.
const EXAMPLES: &[(RecordType, &str, &str, &str)] = &[
    // RFC 9460 appendix D.1 and D.2.
    (T::HTTPS, "0 foo.example.com.", "000003666f6f076578616d706c6503636f6d00", "0 foo.example.com."),
    (T::SVCB, "1 .", "000100", "1 ."),
    (
        T::SVCB,
        "16 foo.example.com. port=53",
        "001003666f6f076578616d706c6503636f6d00000300020035",
        "16 foo.example.com. port=53",
    ),
    (
        T::SVCB,
        "1 foo.example.com. key667=hello",
        "000103666f6f076578616d706c6503636f6d00029b000568656c6c6f",
        r#"1 foo.example.com. key667="hello""#,
    ),
    (
        T::SVCB,
        r#"1 foo.example.com. key667="hello\210qoo""#,
        "000103666f6f076578616d706c6503636f6d00029b000968656c6c6fd2716f6f",
        r#"1 foo.example.com. key667="hello\210qoo""#,
    ),
    (
        T::SVCB,
        r#"1 foo.example.com. ipv6hint="2001:db8::1,2001:db8::53:1""#,
        "000103666f6f076578616d706c6503636f6d000006002020010db800000000000000000000000120010db8000000000000000000530001",
        "1 foo.example.com. ipv6hint=2001:db8::1,2001:db8::53:1",
    ),
    (
        T::SVCB,
        r#"1 example.com. ipv6hint="2001:db8:122:344::192.0.2.33""#,
        "0001076578616d706c6503636f6d000006001020010db80122034400000000c0000221",
        "1 example.com. ipv6hint=2001:db8:122:344::c000:221",
    ),
    (
        T::SVCB,
        "16 foo.example.org. alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1",
        "001003666f6f076578616d706c65036f7267000000000400010004000100090268320568332d313900040004c0000201",
        r#"16 foo.example.org. mandatory=alpn,ipv4hint alpn="h2,h3-19" ipv4hint=192.0.2.1"#,
    ),
    (
        T::SVCB,
        r#"16 foo.example.org. alpn="f\\\\oo\\,bar,h2""#,
        "001003666f6f076578616d706c65036f7267000001000c08665c6f6f2c626172026832",
        r#"16 foo.example.org. alpn="f\\\\oo\\,bar,h2""#,
    ),
    (
        T::SVCB,
        r"16 foo.example.org. alpn=f\\\092oo\092,bar,h2",
        "001003666f6f076578616d706c65036f7267000001000c08665c6f6f2c626172026832",
        r#"16 foo.example.org. alpn="f\\\\oo\\,bar,h2""#,
    ),
    // RFC 9461, RFC 9540, ECH, keys without a name.
    (
        T::SVCB,
        r#"1 . dohpath=/q{?dns} ohttp key9 key65280="""#,
        "000100000700082f717b3f646e737d0008000000090000ff000000",
        r#"1 . dohpath="/q{?dns}" ohttp key9 key65280"#,
    ),
    (
        T::HTTPS,
        r#"1 . no-default-alpn alpn=h3 ech="AQID""#,
        "000100000100030268330002000000050003010203",
        r#"1 . alpn="h3" no-default-alpn ech=AQID"#,
    ),
    (
        T::HTTPS,
        "1 . key8 key2 alpn=h3 key7=x",
        "0001000001000302683300020000000700017800080000",
        r#"1 . alpn="h3" no-default-alpn dohpath="x" ohttp"#,
    ),
    // RFC 1876 section 4, with and without what may be left out.
    (
        T::LOC,
        "42 21 54 N 71 06 18 W -24m 30m",
        "0033161389172dd070be15f000988d20",
        "42 21 54.000 N 71 6 18.000 W -24.00m 30.00m 10000.00m 10.00m",
    ),
    (
        T::LOC,
        "52 14 05.25 N 00 08 50.1 E 10m 1 90000000.00 0.09m",
        "001299908b3557c2800816b400989a68",
        "52 14 5.250 N 0 8 50.100 E 10.00m 1.00m 90000000.00m 0.09m",
    ),
    (
        T::LOC,
        "32 s 116 w 42849672.95m",
        "0012161379223000671bee00ffffffff",
        "32 0 0.000 S 116 0 0.000 W 42849672.95m 1.00m 10000.00m 10.00m",
    ),
    (
        T::LOC,
        "90 0 0 N 180 0 0.000 W -100000.00m 0",
        "00001613934fd90059604e0000000000",
        "90 0 0.000 N 180 0 0.000 W -100000.00m 0.00m 10000.00m 10.00m",
    ),
    // RFC 4034 sections 3.3 and 4.3, RFC 5155 appendix B, RFC 7477.
    (
        T::NSEC,
        "host.example.com. A MX RRSIG NSEC TYPE1234",
        "04686f7374076578616d706c6503636f6d000006400100000003041b000000000000000000000000000000000000000000000000000020",
        "host.example.com. A MX RRSIG NSEC TYPE1234",
    ),
    (
        T::NSEC,
        ". TYPE65535 nsap-ptr TYPE1 TYPE1",
        "000003400001ff200000000000000000000000000000000000000000000000000000000000000001",
        ". A NSAP-PTR TYPE65535",
    ),
    (
        T::NSEC3,
        "1 1 12 aabbccdd 2t7b4g4vsa5smi47k61mv5bv1a22bojr MX DNSKEY NS SOA NSEC3PARAM RRSIG",
        "0101000c04aabbccdd14174eb2409fe28bcb4887a1836f957f0a8425e27b000722010000000290",
        "1 1 12 aabbccdd 2t7b4g4vsa5smi47k61mv5bv1a22bojr NS SOA MX RRSIG DNSKEY NSEC3PARAM",
    ),
    (T::NSEC3, "1 0 0 - 00", "01000000000100", "1 0 0 - 00"),
    (T::CSYNC, "66 3 A NS AAAA", "000000420003000460000008", "66 3 A NS AAAA"),
    (
        T::RRSIG,
        "A RSASHA1 3 86400 20030322173103 1045935063 2642 example.com. AQ ID",
        "00010503000151803e7c9dd73e57b3d70a52076578616d706c6503636f6d00010203",
        "A 5 3 86400 20030322173103 20030222173103 2642 example.com. AQID",
    ),
    // RFC 3123 section 9.
    (
        T::APL,
        "1:192.168.32.0/21 !1:192.168.38.0/28",
        "00011503c0a82000011c83c0a826",
        "1:192.168.32.0/21 !1:192.168.38.0/28",
    ),
    (
        T::APL,
        "1:224.0.0.0/4 2:FF00:0:0:0:0:0:0:0/8 1:0.0.0.0/0",
        "00010401e000020801ff00010000",
        "1:224.0.0.0/4 2:ff00::/8 1:0.0.0.0/0",
    ),
    // RFC 4025 section 3.2, RFC 8777 section 4.3.
    (T::IPSECKEY, "10 1 2 192.0.2.38 AQID", "0a0102c0000226010203", "10 1 2 192.0.2.38 AQID"),
    (T::IPSECKEY, "10 0 2 . AQID", "0a0002010203", "10 0 2 . AQID"),
    (
        T::IPSECKEY,
        "10 2 2 2001:0DB8:0:8002::2000:1 AQID",
        "0a020220010db8000080020000000020000001010203",
        "10 2 2 2001:db8:0:8002::2000:1 AQID",
    ),
    (
        T::IPSECKEY,
        "10 3 0 mygateway.example.com.",
        "0a0300096d7967617465776179076578616d706c6503636f6d00",
        "10 3 0 mygateway.example.com.",
    ),
    (T::AMTRELAY, "0 1 0 .", "0080", "0 1 0 ."),
    (T::AMTRELAY, "10 0 1 203.0.113.15", "0a01cb00710f", "10 0 1 203.0.113.15"),
    (T::AMTRELAY, "10 0 2 2001:db8::15", "0a0220010db8000000000000000000000015", "10 0 2 2001:db8::15"),
    (
        T::AMTRELAY,
        "128 1 3 amtrelays.example.com.",
        "808309616d7472656c617973076578616d706c6503636f6d00",
        "128 1 3 amtrelays.example.com.",
    ),
    // RFC 9859 section 2, RFC 1706 section 7.
    (
        T::DSYNC,
        "CDS 1 5359 cds-scanner.example.net.",
        "003b0114ef0b6364732d7363616e6e6572076578616d706c65036e657400",
        "CDS NOTIFY 5359 cds-scanner.example.net.",
    ),
    (T::DSYNC, "CSYNC 128 443 a.", "003e8001bb016100", "CSYNC 128 443 a."),
    (T::NSAP, "0x47.0005.80.005a00", "47000580005a00", "0x47000580005a00"),
];

/// Texts that are kept as they are.
const NOT_READ: &[(RecordType, &[&str])] = &[
    (
        T::SVCB,
        &[
            // RFC 9460 appendix D.3.
            "1 foo.example.com. key123=abc key123=def",
            "1 foo.example.com. mandatory",
            "1 foo.example.com. alpn",
            "1 foo.example.com. port",
            "1 foo.example.com. ipv4hint",
            "1 foo.example.com. ipv6hint",
            "1 foo.example.com. no-default-alpn=abc",
            "1 foo.example.com. mandatory=key123",
            "1 foo.example.com. mandatory=mandatory",
            "1 foo.example.com. mandatory=key123,key123 key123=abc",
            // A protocol without a name, one that is too long, an escape that lists do not have.
            "1 . alpn=h2,,h3",
            "1 . alpn=h2,",
            r"1 . alpn=h\\2",
            "1 . alpn=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\
             aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\
             aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            // Blanks and quotes that belong nowhere.
            r#"1 . key9= "x""#,
            r#"1 . key9="x"key10=y"#,
            r#"1 . "key9=x""#,
            r#"1 . key9=a="x""#,
            // Numbers.
            "1 . port=65536",
            "1 . port=+5",
            "1 . key09=x",
            "1 . key65536=x",
            "1 . key3=x",
            "1 . key8=x",
            "1 . ipv4hint=192.0.2.1,",
            "1 . ech=AQI",
            // Without alpn (RFC 9460 section 7.1.1).
            "1 . no-default-alpn",
            "1 . ALPN=h2",
            "65536 .",
            "1",
        ],
    ),
    (
        T::LOC,
        &[
            "60 9 N 24 39 E",
            "90 0 0.001 N 24 E 0",
            "60 N 181 E 0",
            "60 60 N 24 E 0",
            "60 9 60 N 24 E 0",
            "60 9 1.0005 N 24 E 0",
            "60 9 1. N 24 E 0",
            "60 9 .5 N 24 E 0",
            "60 E 24 N 0",
            "60 N 24 E -100000.01",
            "60 N 24 E 42849672.96",
            "60 N 24 E 0 20.5m",
            "60 N 24 E 0 90000000.01",
            "60 N 24 E 0 100000000.00",
            "60 N 24 E 0 1 1 1 1",
        ],
    ),
    (T::NSEC, &["a. A NOTYPE", "a. TYPE65536", "a..b A"]),
    (T::NSEC3, &["1 0 0 -", "1 0 0 - - A", "1 0 0 - 0 A", "1 0 0 - 01 A", "1 0 0 - 0w"]),
    (T::RRSIG, &["A 5 3 1 2003 20030222173103 1 a.", "A 5 3 1 20030229000000 0 1 a. AQID", "A 5 3 1h 0 0 1 a. AQID"]),
    (T::APL, &["1:192.0.2.0", "1:192.0.2.0/33", "3:192.0.2.0/8", "2:192.0.2.0/8", "192.0.2.0/8", "!!1:0.0.0.0/0"]),
    (T::IPSECKEY, &["10 0 2 a. AQID", "10 4 2 . AQID", "10 1 2 2001:db8::1 AQID", "10 0 2 . AQI", "10 0 2"]),
    (T::AMTRELAY, &["10 2 1 192.0.2.1", "10 0 4 .", "10 0 128 .", "10 0 1"]),
    (T::DSYNC, &["CDS NOTE 1 a.", "CDS 256 1 a."]),
    (T::NSAP, &["47000580", "0x", "0x470"]),
];

/// Octets that no text stands for.
const ONLY_OCTETS: &[(RecordType, &str)] = &[
    // Parameters out of order, twice, of a wrong length, and a list that lacks one.
    (T::SVCB, "000100 00040004c0000201 00030002 0035"),
    (T::SVCB, "000100 0009000161 0009000162"),
    (T::SVCB, "000100 0003000135"),
    (T::SVCB, "000100 000000020003"),
    // A digit over 9, and 10 as ten times one.
    (T::LOC, "00a01613 80000000 80000000 00989680"),
    (T::LOC, "00051613 80000000 80000000 00989680"),
    (T::LOC, "01121613 80000000 80000000 00989680"),
    // Windows out of order, empty, and with a zero at the end.
    (T::NSEC, "00 010140 000140"),
    (T::NSEC, "00 0000"),
    (T::NSEC, "00 00024000"),
    (T::APL, "0001 18 02 c000"),
    (T::APL, ""),
    (T::IPSECKEY, "0a0402"),
    (T::AMTRELAY, "0a0001"),
];

fn read(rtype: RecordType, text: &str) -> Rdata {
    parse_rdata_text(rtype, text, None).unwrap()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[test]
fn examples() {
    for (rtype, text, octets, printed) in EXAMPLES {
        let data = read(*rtype, text);
        assert_eq!(data.to_wire().as_deref().map(hex).as_deref(), Some(*octets), "{rtype} {text}");
        assert_eq!(data.to_string(), *printed);
        assert_eq!(read(*rtype, printed), data);
    }
}

#[test]
fn names_are_completed() {
    let origin = Name::parse("example.com").unwrap();
    let cases = [
        (T::HTTPS, "0 svc", "0 svc.example.com."),
        (T::HTTPS, "1 @ port=1", "1 example.com. port=1"),
        (T::NSEC, "a A", "a.example.com. A"),
        (T::IPSECKEY, "1 3 2 gw AQID", "1 3 2 gw.example.com. AQID"),
    ];
    for (rtype, text, printed) in cases {
        assert_eq!(parse_rdata_text(rtype, text, Some(&origin)).unwrap().to_string(), printed);
    }
}

#[test]
fn what_does_not_fit_stays_text() {
    for (rtype, texts) in NOT_READ {
        for text in *texts {
            let kept = Rdata::Opaque(Opaque::Text { rtype: *rtype, text: (*text).into() });
            assert_eq!(read(*rtype, text), kept);
        }
    }
}

#[test]
fn octets_without_a_text() {
    for (rtype, text) in ONLY_OCTETS {
        let digits = text.replace(' ', "");
        let text = format!("\\# {} {digits}", digits.len() / 2);
        assert_eq!(read(*rtype, &text).to_string(), text.trim_end(), "{rtype}");
    }
}

proptest! {
    #[test]
    fn octets_near_an_example_are_printed_and_read(
        (rtype, text, ..) in select(EXAMPLES),
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 0..3),
        end in prop::option::of(any::<Index>()),
        more in prop::collection::vec(any::<u8>(), 0..3),
    ) {
        let mut octets = read(rtype, text).to_wire().unwrap();
        for (at, octet) in changes {
            let at = at.index(octets.len());
            octets[at] = octet;
        }
        if let Some(end) = end {
            octets.truncate(end.index(octets.len()));
        }
        octets.extend(more);
        let data = Rdata::from_wire(rtype, &octets);
        let text = data.to_string();
        prop_assert_eq!(parse_rdata_text(rtype, &text, None), Ok(data), "{}", text);
    }

    #[test]
    fn words_are_read_without_a_panic_and_nothing_is_lost(
        rtype in select(EXAMPLES).prop_map(|(rtype, ..)| rtype),
        words in prop::collection::vec(word(), 1..9),
    ) {
        let text = words.join(" ");
        if let Ok(data) = parse_rdata_text(rtype, &text, None) {
            prop_assert_eq!(parse_rdata_text(rtype, &data.to_string(), None), Ok(data.clone()));
            if let Rdata::Opaque(Opaque::Text { text: kept, .. }) = data {
                prop_assert_eq!(&*kept, text.as_str());
            }
        }
    }

    #[test]
    fn parameters_are_sorted(
        mut parameters in prop::collection::btree_map(9u16.., "[a-z\\\\,]{0,9}", 0..6)
            .prop_map(|map| map.into_iter().collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let value = |text: &str| text.replace('\\', "\\\\");
        let written: Vec<_> = parameters.iter().map(|(key, text)| format!(" key{key}=\"{}\"", value(text))).collect();
        let octets = read(T::SVCB, &format!("1 .{}", written.concat())).to_wire().unwrap();
        parameters.sort();
        let mut expected = vec![0, 1, 0];
        for (key, text) in parameters {
            expected.extend(key.to_be_bytes());
            expected.extend([0, u8::try_from(text.len()).unwrap()]);
            expected.extend(text.as_bytes());
        }
        prop_assert_eq!(octets, expected);
    }
}

/// What the types here are made of.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => any::<u16>().prop_map(|number| number.to_string()),
        4 => "[0-9]{1,3}",
        2 => "-?[0-9]{1,5}(\\.[0-9]{1,3})?m?",
        4 => select(&["N", "S", "E", "W", ".", "-", "a.example."][..]).prop_map(String::from),
        4 => select(&["A", "MX", "TYPE1234", "NOTIFY", "20200101000000", "AQID", "192.0.2.1", "::1"][..])
            .prop_map(String::from),
        4 => "(mandatory|alpn|no-default-alpn|port|ipv4hint|ech|ipv6hint|key[0-9]{1,3})(=[a-z0-9.:,\\\\]{0,6})?",
        2 => "(alpn|key[0-9]{1,3})=\"[a-z0-9 ,]{0,6}(\\\\[,\\\\\"])?\"",
        2 => "!?[12]:[0-9.:]{1,12}/[0-9]{1,3}",
        1 => "\\PC{1,6}".prop_filter("one word", |word| !word.contains([' ', '"', '\\'])),
    ]
}
