//! What the rules need of a certificate (RFC 5280 section 4.1), read from its DER without trusting it.

use mailzone_audit::Certificate;

/// Reads a certificate. `None` if the octets are none; no signature is looked at. Text is read leniently: what is no
/// UTF-8 shows as replacement characters.
pub fn certificate(der: &[u8]) -> Option<Certificate> {
    let mut tbs = Der(Der(Der(der).take(SEQUENCE)?).take(SEQUENCE)?);
    // Version: explicit, [0].
    tbs.take(0xa0);
    tbs.take(INTEGER)?;
    tbs.take(SEQUENCE)?;
    let issuer = tbs.take(SEQUENCE)?;
    let mut validity = Der(tbs.take(SEQUENCE)?);
    let (not_before, not_after) = (time(validity.next()?)?, time(validity.next()?)?);
    let subject = tbs.take(SEQUENCE)?;
    let public_key = tbs.next().filter(|key| key.tag == SEQUENCE)?.whole.to_vec();
    let mut names = Vec::new();
    let mut is_authority = false;
    while let Some(field) = tbs.next() {
        // Extensions: explicit, [3].
        if field.tag != 0xa3 {
            continue;
        }
        let mut extensions = Der(Der(field.content).take(SEQUENCE)?);
        while let Some(extension) = extensions.take(SEQUENCE) {
            let mut extension = Der(extension);
            let oid = extension.take(OID)?;
            extension.take(BOOLEAN);
            let value = extension.take(OCTET_STRING)?;
            match oid {
                ALTERNATIVE_NAMES => names.extend(dns_names(value)),
                BASIC_CONSTRAINTS => {
                    let first = Der(value).take(SEQUENCE).and_then(|fields| Der(fields).take(BOOLEAN));
                    is_authority = first.is_some_and(|flag| flag != [0]);
                }
                _ => {}
            }
        }
    }
    if names.is_empty() {
        names.extend(attribute(subject, COMMON_NAME));
    }
    let issuer = attribute(issuer, ORGANIZATION).or_else(|| attribute(issuer, COMMON_NAME)).unwrap_or_default();
    Some(Certificate { der: der.to_vec(), public_key, names, issuer, is_authority, not_before, not_after })
}

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OID: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const BMP_STRING: u8 = 0x1e;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ORGANIZATION: &[u8] = &[0x55, 0x04, 0x0a];

/// Octets that hold one value after the other (X.690, the distinguished rules).
struct Der<'a>(&'a [u8]);

#[derive(Clone, Copy)]
struct Item<'a> {
    tag: u8,
    content: &'a [u8],
    whole: &'a [u8],
}

impl<'a> Der<'a> {
    /// The next value; `None` at the end, and where the octets are none.
    fn next(&mut self) -> Option<Item<'a>> {
        let (&tag, rest) = self.0.split_first()?;
        // No certificate has tags over 30, so those of several octets are not read.
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (&first, mut rest) = rest.split_first()?;
        let length = match first {
            0..=0x7f => usize::from(first),
            // One to three octets: 16 MiB, more than any handshake carries.
            0x81..=0x83 => {
                let (octets, after) = rest.split_at_checked(usize::from(first & 0x7f))?;
                rest = after;
                octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet))
            }
            // Of indefinite length (0x80), or longer.
            _ => return None,
        };
        let (content, after) = rest.split_at_checked(length)?;
        let whole = self.0.get(..self.0.len() - after.len())?;
        self.0 = after;
        Some(Item { tag, content, whole })
    }

    /// The content of the next value if it has this tag; else nothing is taken.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let before = self.0;
        match self.next() {
            Some(item) if item.tag == tag => Some(item.content),
            _ => {
                self.0 = before;
                None
            }
        }
    }
}

/// The DNS names of a subjectAltName (RFC 5280 section 4.2.1.6): the choice [2].
fn dns_names(value: &[u8]) -> Vec<String> {
    let mut names = Der(Der(value).take(SEQUENCE).unwrap_or_default());
    let mut found = Vec::new();
    while let Some(name) = names.next() {
        if name.tag == 0x82 {
            found.push(String::from_utf8_lossy(name.content).into_owned());
        }
    }
    found
}

/// The last attribute of this type in a distinguished name: the most specific one.
fn attribute(name: &[u8], oid: &[u8]) -> Option<String> {
    let mut sets = Der(name);
    let mut found = None;
    while let Some(set) = sets.take(SET) {
        let mut set = Der(set);
        while let Some(pair) = set.take(SEQUENCE) {
            let mut pair = Der(pair);
            if pair.take(OID) == Some(oid) {
                found = pair.next().map(text).or(found);
            }
        }
    }
    found
}

