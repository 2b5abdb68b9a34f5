//! PEM (RFC 7468): as much as key files need.

use data_encoding::{BASE64, BASE64_NOPAD};
use secrecy::zeroize::Zeroizing;

/// One block: what stands in its first line, and what is between the first and the last.
#[derive(Clone, Copy)]
pub(crate) struct Block<'a> {
    pub(crate) label: &'a str,
    pub(crate) body: &'a str,
    /// Whether the last line is there.
    pub(crate) whole: bool,
}

/// The blocks of a text, one after the other.
pub(crate) fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("-----BEGIN ") {
        let Some((label, after)) = after.split_once("-----") else { break };
        let (body, after, whole) = match after.split_once("-----END ") {
            Some((body, after)) => (body, after, true),
            None => (after, "", false),
        };
        found.push(Block { label, body, whole });
        rest = after;
    }
    found
}

/// The octets of base64 with white space anywhere and padding or none. `None` if it is none.
pub(crate) fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut characters = Zeroizing::new(Vec::with_capacity(text.len()));
    characters.extend(text.bytes().filter(|octet| !octet.is_ascii_whitespace()));
    let length = characters.iter().rposition(|octet| *octet != b'=').map_or(0, |last| last + 1);
    if characters.len() - length > 2 {
        return None;
    }
    BASE64_NOPAD.decode(characters.get(..length)?).ok().map(Zeroizing::new)
}

/// A block of these octets, lines of 64 characters.
pub(crate) fn encode(label: &str, octets: &[u8]) -> Zeroizing<String> {
    const LINE: usize = 64;
    let length = BASE64.encode_len(octets.len());
    // All of it at once: a string that grows would leave copies behind.
    let mut base64 = Zeroizing::new(String::with_capacity(length));
    BASE64.encode_append(octets, &mut base64);
    let mut text = Zeroizing::new(String::with_capacity(length + length / LINE + 2 * label.len() + 40));
    text.extend(["-----BEGIN ", label, "-----\n"]);
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE));
        text.extend([line, "\n"]);
        rest = after;
    }
    text.extend(["-----END ", label, "-----\n"]);
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn several_blocks_and_torn_ones() {
        let text = "x\n-----BEGIN A-----\nYWI=\n-----END A-----\n-----BEGIN B KEY-----\nYWI";
        let found = blocks(text);
        assert_eq!(
            found.iter().map(|block| (block.label, block.whole)).collect::<Vec<_>>(),
            [("A", true), ("B KEY", false)]
        );
        assert!(found.iter().all(|block| decode(block.body).is_some_and(|octets| *octets == b"ab")));
        assert!(blocks("-----BEGIN no end").is_empty());
        for damaged in ["YWJjZ", "Y=WI", "YW-I", "YQ==="] {
            assert!(decode(damaged).is_none(), "{damaged}");
        }
    }

    proptest! {
        #[test]
        fn writing_and_reading_are_inverse(octets in prop::collection::vec(any::<u8>(), 0..300)) {
            let text = encode("PRIVATE KEY", &octets);
            prop_assert!(text.capacity() >= text.len() && text.lines().all(|line| line.len() <= 64));
            let found = blocks(&text);
            prop_assert_eq!(found.len(), 1);
            prop_assert_eq!(&*decode(found[0].body).unwrap(), &octets);
        }
    }
}
