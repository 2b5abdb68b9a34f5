use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// An absolute domain name in wire form (RFC 1035 section 3.1): at most 255 octets, labels of at most 63.
///
/// The case received is kept; comparison, hash and order fold ASCII case (RFC 4343). The order is
/// the canonical one of RFC 4034 section 6.1, so a name sorts directly before the names below it.
#[derive(Clone)]
pub struct Name {
    wire: Arc<[u8]>,
}

/// Why a text is no domain name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Nothing there.
    #[error("empty name")]
    Empty,
    /// Two dots in a row, or a dot at the start.
    #[error("empty label (two dots in a row, or a dot at the start)")]
    EmptyLabel,
    /// A label of more than 63 octets.
    #[error("label of more than 63 octets")]
    LabelTooLong,
    /// More than 255 octets on the wire.
    #[error("name of more than 255 octets")]
    TooLong,
    /// A backslash that is not followed by a character or three decimal digits up to 255.
    #[error("bad escape after a backslash")]
    BadEscape,
    /// A character that a name in a text needs to escape.
    #[error("a blank, control or non-ASCII character that is not escaped")]
    BadCharacter,
    /// A label with non-ASCII characters that IDNA 2008 does not convert.
    #[error("a label that does not convert to an A-label (IDNA 2008)")]
    Idna,
    /// A relative name where no origin is known.
    #[error("relative name without an origin")]
    NoOrigin,
}

impl Name {
    /// The root, `.`.
    pub fn root() -> Self {
        Self { wire: Arc::from([0].as_slice()) }
    }

