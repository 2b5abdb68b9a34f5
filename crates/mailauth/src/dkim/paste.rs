//! Several keys in one pasted text: the output of signers' tools, zone-file text, PEM, in any mixture.
//!
//! The text is cut into pieces, and [`key_material`] reads each.

use super::key_material::{self, KeyMaterial, KeyMaterialError};

/// One piece of a pasted text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pasted {
    /// The line at which it begins, counted from 1.
    pub line: usize,
    /// The owner name as written, completed by the `$ORIGIN` before it.
    pub owner: Option<String>,
    /// The domain that opendkim-genkey names in the comment behind a record.
    pub domain: Option<String>,
    /// What it is.
    pub content: Result<Content, KeyMaterialError>,
}

/// What a piece is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A key record, or a bare public key.
    Key(KeyMaterial),
    /// A CNAME at a selector: its target, completed by the `$ORIGIN` before it.
    Alias(String),
    /// A private key, in PEM or as 64 octets of base64, as rspamd prints it before the record. Nothing of it is kept.
    Private,
    /// A record of another name or type.
    Foreign,
}

/// No text for people has more pieces.
const MOST: usize = 10_000;

/// Cuts a text into pieces and reads them.
pub fn read(text: &str) -> Vec<Pasted> {
    let mut origin: Option<String> = None;
    let mut found = Vec::new();
    for piece in pieces(text.trim_start_matches('\u{feff}')).into_iter().take(MOST) {
        let words = words(&piece.text);
        match words.as_slice() {
            [] => continue,
            [directive, name, ..] if directive.eq_ignore_ascii_case("$ORIGIN") => {
                origin = Some(complete(name, origin.as_deref()));
                continue;
            }
            [directive, ..] if directive.starts_with('$') => continue,
            _ => {}
        }
        found.push(judge(&piece, &words, origin.as_deref()));
    }
    found
}

fn judge(piece: &Piece, words: &[&str], origin: Option<&str>) -> Pasted {
    let is_pem = piece.text.starts_with(BEGIN);
    let rtype = if is_pem { &[] } else { words }
        .iter()
        .take(5)
        .position(|word| TYPES.iter().any(|rtype| word.eq_ignore_ascii_case(rtype)));
    let owner = rtype.filter(|at| *at > 0).and_then(|_| words.first().map(|owner| complete(owner, origin)));
    let is_selector =
        |owner: &String| owner.split('.').any(|label| label.trim_start_matches('_').eq_ignore_ascii_case("domainkey"));
    let target = |at: usize| words.get(at + 1).map(|target| complete(target, origin));
    let content = match rtype.and_then(|at| Some((at, words.get(at)?))) {
        _ if is_pem && is_private(&piece.text) => Ok(Content::Private),
        None if is_ed25519_private(&piece.text) => Ok(Content::Private),
        Some(_) if owner.as_ref().is_some_and(|owner| !is_selector(owner)) => Ok(Content::Foreign),
        Some((at, rtype)) if rtype.eq_ignore_ascii_case("CNAME") => {
            Ok(target(at).map_or(Content::Foreign, Content::Alias))
        }
        Some((_, rtype)) if !rtype.eq_ignore_ascii_case("TXT") => Ok(Content::Foreign),
        _ => key_material::parse(&piece.text).map(Content::Key).map_err(|error| moved(error, piece.line - 1)),
    };
    let domain = piece.text.split_once("----- DKIM key ").and_then(|(_, comment)| {
        let (_, rest) = comment.lines().next()?.split_once(" for ")?;
        rest.split_whitespace().next().map(str::to_owned)
    });
    Pasted { line: piece.line, owner, domain, content }
}

/// The same error, its line counted from the beginning of the whole text.
fn moved(error: KeyMaterialError, lines: usize) -> KeyMaterialError {
    match error {
        KeyMaterialError::TypographicQuote { line, column, quote } => {
            KeyMaterialError::TypographicQuote { line: line + lines, column, quote }
        }
        KeyMaterialError::OpenQuote { line } => KeyMaterialError::OpenQuote { line: line + lines },
        error => error,
    }
}

/// The types of which a zone has records beside keys.
const TYPES: &[&str] = &["TXT", "CNAME", "A", "AAAA", "MX", "NS", "SOA", "SRV", "CAA", "PTR", "TLSA", "DS", "DNSKEY"];

const BEGIN: &str = "-----BEGIN ";

struct Piece {
    line: usize,
    text: String,
}

