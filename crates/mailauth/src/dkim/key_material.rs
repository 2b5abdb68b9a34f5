//! Keys as people paste them: opendkim-genkey and amavisd output, BIND text, a bare record, bare base64,
//! PEM (design.md section 6).
//!
//! What is read here may be a private key by mistake. Errors therefore never repeat what may be part of a
//! key, and a private key is refused by [`parse`]; [`parse_private`] is for the one place where it is asked for.

use super::der::DerError;
use super::key::{Base64Error, KeyError, PublicKey, decode_base64};
use super::record::{Key, KeyRecord, RecordError, RecordErrorKind};
use crate::tag_list::{TagList, is_white};

/// A key read from a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyMaterial {
    /// The record. From PEM and bare base64 it has the key alone.
    pub record: KeyRecord,
    /// The owner name before it, as written, where the text is a zone-file record.
    pub owner: Option<String>,
    /// Whether the text had tags, or just a key.
    pub has_tags: bool,
}

/// Why a text gives no key. Each is the fault of the text; a retry does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyMaterialError {
    /// Nothing but white space and comments.
    #[error("no key: the text is empty")]
    Empty,
    /// More than any key needs.
    #[error("no key: the text has more than 64 KiB")]
    TooLong,
    /// A private key where a public one is wanted.
    #[error(
        "this is a private key: it must never be published; name its file as `private_key_file`, \
         or paste the output of `openssl pkey -pubout`"
    )]
    Private,
    /// A public key where a private one is wanted.
    #[error("this is no private key: name the file of a public key as `public_key_file` or `record_file`")]
    NotPrivate,
    /// A private key with a passphrase.
    #[error("the private key is encrypted: give the public key instead (`openssl pkey -pubout`)")]
    Encrypted,
    /// An Ed25519 private key.
    #[error(
        "deriving the public key from an Ed25519 private key is not in this version: \
         give the public key (`openssl pkey -pubout`)"
    )]
    Ed25519Private,
    /// PEM of something else.
    #[error("PEM of something else than a key: wanted is `BEGIN PUBLIC KEY`")]
    OtherPem,
    /// PEM without its last line.
    #[error("the PEM text is cut off: its `-----END …-----` line is missing")]
    PemCutOff,
    /// A quote from a word processor.
    #[error("line {line}, column {column}: a typographic quote {quote:?}; replace it by a plain `\"`")]
    TypographicQuote {
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in characters.
        column: usize,
        /// The quote.
        quote: char,
    },
    /// An opening quote without a closing one.
    #[error("line {line}: a quoted string is not closed before the end of the line")]
    OpenQuote {
        /// Counted from 1.
        line: usize,
    },
    /// Several records.
    #[error("{0} records: keep the one of this selector")]
    Several(usize),
    /// The end is missing.
    #[error(
        "the key is cut off: {characters} base64 characters are here, at least {missing} more octets belong to it; \
         copy all of it, every quoted part too"
    )]
    CutOff {
        /// Base64 characters found.
        characters: usize,
        /// Octets missing.
        missing: usize,
    },
    /// Blanks where `+` was.
    #[error(
        "the key lost its `+`: {0} blanks stand in their place, as after a web form; copy it again from the source"
    )]
    LostPlus(usize),
    /// No base64, and no record.
    #[error("no key: {0}")]
    NoBase64(Base64Error),
    /// A damaged key.
    #[error("no key: {0}")]
    Key(KeyError),
    /// A record with something wrong in it.
    #[error("no key record: {0}")]
    Record(RecordErrorKind),
}

use KeyMaterialError as E;