    /// Reads a name in presentation format (RFC 1035 section 5.1 escapes). It is absolute with or
    /// without the closing dot: what users and APIs write. Zone files use [`Name::parse_in`].
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let (mut wire, _) = labels_from_text(text)?;
        close(&mut wire)
    }

    /// Reads a name in a zone file: relative to `origin` unless it ends in a dot; `@` is the origin.
    pub fn parse_in(text: &str, origin: Option<&Self>) -> Result<Self, NameError> {
        if text == "@" {
            return origin.cloned().ok_or(NameError::NoOrigin);
        }
        let (mut wire, absolute) = labels_from_text(text)?;
        if absolute {
            return close(&mut wire);
        }
        let origin = origin.ok_or(NameError::NoOrigin)?;
        wire.extend_from_slice(&origin.wire);
        if wire.len() > 255 {
            return Err(NameError::TooLong);
        }
        Ok(Self { wire: Arc::from(wire) })
    }

    /// Reads a name that a person wrote: as [`Name::parse`], and labels with non-ASCII characters
    /// become A-labels (IDNA 2008). Labels with `_` or `*` are left alone (RFC 8552).
    pub fn parse_idn(text: &str) -> Result<Self, NameError> {
        if text.is_ascii() {
            return Self::parse(text);
        }
        let mut ascii = String::with_capacity(text.len() + 8);
        for (i, label) in text.split(['.', '\u{3002}']).enumerate() {
            if i > 0 {
                ascii.push('.');
            }
            if label.is_ascii() {
                ascii.push_str(label);
            } else {
                ascii.push_str(&idna::domain_to_ascii_strict(label).map_err(|_| NameError::Idna)?);
            }
        }
        Self::parse(&ascii)
    }

    /// Takes an uncompressed wire name (RFC 1035 section 3.1) that fills `wire`.
    pub fn from_wire(wire: &[u8]) -> Result<Self, NameError> {
        let mut at = 0;
        loop {
            let length = *wire.get(at).ok_or(NameError::Empty)? as usize;
            if length > 63 {
                return Err(NameError::LabelTooLong);
            }
            at += 1 + length;
            if length == 0 {
                break;
            }
        }
        if at != wire.len() {
            return Err(NameError::EmptyLabel);
        }
        if at > 255 {
            return Err(NameError::TooLong);
        }
        Ok(Self { wire: Arc::from(wire) })
    }

    /// The name in uncompressed wire form.
    pub fn as_wire(&self) -> &[u8] {
        &self.wire
    }

    /// The labels from left to right, without the root.
    pub fn labels(&self) -> impl Iterator<Item = &[u8]> {
        let mut at = 0;
        std::iter::from_fn(move || {
            // Invariant: `wire` was checked when the name was made.
            let length = self.wire[at] as usize;
            let label = &self.wire[at + 1..at + 1 + length];
            at += 1 + length;
            (length > 0).then_some(label)
        })
    }

    /// The number of labels, the root not counted.
    pub fn label_count(&self) -> usize {
        self.labels().count()
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.wire.len() == 1
    }

    /// Whether the first label is `*` (RFC 4592).
    pub fn is_wildcard(&self) -> bool {
        self.wire.starts_with(b"\x01*")
    }

    /// The name without its first label; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        (!self.is_root()).then(|| Self { wire: Arc::from(&self.wire[1 + self.wire[0] as usize..]) })
    }

    /// Whether this name is `ancestor` or below it.
    pub fn is_at_or_below(&self, ancestor: &Self) -> bool {
        let Some(skip) = self.wire.len().checked_sub(ancestor.wire.len()) else { return false };
        if !self.wire[skip..].eq_ignore_ascii_case(&ancestor.wire) {
            return false;
        }
        let mut at = 0;
        while at < skip {
            at += 1 + self.wire[at] as usize;
        }
        at == skip
    }

    /// The labels left of `ancestor` as a name of their own; `None` unless this is at or below it.
    /// `_dmarc.example.com.` without `example.com.` is `_dmarc.`; a name without itself is the root.
    pub fn without_suffix(&self, ancestor: &Self) -> Option<Self> {
        self.is_at_or_below(ancestor).then(|| {
            let mut wire = self.wire[..self.wire.len() - ancestor.wire.len()].to_vec();
            wire.push(0);
            Self { wire: Arc::from(wire) }
        })
    }

    /// `prefix` (one or more labels in presentation format, such as `_25._tcp`) in front of this name.
    pub fn prepend(&self, prefix: &str) -> Result<Self, NameError> {
        let (mut wire, _) = labels_from_text(prefix)?;
        wire.extend_from_slice(&self.wire);
        if wire.len() > 255 {
            return Err(NameError::TooLong);
        }
        Ok(Self { wire: Arc::from(wire) })
    }

    /// The name in lower case: how mailzone writes names.
    pub fn to_lowercase(&self) -> Self {
        if !self.wire.iter().any(u8::is_ascii_uppercase) {
            return self.clone();
        }
        Self { wire: self.wire.to_ascii_lowercase().into() }
    }

    /// A number that sorts as the names do, and may be the same for different ones: what 16 octets hold of the
    /// labels left of the last `skip`, which must be the same in all names compared.
    pub(crate) fn sort_prefix(&self, skip: usize) -> u128 {
        let (starts, count) = offsets(&self.wire);
        let own = starts.get(..count.saturating_sub(skip)).unwrap_or_default();
        // A label ends in 0, so that it sorts before a longer one; 0 and 1 in labels stay above that.
        let label = |start: &u8| {
            label_at(&self.wire, *start)
                .iter()
                .flat_map(|octet| match octet {
                    0 | 1 => [Some(1), Some(octet + 1)],
                    _ => [Some(octet.to_ascii_lowercase()), None],
                })
                .flatten()
                .chain([0])
        };
        let mut prefix = [0; 16];
        for (to, octet) in prefix.iter_mut().zip(own.iter().rev().flat_map(label)) {
            *to = octet;
        }
        u128::from_be_bytes(prefix)
    }

    /// Whether both are the same octets, case included.
    pub fn eq_case(&self, other: &Self) -> bool {
        self.wire == other.wire
    }

    /// The text without the closing dot (the root stays `.`).
    pub fn to_text_without_dot(&self) -> String {
        let mut text = self.to_string();
        if text.len() > 1 {
            text.pop();
        }
        text
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.wire, &other.wire) || self.wire.eq_ignore_ascii_case(&other.wire)
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut folded = [0u8; 255];
        let folded = &mut folded[..self.wire.len()];
        folded.copy_from_slice(&self.wire);
        folded.make_ascii_lowercase();
        state.write(folded);
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.wire, &other.wire) {
            return Ordering::Equal;
        }
        let (mine, my_count) = offsets(&self.wire);
        let (theirs, their_count) = offsets(&other.wire);
        let mut i = my_count;
        let mut j = their_count;
        while i > 0 && j > 0 {
            i -= 1;
            j -= 1;
            let a = label_at(&self.wire, mine[i]);
            let b = label_at(&other.wire, theirs[j]);
            let order = a.iter().map(u8::to_ascii_lowercase).cmp(b.iter().map(u8::to_ascii_lowercase));
            if order != Ordering::Equal {
                return order;
            }
        }
        my_count.cmp(&their_count)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            return f.pad(".");
        }
        let mut text = String::with_capacity(self.wire.len());
        for label in self.labels() {
            for &byte in label {
                match byte {
                    b'.' | b'\\' | b'"' | b';' | b'(' | b')' | b'@' | b'$' => {
                        text.push('\\');
                        text.push(byte as char);
                    }
                    0x21..=0x7e => text.push(byte as char),
                    _ => text.push_str(&format!("\\{byte:03}")),
                }
            }
            text.push('.');
        }
        f.pad(&text)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where each label starts. A name of 255 octets has at most 127 labels.
fn offsets(wire: &[u8]) -> ([u8; 128], usize) {
    let mut starts = [0u8; 128];
    let mut count = 0;
    let mut at = 0usize;
    while wire[at] != 0 {
        starts[count] = at as u8;
        count += 1;
        at += 1 + wire[at] as usize;
    }
    (starts, count)
}

fn label_at(wire: &[u8], at: u8) -> &[u8] {
    let at = at as usize;
    &wire[at + 1..at + 1 + wire[at] as usize]
}

fn close(wire: &mut Vec<u8>) -> Result<Name, NameError> {
    wire.push(0);
    if wire.len() > 255 {
        return Err(NameError::TooLong);
    }
    Ok(Name { wire: Arc::from(wire.as_slice()) })
}

