use std::fmt;
use std::str::FromStr;

/// A DNS record type: its number; any of the 65,536 can be carried (RFC 3597).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordType(pub u16);

/// A text that names no record type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a record type (a mnemonic, or TYPEnnn as in RFC 3597)")]
pub struct UnknownType;

macro_rules! types {
    ($($name:ident = $number:literal),* $(,)?) => {
        #[expect(missing_docs, reason = "the names are IANA's mnemonics")]
        impl RecordType { $(pub const $name: Self = Self($number);)* }
        // `NSAP-PTR` is the one mnemonic that is no identifier.
        const MNEMONICS: &[(&str, u16)] = &[$((stringify!($name), $number)),*, ("NSAP-PTR", 23)];
    };
}

types! {
    A = 1, NS = 2, MD = 3, MF = 4, CNAME = 5, SOA = 6, MB = 7, MG = 8, MR = 9, NULL = 10, WKS = 11, PTR = 12,
    HINFO = 13, MINFO = 14, MX = 15, TXT = 16, RP = 17, AFSDB = 18, X25 = 19, ISDN = 20, RT = 21,
    NSAP = 22, SIG = 24, KEY = 25, PX = 26, GPOS = 27, AAAA = 28, LOC = 29, NXT = 30, EID = 31, NIMLOC = 32,
    SRV = 33, ATMA = 34, NAPTR = 35, KX = 36, CERT = 37, A6 = 38, DNAME = 39, SINK = 40, OPT = 41, APL = 42,
    DS = 43, SSHFP = 44, IPSECKEY = 45, RRSIG = 46, NSEC = 47, DNSKEY = 48, DHCID = 49, NSEC3 = 50,
    NSEC3PARAM = 51, TLSA = 52, SMIMEA = 53, HIP = 55, NINFO = 56, RKEY = 57, TALINK = 58, CDS = 59,
    CDNSKEY = 60, OPENPGPKEY = 61, CSYNC = 62, ZONEMD = 63, SVCB = 64, HTTPS = 65, DSYNC = 66, HHIT = 67, BRID = 68,
    SPF = 99, NID = 104, L32 = 105, L64 = 106, LP = 107,
    EUI48 = 108, EUI64 = 109, TKEY = 249, TSIG = 250, IXFR = 251, AXFR = 252, ANY = 255, URI = 256, CAA = 257,
    AVC = 258, DOA = 259, AMTRELAY = 260, RESINFO = 261, WALLET = 262, CLA = 263, IPN = 264, TA = 32768, DLV = 32769,
}

impl RecordType {
    /// The IANA mnemonic, or `None` where only `TYPEnnn` names it.
    pub fn mnemonic(self) -> Option<&'static str> {
        MNEMONICS.iter().find(|(_, number)| *number == self.0).map(|(name, _)| *name)
    }

    /// Whether the type belongs to DNSSEC and may stand beside a CNAME (RFC 4034 section 2.5 ff).
    pub fn is_dnssec(self) -> bool {
        matches!(self, Self::RRSIG | Self::NSEC | Self::NSEC3 | Self::SIG | Self::KEY | Self::NXT)
    }
}

impl FromStr for RecordType {
    type Err = UnknownType;

    fn from_str(text: &str) -> Result<Self, UnknownType> {
        if let Some((_, number)) = MNEMONICS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
            return Ok(Self(*number));
        }
        match text.split_at_checked(4) {
            Some((prefix, number))
                if prefix.eq_ignore_ascii_case("TYPE") && number.bytes().all(|b| b.is_ascii_digit()) =>
            {
                number.parse().map(Self).map_err(|_| UnknownType)
            }
            _ => Err(UnknownType),
        }
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mnemonic() {
            Some(name) => f.pad(name),
            None => f.pad(&format!("TYPE{}", self.0)),
        }
    }
}

impl fmt::Debug for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