/// Reads a public key or a key record from whatever was pasted.
///
/// # Errors
/// There is no usable public key in it, or it is a private one.
pub fn parse(text: &str) -> Result<KeyMaterial, KeyMaterialError> {
    let text = plain(text)?;
    if let Some((label, body)) = pem(text)? {
        return match label {
            "PUBLIC KEY" | "RSA PUBLIC KEY" => bare(body),
            "ENCRYPTED PRIVATE KEY" => Err(E::Private),
            _ if label.ends_with("PRIVATE KEY") => Err(E::Private),
            _ => Err(E::OtherPem),
        };
    }
    if text.contains("PRIVATE KEY") {
        return Err(E::Private);
    }
    let (owner, joined) = match zone_records(text)? {
        Some(mut records) if records.len() == 1 => records.remove(0),
        Some(records) if records.is_empty() => return Err(E::Empty),
        Some(records) => return Err(E::Several(records.len())),
        None => unquoted(text),
    };
    if !starts_with_tag(&joined) {
        return bare(&joined).map(|material| KeyMaterial { owner, ..material });
    }
    let record = KeyRecord::parse(&joined).map_err(|error| explain(&joined, error))?;
    Ok(KeyMaterial { record, owner, has_tags: true })
}

/// Reads a private key in PEM and gives the public key that belongs to it: RSA, as PKCS#8 or PKCS#1.
///
/// # Errors
/// The text is no such private key.
pub fn parse_private(text: &str) -> Result<KeyMaterial, KeyMaterialError> {
    let Some((label, body)) = pem(plain(text)?)? else { return Err(E::NotPrivate) };
    match label {
        "PRIVATE KEY" | "RSA PRIVATE KEY" => {}
        "ENCRYPTED PRIVATE KEY" => return Err(E::Encrypted),
        _ if label.ends_with("PRIVATE KEY") => return Err(E::Key(KeyError::Algorithm)),
        _ => return Err(E::NotPrivate),
    }
    if body.contains("Proc-Type:") {
        return Err(E::Encrypted);
    }
    let octets = decode_base64(body).map_err(E::NoBase64)?;
    match PublicKey::from_private_der(&octets).map_err(|error| key_error(body, error))? {
        Some(key) => Ok(of_key(key)),
        None => Err(E::Ed25519Private),
    }
}

fn of_key(key: PublicKey) -> KeyMaterial {
    KeyMaterial { record: KeyRecord::new(Key::Public(key)), owner: None, has_tags: false }
}

/// The text without byte-order mark and white space around it.
fn plain(text: &str) -> Result<&str, KeyMaterialError> {
    if text.len() > 65_536 {
        return Err(E::TooLong);
    }
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() { Err(E::Empty) } else { Ok(text) }
}

/// Label and body of the first PEM block, if there is one.
fn pem(text: &str) -> Result<Option<(&str, &str)>, KeyMaterialError> {
    let Some((_, rest)) = text.split_once("-----BEGIN ") else { return Ok(None) };
    let Some((label, rest)) = rest.split_once("-----") else { return Err(E::PemCutOff) };
    match rest.split_once("-----END ") {
        Some((body, _)) => Ok(Some((label, body))),
        // A private key is refused as such, whole or not.
        None if label.ends_with("PRIVATE KEY") => Ok(Some((label, rest))),
        None => Err(E::PemCutOff),
    }
}

/// A key alone: base64 of SubjectPublicKeyInfo, of PKCS#1, or of the raw 32 octets of Ed25519.
fn bare(text: &str) -> Result<KeyMaterial, KeyMaterialError> {
    let octets = match decode_base64(text) {
        Ok(octets) => octets,
        // One character too few or too many: say how much of the key is there.
        Err(Base64Error::Length(_)) => decode_base64(&shortened(text)).map_err(E::NoBase64)?,
        Err(error) => return Err(E::NoBase64(error)),
    };
    if let Ok(raw) = <[u8; 32]>::try_from(octets.as_slice()) {
        return Ok(of_key(PublicKey::Ed25519(raw)));
    }
    PublicKey::from_der(&octets).map(of_key).map_err(|error| key_error(text, error))
}