/// Cuts where a record, a bare record or a PEM block begins; what is between belongs to the piece before.
fn pieces(text: &str) -> Vec<Piece> {
    let mut found: Vec<Piece> = Vec::new();
    let (mut depth, mut in_pem, mut open) = (0usize, false, false);
    for (number, line) in (1..).zip(text.lines()) {
        let trimmed = line.trim();
        let inside = depth > 0 || in_pem;
        if trimmed.starts_with("-----END ") {
            in_pem = false;
            push(&mut found, line);
            open = false;
            continue;
        }
        // An empty line and a comment end a piece, unless parentheses or PEM are open.
        if !inside && (trimmed.is_empty() || trimmed.starts_with([';', '#'])) {
            open = false;
            continue;
        }
        let begins_pem = trimmed.starts_with(BEGIN);
        if begins_pem || (!inside && (!open || begins(line))) {
            found.push(Piece { line: number, text: String::new() });
            open = true;
            (in_pem, depth) = (begins_pem, 0);
        }
        push(&mut found, if begins_pem { trimmed } else { line });
        if !in_pem {
            depth = (depth + opened(line)).saturating_sub(closed(line));
        }
    }
    found
}

fn push(pieces: &mut [Piece], line: &str) {
    if let Some(piece) = pieces.last_mut() {
        piece.text.push_str(line);
        piece.text.push('\n');
    }
}

/// Whether a line is the first of a record.
fn begins(line: &str) -> bool {
    let start = line.trim_start().trim_start_matches(['"', '\'']);
    let is_record = start.get(..2).is_some_and(|tag| tag.eq_ignore_ascii_case("v=")) || start.starts_with('$');
    let has_type =
        || words(line).iter().take(5).skip(1).any(|word| TYPES.iter().any(|rtype| word.eq_ignore_ascii_case(rtype)));
    is_record || (!line.starts_with([' ', '\t']) && has_type())
}

/// The words before the first quoted string or comment.
fn words(text: &str) -> Vec<&str> {
    let end = text.find(['"', ';', '(']).unwrap_or(text.len());
    let words: Vec<&str> = text.get(..end).unwrap_or(text).split_whitespace().take(8).collect();
    // A string that comes first is a word too: the piece is not empty.
    if words.is_empty() && !text.trim().is_empty() { vec![""] } else { words }
}

/// How many parentheses a line opens outside of strings and comments.
fn opened(line: &str) -> usize {
    bare(line).filter(|c| *c == '(').count()
}

fn closed(line: &str) -> usize {
    bare(line).filter(|c| *c == ')').count()
}

/// The characters of a line that are in no quoted string and no comment.
fn bare(line: &str) -> impl Iterator<Item = char> {
    let (mut quoted, mut escaped) = (false, false);
    let outside = move |c: char| {
        let was = quoted;
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        (!was && c != '"').then_some(c)
    };
    line.chars().filter_map(outside).take_while(|c| *c != ';')
}

fn is_private(text: &str) -> bool {
    text.lines().next().is_some_and(|first| first.contains("PRIVATE KEY"))
}

/// Seed and public key together, in base64: how rspamd keeps an Ed25519 key.
fn is_ed25519_private(text: &str) -> bool {
    text.len() < 200 && super::key::decode_base64(text).is_ok_and(|octets| octets.len() == 64)
}

