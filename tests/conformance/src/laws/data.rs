//! Owners and data as they are found in zones, the odd ones more often than there.

use mailzone_record::{Rdata, Txt};

use super::dice::Dice;

/// Names below the apex.
const OWNERS: &[&str] = &[
    "www",
    "WWW",
    "mail",
    "Mixed.Case",
    "*",
    "*.wild",
    "_dmarc",
    "s1._domainkey",
    "S2._DomainKey",
    "_mta-sts",
    "deep.er.and.deep.er",
    "under_score",
    "xn--bcher-kva",
    "a",
    "A.B",
    "1",
    "3600",
    "IN",
    "txt",
    "x--y",
    "25.2.0.192",
    "mail.mail",
    "www.www",
    "at",
    "a23456789012345678901234567890123456789012345678901234567890123",
    r"we\.ird",
    r"sp\032ace",
    r"quo\034te",
    r"back\\slash",
    r"\@",
    r"semi\059colon",
    r"\228",
    r"\$ttl",
    r"\(open",
    r"nul\000",
    r"\042",
    r"com\,ma",
    "example.net",
    "conformance",
];

const SERVICES: &[&str] = &["_imaps._tcp", "_25._tcp.mail", "_submission._TCP", "_443._tcp.*", "_sip._udp.deep"];

const CUTS: &[&str] = &["sub", "Sub2", "cut.deep.er", "_delegated"];

const HOSTS: &[&str] = &[
    "mail.conformance.example.",
    "Mail.Conformance.Example.",
    "conformance.example.",
    "Backup.Mail.Example.NET.",
    "www.conformance.example.",
    "mx.example.net.",
    "com.",
    "mail.",
    "xn--bcher-kva.example.",
    "under_score.example.net.",
    "conformance.example.conformance.example.",
    "1.example.",
    r"we\.ird.example.net.",
    r"sp\032ace.example.net.",
    r"\228.example.net.",
    r"semi\059colon.example.net.",
];

const TEXTS: &[&str] = &[
    "v=spf1 mx -all",
    "v=spf1 include:_spf.example.net ~all",
    "V=SPF1 mx -all",
    "google-site-verification=abc;def",
    "google-site-verification=ABC;def",
    "MS=ms\"12\\34\" x",
    "v=DMARC1; p=none; rua=mailto:d@conformance.example",
    "'single'",
    "it's",
    "a;b",
    "\\;",
    "\\",
    "\\\\",
    "\"",
    "\\\"",
    "\"quoted\"",
    "\"a\" \"b\"",
    " ",
    " front",
    "back ",
    "two  blanks",
    "tab\tin",
    "\\195\\188",
    "\\065",
    "ü",
    "日本",
    "%41 &amp; <b>",
    "(open",
    "close)",
    "@",
    "$ORIGIN x",
    "# comment",
    "; comment",
    "`x` ${y} {z}",
    "line\nbreak",
    "\r\n",
    "\0",
    "\u{7f}",
    "",
    "0",
    "null",
    "a,b",
    "[x]",
    "x=\"y\" z='w'",
    "heritage=external-dns,owner=\"x\"",
    "a/b\\/c",
];

/// An owner for most types, relative to the zone.
pub(super) fn owner(dice: &mut Dice) -> &'static str {
    if dice.once_in(6) { "@" } else { dice.pick(OWNERS).copied().unwrap_or("@") }
}

pub(super) fn service(dice: &mut Dice) -> &'static str {
    dice.pick(SERVICES).copied().unwrap_or("_imaps._tcp")
}

/// The owner of a delegation; no other owner is below one.
pub(super) fn cut(dice: &mut Dice) -> &'static str {
    dice.pick(CUTS).copied().unwrap_or("sub")
}

fn host(dice: &mut Dice) -> &'static str {
    dice.pick(HOSTS).copied().unwrap_or("mx.example.net.")
}