/// The error of a record, in the light of what usually happens to pasted keys.
fn explain(text: &str, error: RecordError) -> KeyMaterialError {
    let list = TagList::parse(text);
    let p = list.get("p").map_or("", |tag| tag.value);
    match error.kind {
        RecordErrorKind::Key(key) => key_error(p, key),
        RecordErrorKind::Base64(Base64Error::Length(_)) => match bare(p) {
            Err(better) => better,
            Ok(_) => E::Record(error.kind),
        },
        // Unknown names may be pieces of a key.
        RecordErrorKind::Repeated(text) | RecordErrorKind::KeyType(text) if text.len() > 10 => {
            E::Record(RecordErrorKind::Syntax)
        }
        kind => E::Record(kind),
    }
}

fn key_error(base64: &str, error: KeyError) -> KeyMaterialError {
    if error == KeyError::Private {
        return E::Private;
    }
    let blanks = inner_blanks(base64);
    if blanks > 0 && restored(base64) {
        return E::LostPlus(blanks);
    }
    match error {
        KeyError::Der(DerError::Truncated { missing }) => {
            E::CutOff { characters: base64.chars().filter(|&c| !is_white(c) && c != '=').count(), missing }
        }
        error => E::Key(error),
    }
}

/// Base64 without its last character, white space and padding.
fn shortened(text: &str) -> String {
    let mut text: String = text.chars().filter(|&c| !is_white(c) && c != '=').collect();
    text.pop();
    text
}

/// The lines of a text without the white space around them: line breaks are nobody's lost `+`.
fn lines(text: &str) -> String {
    text.lines().map(str::trim).collect()
}

fn inner_blanks(text: &str) -> usize {
    lines(text).matches(' ').count()
}

/// Whether a `+` in place of each blank makes it a key.
fn restored(text: &str) -> bool {
    decode_base64(&lines(text).replace(' ', "+")).is_ok_and(|octets| PublicKey::from_der(&octets).is_ok())
}

/// Whether the text begins with one of the tags of a key record.
fn starts_with_tag(text: &str) -> bool {
    let first = text.split(';').next().unwrap_or_default();
    first.split_once('=').is_some_and(|(tag, _)| matches!(tag.trim(), "v" | "k" | "p" | "h" | "s" | "t" | "n" | "g"))
}

/// What follows `TXT` in text without quotes, and the owner name before it. Semicolons are data here: a
/// zone file would take them for comments, yet people paste them so.
fn unquoted(text: &str) -> (Option<String>, String) {
    let upper = text.to_ascii_uppercase();
    let mut at = 0;
    for word in text.split(is_white) {
        if word.eq_ignore_ascii_case("TXT") && !upper[..at].contains('=') {
            let owner = text.split(is_white).next().filter(|first| !first.eq_ignore_ascii_case("TXT"));
            let data = &text[at + word.len()..];
            return (owner.map(str::to_owned), data.replace(['(', ')'], "").replace("\\;", ";").trim().to_owned());
        }
        at += word.len() + 1;
    }
    let text = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).unwrap_or(text);
    (None, text.replace("\\;", ";"))
}

/// Owner name and joined strings.
type ZoneRecord = (Option<String>, String);

/// The records of zone-file text with quoted strings. `None` if there is
/// no quote in it.
fn zone_records(text: &str) -> Result<Option<Vec<ZoneRecord>>, KeyMaterialError> {
    if !text.contains('"') {
        return match typographic(text, 1) {
            Some(error) => Err(error),
            None => Ok(None),
        };
    }
    let mut scan = Scan::default();
    for (number, line) in text.lines().enumerate() {
        scan.line(line, number + 1)?;
    }
    scan.finish();
    Ok(Some(scan.records))
}

/// Reads zone-file lines: words, quoted strings, parentheses and comments.
#[derive(Default)]
struct Scan {
    records: Vec<ZoneRecord>,
    depth: usize,
    words: Vec<String>,
    strings: Option<String>,
}