/// The labels of a text in wire form without the closing zero, and whether the text ended in a dot.
fn labels_from_text(text: &str) -> Result<(Vec<u8>, bool), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text == "." {
        return Ok((Vec::new(), true));
    }
    let mut wire = Vec::with_capacity(text.len() + 2);
    let mut start = 0;
    wire.push(0);
    let mut absolute = false;
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        absolute = false;
        let octet = match byte {
            b'.' => {
                end_label(&mut wire, start)?;
                start = wire.len();
                wire.push(0);
                absolute = true;
                continue;
            }
            b'\\' => escaped(&mut bytes)?,
            0x21..=0x7e => byte,
            _ => return Err(NameError::BadCharacter),
        };
        wire.push(octet);
        if wire.len() > 255 {
            return Err(NameError::TooLong);
        }
    }
    if absolute {
        wire.pop();
    } else {
        end_label(&mut wire, start)?;
    }
    Ok((wire, absolute))
}

fn end_label(wire: &mut [u8], start: usize) -> Result<(), NameError> {
    let length = wire.len() - start - 1;
    match length {
        0 => Err(NameError::EmptyLabel),
        1..=63 => {
            wire[start] = length as u8;
            Ok(())
        }
        _ => Err(NameError::LabelTooLong),
    }
}

fn escaped(bytes: &mut std::str::Bytes<'_>) -> Result<u8, NameError> {
    let first = bytes.next().ok_or(NameError::BadEscape)?;
    if !first.is_ascii_digit() {
        return if matches!(first, 0x21..=0x7e | b' ') { Ok(first) } else { Err(NameError::BadEscape) };
    }
    let mut number = u16::from(first - b'0');
    for _ in 0..2 {
        let digit = bytes.next().filter(u8::is_ascii_digit).ok_or(NameError::BadEscape)?;
        number = number * 10 + u16::from(digit - b'0');
    }
    u8::try_from(number).map_err(|_| NameError::BadEscape)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn reads_and_prints() {
        for text in ["example.com.", "a\\.b.example.", "\\000\\255x.", ".", "*.example.", "_dmarc.Example.COM."] {
            assert_eq!(name(text).to_string(), text);
        }
        assert_eq!(name("example.com"), name("EXAMPLE.com."));
        assert_eq!(Name::parse("a..b"), Err(NameError::EmptyLabel));
        assert_eq!(Name::parse(".a"), Err(NameError::EmptyLabel));
        assert_eq!(Name::parse(&"a".repeat(64)), Err(NameError::LabelTooLong));
        assert_eq!(Name::parse(&"a.".repeat(128)), Err(NameError::TooLong));
        assert_eq!(Name::parse("a\\256"), Err(NameError::BadEscape));
        assert_eq!(Name::parse("a b"), Err(NameError::BadCharacter));
        assert!(Name::parse(&"a.".repeat(127)).is_ok());
    }

    #[test]
    fn relative_and_idn() {
        let origin = name("example.com");
        assert_eq!(Name::parse_in("www", Some(&origin)).unwrap(), name("www.example.com"));
        assert_eq!(Name::parse_in("www.", Some(&origin)).unwrap(), name("www"));
        assert_eq!(Name::parse_in("@", Some(&origin)).unwrap(), origin);
        assert_eq!(Name::parse_in("www", None), Err(NameError::NoOrigin));
        assert_eq!(Name::parse_idn("_dmarc.b\u{fc}cher.example").unwrap(), name("_dmarc.xn--bcher-kva.example"));
        assert_eq!(Name::parse_idn("BÜCHER.example").unwrap(), name("xn--bcher-kva.example"));
    }

    #[test]
    fn relations() {
        assert!(name("a.example").is_at_or_below(&name("EXAMPLE")));
        assert!(!name("aexample").is_at_or_below(&name("example")));
        assert!(!name("a.b").is_at_or_below(&name("c.a.b")));
        assert_eq!(name("_dmarc.example").without_suffix(&name("example")).unwrap(), name("_dmarc"));
        assert_eq!(name("a.b").parent(), Some(name("b")));
        let mut sorted =
            ["z.example", "a.z.example", "example", "*.z.example", "yljkjljk.a.example", "Z.a.example"].map(name);
        sorted.sort();
        assert_eq!(
            sorted.map(|n| n.to_string()).join(" "),
            "example. yljkjljk.a.example. Z.a.example. z.example. *.z.example. a.z.example."
        );
    }

    proptest::proptest! {
        #[test]
        fn prefixes_sort_as_names(labels in proptest::array::uniform2(proptest::collection::vec("[\\x00-\\x02aBb]{1,9}", 0..4))) {
            let [a, b] = labels.map(|labels| {
                let text: Vec<String> =
                    labels.iter().map(|label| label.bytes().map(|octet| format!("\\{octet:03}")).collect()).collect();
                name(format!("{}.example.com", text.join(".")).trim_start_matches('.'))
            });
            match a.sort_prefix(2).cmp(&b.sort_prefix(2)) {
                Ordering::Equal => {}
                order => proptest::prop_assert_eq!(order, a.cmp(&b)),
            }
        }
    }
}