fn text(item: Item<'_>) -> String {
    if item.tag == BMP_STRING {
        let units: Vec<u16> =
            item.content.chunks_exact(2).map(|pair| u16::from(pair[0]) << 8 | u16::from(pair[1])).collect();
        return String::from_utf16_lossy(&units);
    }
    String::from_utf8_lossy(item.content).into_owned()
}

/// Seconds since 1970 of a UTCTime or GeneralizedTime in the forms that RFC 5280 section 4.1.2.5 permits.
fn time(item: Item<'_>) -> Option<i64> {
    let digits = item.content.strip_suffix(b"Z")?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |digits: &[u8]| digits.iter().fold(0i64, |number, digit| number * 10 + i64::from(digit - b'0'));
    let (year, rest) = match (item.tag, digits.len()) {
        (UTC_TIME, 12) => {
            let (year, rest) = digits.split_at_checked(2)?;
            let year = number(year);
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        (GENERALIZED_TIME, 14) => {
            let (year, rest) = digits.split_at_checked(4)?;
            (number(year), rest)
        }
        _ => return None,
    };
    let mut fields = rest.chunks_exact(2).map(number);
    let mut within = |least, most| fields.next().filter(|field| (least..=most).contains(field));
    let (month, day) = (within(1, 12)?, within(1, 31)?);
    let (hour, minute, second) = (within(0, 23)?, within(0, 59)?, within(0, 60)?);
    Some(days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar; years begin in March, so a leap day ends one.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, PublicKeyData, date_time_ymd};

    use super::*;

    fn params(names: &[&str]) -> CertificateParams {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(2024, 2, 29);
        params.not_after = date_time_ymd(2051, 1, 1);
        params
    }

    fn made(params: CertificateParams) -> (Vec<u8>, KeyPair) {
        let key = KeyPair::generate().unwrap();
        (params.self_signed(&key).unwrap().der().to_vec(), key)
    }

    #[test]
    fn what_the_rules_need() {
        let mut wanted = params(&["mx.example.com", "*.example.com", "192.0.2.1"]);
        wanted.distinguished_name.push(DnType::CommonName, "a common name");
        wanted.distinguished_name.push(DnType::OrganizationName, "Authority Ltd");
        let (der, key) = made(wanted);
        let read = certificate(&der).unwrap();
        assert_eq!(read.names, ["mx.example.com", "*.example.com"]);
        assert_eq!((read.issuer.as_str(), read.is_authority), ("Authority Ltd", false));
        // 2024-02-29 and 2051-01-01.
        assert_eq!((read.not_before, read.not_after), (1_709_164_800, 2_556_144_000));
        assert_eq!(read.public_key, key.subject_public_key_info());
        assert_eq!(read.der, der);
    }

    #[test]
    fn a_common_name_where_there_are_no_others_and_an_authority() {
        let mut wanted = params(&[]);
        wanted.distinguished_name.push(DnType::CommonName, "old.example");
        wanted.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let read = certificate(&made(wanted).0).unwrap();
        assert_eq!(
            (read.names, read.issuer, read.is_authority),
            (vec!["old.example".into()], "old.example".into(), true)
        );
    }

    #[test]
    fn times() {
        let at = |tag, content: &[u8]| time(Item { tag, content, whole: &[] });
        assert_eq!(at(UTC_TIME, b"700101000000Z"), Some(0));
        assert_eq!(at(UTC_TIME, b"491231235959Z"), Some(2_524_607_999));
        assert_eq!(at(GENERALIZED_TIME, b"20000301000000Z"), Some(951_868_800));
        assert_eq!(at(GENERALIZED_TIME, b"99991231235959Z"), Some(253_402_300_799));
        for wrong in ["700101000000", "701301000000Z", "700100000000Z", "7001010000Z", "70010100000xZ"] {
            assert_eq!(at(UTC_TIME, wrong.as_bytes()), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_octets_do_no_harm(bytes in vec(any::<u8>(), 0..300)) {
            certificate(&bytes);
        }

        #[test]
        fn damaged_certificates_do_no_harm(
            damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8), cut in any::<prop::sample::Index>(),
        ) {
            static DER: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| made(params(&["a.example"])).0);
            let mut bytes = DER.clone();
            for (at, octet) in damage {
                let at = at.index(bytes.len());
                bytes[at] = octet;
            }
            certificate(&bytes);
            bytes.truncate(cut.index(bytes.len()));
            certificate(&bytes);
            prop_assert!(certificate(&DER[..cut.index(DER.len())]).is_none());
        }
    }
}