impl Scan {
    fn line(&mut self, line: &str, number: usize) -> Result<(), KeyMaterialError> {
        let mut rest = line;
        // How much of the line stands behind what was looked through for quotes.
        let mut unseen = line.len();
        if self.depth == 0 && !line.trim_start().starts_with(['"', ')', ';']) && !line.trim().is_empty() {
            // A new owner name, or a new record: strings alone on a line go on with the record before.
            self.finish();
        }
        loop {
            rest = rest.trim_start();
            let Some(first) = rest.chars().next() else { return Ok(()) };
            match first {
                ';' => return Ok(()),
                '(' => self.depth += 1,
                ')' => self.depth = self.depth.saturating_sub(1),
                '"' => {
                    let (string, after) = quoted(&rest[1..])
                        .ok_or_else(|| typographic(line, number).unwrap_or(E::OpenQuote { line: number }))?;
                    self.strings.get_or_insert_default().push_str(&string);
                    rest = after;
                    continue;
                }
                _ => {
                    // Once for all words up to the next string: the line may have very many.
                    if rest.len() <= unseen {
                        let words = rest.split(['"', ';']).next().unwrap_or(rest);
                        if let Some(error) = typographic(words, number) {
                            return Err(error);
                        }
                        unseen = rest.len() - words.len();
                    }
                    let end = rest
                        .find(|c: char| c.is_whitespace() || matches!(c, '"' | '(' | ')' | ';'))
                        .unwrap_or(rest.len());
                    self.words.push(rest[..end].to_owned());
                    rest = &rest[end..];
                    continue;
                }
            }
            rest = &rest[first.len_utf8()..];
        }
    }

    /// Ends the record that is being read.
    fn finish(&mut self) {
        let words = std::mem::take(&mut self.words);
        if let Some(strings) = self.strings.take() {
            let owner = words.into_iter().next().filter(|word| !word.eq_ignore_ascii_case("TXT"));
            self.records.push((owner, strings));
        }
    }
}

/// A quoted string up to its closing quote, escapes resolved, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((out, &text[at + 1..])),
            '\\' => {
                let code = text.get(at + 1..at + 4).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
                if let Some(code) = code.and_then(|digits| digits.parse::<u8>().ok()) {
                    out.push(char::from(code));
                    chars.nth(2);
                } else {
                    out.push(chars.next()?.1);
                }
            }
            c => out.push(c),
        }
    }
    None
}