/// A name as it is read below an origin; one that ends with a dot is whole.
fn complete(name: &str, origin: Option<&str>) -> String {
    match origin {
        Some(origin) if name == "@" => origin.to_owned(),
        Some(origin) if !name.ends_with('.') => format!("{name}.{}", origin.trim_start_matches('.')),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::key::encode_base64;
    use super::super::key::tests::rsa_key;
    use super::*;

    /// For each piece: its line, owner, and what it is.
    fn shown(text: &str) -> String {
        let shown = read(text).into_iter().map(|piece| {
            let content = match piece.content {
                Ok(Content::Key(key)) => match key.record.public_key() {
                    Some(key) => format!("{} {}", key.key_type(), key.bits()),
                    None => "revoked".to_owned(),
                },
                Ok(Content::Alias(target)) => format!("alias {target}"),
                Ok(other) => format!("{other:?}"),
                Err(error) => error.to_string(),
            };
            let domain = piece.domain.map(|domain| format!(" ({domain})")).unwrap_or_default();
            format!("{}: {}{domain}: {content}", piece.line, piece.owner.as_deref().unwrap_or("-"))
        });
        shown.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_tools_print() {
        let p = encode_base64(&rsa_key(2048, 0x55).to_octets());
        let (a, b) = p.split_at(200);
        let text = format!(
            "s1._domainkey\tIN\tTXT\t( \"v=DKIM1; h=sha256; k=rsa; \"\n\t  \"p={a}\"\n\t  \"{b}\" )  ; ----- DKIM key s1 for example.com\n\
             ; key#1 2048 bits, s=am, d=example.org, /var/lib/dkim/x.pem\n\
             am._domainkey.example.org.\t3600 TXT (\n  \"v=DKIM1; p=\"\n  \"{a}\"\n  \"{b}\")\n\n\
             -----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n\
             rs._domainkey IN TXT ( \"v=DKIM1; k=rsa; \"\n\t\"p={p}\" ) ;\n\
             mc._domainkey.example.net TXT v=DKIM1;k=rsa;t=s;s=email;p={p}\n\
             $ORIGIN example.edu.\n$TTL 3600\n@ IN SOA ns1 hostmaster 1 2 3 4 5\n@ TXT \"v=spf1 -all\"\n\
             c1._domainkey 300 IN CNAME c1.keys.example.net.\nc2._domainkey CNAME c2\n\
             old._domainkey TXT \"v=DKIM1; p=\"\nbad._domainkey TXT \"v=DKIM1; k=rsa; p={a}\"\n"
        );
        insta::assert_snapshot!(shown(&text), @"
        1: s1._domainkey (example.com): rsa 2048
        5: am._domainkey.example.org.: rsa 2048
        10: -: Private
        13: rs._domainkey: rsa 2048
        15: mc._domainkey.example.net: rsa 2048
        18: example.edu.: Foreign
        19: example.edu.: Foreign
        20: c1._domainkey.example.edu.: alias c1.keys.example.net.
        21: c2._domainkey.example.edu.: alias c2.example.edu.
        22: old._domainkey.example.edu.: revoked
        23: bad._domainkey.example.edu.: the key is cut off: 200 base64 characters are here, at least 144 more octets belong to it; copy all of it, every quoted part too
        ");
    }

    #[test]
    fn bare_keys_and_records() {
        let p = encode_base64(&rsa_key(2048, 0x55).to_octets());
        let (a, b) = p.split_at(64);
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{a}\n{b}\n-----END PUBLIC KEY-----\n");
        let text = format!(
            "{pem}{pem}\"v=DKIM1; k=rsa; p={a}\"\n\"{b}\"\nv=DKIM1; p={p}\n\n{a}\n   {b}\n\nhello\n# a remark\n; another\n\
             -----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\ns1._domainkey TXT \u{201c}v=DKIM1; p=\u{201d}\n"
        );
        insta::assert_snapshot!(shown(&text), @r#"
        1: -: rsa 2048
        5: -: rsa 2048
        9: -: rsa 2048
        11: -: rsa 2048
        13: -: rsa 2048
        16: -: no key: the octets have not the structure of a key (DER)
        19: -: PEM of something else than a key: wanted is `BEGIN PUBLIC KEY`
        22: s1._domainkey: line 22, column 19: a typographic quote '“'; replace it by a plain `"`
        "#);
        let rspamd = format!("{}\ns1._domainkey IN TXT ( \"v=DKIM1; p=\" ) ;\n", encode_base64(&[7; 64]));
        assert_eq!(shown(&rspamd), "1: -: Private\n2: s1._domainkey: revoked");
        assert!(read("").is_empty() && read("; only\n\n# comments\n").is_empty());
    }

    proptest! {
        #[test]
        fn any_text_is_cut(text in any::<String>()) {
            let _ = read(&text);
        }

        #[test]
        fn zone_like_text_is_cut(text in "([a-z.]{1,4}|TXT|CNAME|[\"();\\\\$= \t\n@-]|-----BEGIN |-----END |_domainkey|v=DKIM1){0,40}") {
            let pieces = read(&text);
            let lines = text.lines().count();
            prop_assert!(pieces.iter().all(|piece| piece.line >= 1 && piece.line <= lines));
        }

        #[test]
        fn every_record_is_found(selectors in prop::collection::vec("[a-z]{1,8}", 1..20), broken in any::<bool>()) {
            let p = encode_base64(&rsa_key(1024, 0x55).to_octets());
            let separator = if broken { "\" (\n  \"" } else { "\" \"" };
            let text: String = selectors.iter().map(|selector| {
                let close = if broken { " )" } else { "" };
                format!("{selector}._domainkey IN TXT \"v=DKIM1; p=KEY{separator}\"{close}\n").replace("KEY", &p)
            }).collect();
            let found = read(&text);
            let owners: Vec<_> = found.iter().filter_map(|piece| piece.owner.clone()).collect();
            prop_assert_eq!(owners, selectors.iter().map(|s| format!("{s}._domainkey")).collect::<Vec<_>>());
            prop_assert!(found.iter().all(|piece| matches!(piece.content, Ok(Content::Key(_)))));
        }
    }
}