fn text(dice: &mut Dice) -> String {
    let mut strings: Vec<Box<[u8]>> = Vec::new();
    match dice.below(12) {
        // Two borders of one text.
        0 => {
            let cut = dice.between(1, 7);
            let (front, back) = b"v=DKIM1; k=rsa; p=MIIB".split_at(cut);
            strings.extend([front.into(), back.into()]);
        }
        1 => strings.push(b"v=DKIM1; k=rsa; p=MIIB".as_slice().into()),
        2 => {
            let length = [254, 255, 256, 400, 511, 900].get(dice.below(6)).copied().unwrap_or(255);
            let filler = *dice.pick(b"aZ+\"\\; ").unwrap_or(&b'a');
            let most = if dice.once_in(2) { 255 } else { dice.between(100, 255) };
            strings.extend(vec![filler; length].chunks(most).map(Box::from));
        }
        3 => strings.push((0..dice.between(1, 9)).map(|_| u8::try_from(dice.below(256)).unwrap_or(0)).collect()),
        4 => strings.extend((0..dice.between(2, 4)).map(|_| piece(dice).into_bytes().into_boxed_slice())),
        5 => strings.push((piece(dice) + &piece(dice)).into_bytes().into()),
        _ => strings.push(piece(dice).into_bytes().into()),
    }
    Txt::from_strings(strings).map(|txt| Rdata::Txt(txt).to_string()).unwrap_or_default()
}

fn piece(dice: &mut Dice) -> String {
    (*dice.pick(TEXTS).unwrap_or(&"")).to_owned()
}

/// Data of a type, in presentation format.
pub(super) fn data(dice: &mut Dice, rtype: &str) -> String {
    let small = dice.between(1, 6);
    match rtype {
        "A" => format!("192.0.2.{small}"),
        "AAAA" => [format!("2001:db8::{small}"), format!("2001:db8:0:0:{small}::1"), format!("::ffff:192.0.2.{small}")]
            .get(dice.below(3))
            .cloned()
            .unwrap_or_default(),
        "CNAME" | "NS" | "PTR" => host(dice).to_owned(),
        "MX" if dice.once_in(12) => "0 .".to_owned(),
        "MX" => format!("{} {}", dice.pick(&[0, 1, 5, 10, 20, 65_535]).unwrap_or(&10), host(dice)),
        "TXT" => text(dice),
        "SRV" if dice.once_in(8) => "0 0 0 .".to_owned(),
        "SRV" => format!("{} {small} 993 {}", dice.pick(&[0, 1, 10, 65_535]).unwrap_or(&0), host(dice)),
        "TLSA" => {
            let length = *dice.pick(&[1, 32, 64]).unwrap_or(&32);
            let hex: String = (0..length).map(|_| format!("{:02x}", dice.below(256))).collect();
            format!("{} {} {} {hex}", dice.below(4), dice.below(2), dice.below(3))
        }
        "CAA" => {
            let values = [
                ";",
                "ca.example",
                "ca.example; policy=\"x\"",
                "mailto:ca@example.com",
                "a\\b",
                "",
                "ü",
                "x;y",
                "it's",
                " ",
            ];
            let value = Rdata::Txt(Txt::from_text(dice.pick(values.as_slice()).unwrap_or(&";"))).to_string();
            let tag = dice.pick(&["issue", "issuewild", "iodef", "Issue", "contactemail"]).unwrap_or(&"issue");
            format!("{} {tag} {value}", dice.pick(&[0, 128, 1]).unwrap_or(&0))
        }
        "SSHFP" => format!("2 1 {:040x}", dice.below(1000)),
        "HINFO" => r#""PC" "Linux \" x""#.to_owned(),
        "NAPTR" => format!(r#"{small} 10 "u" "sip+E2U" "!^.*$!sip:info@example.com!" ."#),
        "DS" => format!("{small} 8 2 {:064x}", dice.below(1000)),
        "HTTPS" => format!("{small} . alpn=\"h2,h3\""),
        _ => format!(r"\# 4 0a0000{small:02x}"),
    }
}