/// The first typographic quote of a text that begins at this line.
fn typographic(text: &str, line: usize) -> Option<KeyMaterialError> {
    text.lines().enumerate().find_map(|(i, content)| {
        let is_quote = |c: &(usize, char)| matches!(c.1, '\u{2018}'..='\u{201f}' | '\u{ab}' | '\u{bb}');
        let (column, quote) = content.chars().enumerate().find(is_quote)?;
        Some(E::TypographicQuote { line: line + i, column: column + 1, quote })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::key::encode_base64;
    use super::super::key::tests::{private_der, rsa_key};
    use super::*;

    fn key() -> PublicKey {
        rsa_key(2048, 0xfb)
    }

    fn p() -> String {
        encode_base64(&key().to_octets())
    }

    fn pem_of(label: &str, octets: &[u8]) -> String {
        let body = encode_base64(octets);
        let lines: Vec<_> = body.as_bytes().chunks(64).map(|chunk| std::str::from_utf8(chunk).unwrap()).collect();
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
    }

    fn message(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn typographic_quotes_are_found_behind_words_and_strings() {
        for text in [
            "s TXT ( \u{201c}v=DKIM1\u{201d} \"x\"",
            "s TXT \"v=DKIM1; \" \u{201c}p=\u{201d}",
            "s TXT \"v=DKIM1; \"\u{201c}p=\u{201d}",
            "s (a(b \u{201d}) \"x\"",
            "s \"a\" b \"c\" d\u{2019}",
        ] {
            assert!(matches!(parse(text), Err(E::TypographicQuote { .. })), "{text}");
        }
    }

    #[test]
    fn everything_that_is_pasted() {
        let p = p();
        let (a, b) = p.split_at(200);
        let genkey = format!(
            "mail._domainkey\tIN\tTXT\t( \"v=DKIM1; h=sha256; k=rsa; \"\n\t  \"p={a}\"\n\t  \"{b}\" )  ; ----- DKIM key mail for example.com\n"
        );
        let amavis = format!(
            "; key#1 2048 bits, s=dkim, d=example.com, /var/lib/dkim/example.com.pem\n\
             dkim._domainkey.example.com.\t3600 TXT (\n  \"v=DKIM1; p=\"\n  \"{a}\"\n  \"{b}\")\n"
        );
        for (name, text, owner, has_tags) in [
            ("opendkim-genkey", genkey, Some("mail._domainkey"), true),
            ("amavisd showkeys", amavis, Some("dkim._domainkey.example.com."), true),
            ("a bare record", format!("v=DKIM1; k=rsa; p={p}"), None, true),
            ("a record without v", format!("k=rsa;p={p};"), None, true),
            ("escaped semicolons", format!("v=DKIM1\\; k=rsa\\; p={p}"), None, true),
            ("quoted strings", format!("\"v=DKIM1; k=rsa; p={a}\" \"{b}\""), None, true),
            ("quoted strings, a line each", format!("\"v=DKIM1; k=rsa; p={a}\"\n\"{b}\"\n"), None, true),
            ("escapes in quotes", format!("\"v=DKIM1\\; k=rsa\\059 p={p}\""), None, true),
            (
                "mailcow",
                format!("dkim._domainkey.example.com TXT v=DKIM1;k=rsa;t=s;s=email;p={p}"),
                Some("dkim._domainkey.example.com"),
                true,
            ),
            ("single quotes", format!("'v=DKIM1; p={p}'"), None, true),
            ("wrapped base64", format!("{a}\r\n   {b}\n"), None, false),
            ("PEM", pem_of("PUBLIC KEY", &key().to_octets()), None, false),
            ("a byte-order mark", format!("\u{feff}v=DKIM1; p={p}"), None, true),
        ] {
            let read = parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(read.record.public_key(), Some(&key()), "{name}");
            assert_eq!((read.owner.as_deref(), read.has_tags), (owner, has_tags), "{name}");
        }
        let mailcow = parse(&format!("v=DKIM1;k=rsa;t=s;s=email;p={p}")).unwrap().record;
        assert!(mailcow.is_strict());
        assert_eq!(mailcow.services, Some(vec!["email".to_owned()]));
        assert_eq!(parse("v=DKIM1; p=").unwrap().record.key, Key::Revoked);
    }

    #[test]
    fn keys_in_other_forms() {
        let PublicKey::Rsa(rsa) = key() else { unreachable!() };
        let pkcs1 = [super::super::der::unsigned(rsa.modulus()), super::super::der::unsigned(rsa.exponent())].concat();
        let pkcs1 = super::super::der::element(super::super::der::SEQUENCE, &pkcs1);
        let read = parse(&pem_of("RSA PUBLIC KEY", &pkcs1)).unwrap();
        assert!(read.record.public_key().unwrap().is_same_key(&key()));
        let ed25519 = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
        let spki = format!("MCowBQYDK2VwAyEA{ed25519}");
        for text in [ed25519, &spki, &format!("v=DKIM1; k=ed25519; p={ed25519}")] {
            let read = parse(text).unwrap();
            assert_eq!(read.record.to_string(), format!("v=DKIM1; k=ed25519; p={ed25519}"));
        }
    }

    #[test]
    fn private_keys_are_refused_or_derived_and_never_repeated() {
        let (pkcs1, pkcs8) = private_der(&key());
        let (_, ed25519) = private_der(&PublicKey::Ed25519([1; 32]));
        for (label, octets) in [("RSA PRIVATE KEY", &pkcs1), ("PRIVATE KEY", &pkcs8)] {
            let text = pem_of(label, octets);
            assert_eq!(parse(&text), Err(E::Private));
            assert_eq!(parse(&text[..400]), Err(E::Private));
            assert_eq!(parse_private(&text).unwrap().record.public_key(), Some(&key()));
            let body = encode_base64(octets);
            for naked in [body.clone(), format!("v=DKIM1; p={body}"), format!("\"p={body}\""), body[..300].to_owned()] {
                assert_eq!(parse(&naked), Err(E::Private));
            }
        }
        assert_eq!(parse_private(&pem_of("PRIVATE KEY", &ed25519)), Err(E::Ed25519Private));
        assert_eq!(parse_private(&pem_of("ENCRYPTED PRIVATE KEY", &pkcs8)), Err(E::Encrypted));
        assert_eq!(parse_private(&pem_of("PUBLIC KEY", &key().to_octets())), Err(E::NotPrivate));
        assert_eq!(parse_private(&p()), Err(E::NotPrivate));
    }

    #[test]
    fn messages() {
        let p = p();
        assert!(p.contains('+'));
        let cut = &p[..215];
        let record = |p: &str| format!("v=DKIM1; k=rsa; p={p}");
        let shown = [
            " \n",
            "; only a comment \"",
            &record(cut),
            cut,
            &p[..217],
            &record(&p.replace('+', " ")),
            &record(&format!("{p}AAAA")),
            "\u{201c}v=DKIM1; p=\u{201d}",
            "s._domainkey TXT \"v=DKIM1; p=",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
            "-----BEGIN PUBLIC KEY-----\nAAAA",
            "a TXT \"v=DKIM1; p=\"\nb TXT \"v=DKIM1; p=\"",
            "k=dsa; p=AAAA",
            "v=DKIM1; k=rsa",
            "hello world!",
            "v=DKIM1; k=ed25519; p=AAAA",
        ]
        .map(message);
        insta::assert_snapshot!(shown.join("\n"), @r#"
        no key: the text is empty
        no key: the text is empty
        the key is cut off: 215 base64 characters are here, at least 133 more octets belong to it; copy all of it, every quoted part too
        the key is cut off: 215 base64 characters are here, at least 133 more octets belong to it; copy all of it, every quoted part too
        the key is cut off: 217 base64 characters are here, at least 132 more octets belong to it; copy all of it, every quoted part too
        the key lost its `+`: 85 blanks stand in their place, as after a web form; copy it again from the source
        no key: 3 octets follow the end of the key
        line 1, column 1: a typographic quote '“'; replace it by a plain `"`
        line 1: a quoted string is not closed before the end of the line
        PEM of something else than a key: wanted is `BEGIN PUBLIC KEY`
        the PEM text is cut off: its `-----END …-----` line is missing
        2 records: keep the one of this selector
        no key record: unknown key type `dsa`: verifiers know `rsa` and `ed25519`
        no key record: `p` is missing: there is no key
        no key: the character '!' is not in the base64 alphabet
        no key: an Ed25519 key has 32 octets, this has 3
        "#);
    }

    proptest! {
        #[test]
        fn any_text_reads(text in any::<String>()) {
            let _ = parse(&text);
            let _ = parse_private(&text);
        }

        #[test]
        fn zone_like_text_reads(text in "[a-z\"();\\\\= \n\u{e4}\u{201c}-]{0,60}") {
            let _ = parse(&text);
        }

        #[test]
        fn damage_that_changes_the_length_is_found(cut in 60..390usize, insert in "[A-Za-z0-9+/ ]{0,3}", drop in 0..4usize) {
            let p = p();
            let end = (cut + drop).min(p.len());
            let damaged = format!("{}{insert}{}", &p[..cut], &p[end..]);
            if let Ok(read) = parse(&format!("v=DKIM1; p={damaged}")) {
                let whole: String = damaged.chars().filter(|&c| c != ' ').collect();
                let octets = decode_base64(&whole).unwrap();
                prop_assert_eq!(octets.len(), key().to_octets().len());
                prop_assert_eq!(read.record.public_key().unwrap().bits(), 2048);
            }
        }
    }
}
