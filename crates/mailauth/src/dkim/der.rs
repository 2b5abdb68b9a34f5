//! As much of DER (X.690) as public keys need: a reader that checks every length, and a writer.

/// Why octets are not the DER that was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DerError {
    /// An element is longer than what is there.
    #[error("the key is cut off: at least {missing} octets are missing")]
    Truncated {
        /// How many more octets the outermost incomplete element needs, at least.
        missing: usize,
    },
    /// Octets after the end.
    #[error("{0} octets follow the end of the key")]
    Trailing(usize),
    /// An element of another type than expected, or a length in a form that DER forbids.
    #[error("the octets have not the structure of a key (DER)")]
    Unexpected,
}

pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const NULL: u8 = 0x05;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;

/// Reads elements one after another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets }
    }

    /// The content of the next element, which must have this tag.
    pub(super) fn element(&mut self, tag: u8) -> Result<&'a [u8], DerError> {
        match self.rest.split_first() {
            None => return Err(DerError::Truncated { missing: 2 }),
            Some((found, _)) if *found != tag => return Err(DerError::Unexpected),
            Some((_, rest)) => self.rest = rest,
        }
        let length = self.length()?;
        let Some((content, rest)) = self.rest.split_at_checked(length) else {
            return Err(DerError::Truncated { missing: length - self.rest.len() });
        };
        self.rest = rest;
        Ok(content)
    }

    /// The content of the next element as elements.
    pub(super) fn inside(&mut self, tag: u8) -> Result<Self, DerError> {
        self.element(tag).map(Self::new)
    }

    /// The next element as an unsigned integer, big-endian, without leading zeros; never empty unless 0.
    pub(super) fn unsigned(&mut self) -> Result<&'a [u8], DerError> {
        let octets = self.element(INTEGER)?;
        match octets.first() {
            None => Err(DerError::Unexpected),
            Some(first) if first & 0x80 != 0 => Err(DerError::Unexpected),
            Some(_) => Ok(without_zeros(octets)),
        }
    }

    /// Whether the next element has this tag.
    pub(super) fn next_is(&self, tag: u8) -> bool {
        self.rest.first() == Some(&tag)
    }

    /// Nothing may be left.
    pub(super) fn end(self) -> Result<(), DerError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DerError::Trailing(self.rest.len())) }
    }

    fn octet(&mut self) -> Result<u8, DerError> {
        let (first, rest) = self.rest.split_first().ok_or(DerError::Truncated { missing: 1 })?;
        self.rest = rest;
        Ok(*first)
    }

    fn length(&mut self) -> Result<usize, DerError> {
        let first = self.octet()?;
        let count = match first {
            0..=0x7f => return Ok(usize::from(first)),
            0x81..=0x83 => first & 0x7f,
            _ => return Err(DerError::Unexpected),
        };
        let mut length = 0;
        for _ in 0..count {
            length = length << 8 | usize::from(self.octet()?);
        }
        if length < 0x80 { Err(DerError::Unexpected) } else { Ok(length) }
    }
}

/// One element.
pub(super) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut out = vec![tag];
    if length < 0x80 {
        out.push(length as u8);
    } else {
        let octets = length.to_be_bytes();
        let octets = without_zeros(&octets);
        out.push(0x80 | octets.len() as u8);
        out.extend_from_slice(octets);
    }
    out.extend_from_slice(content);
    out
}

/// An unsigned integer, big-endian.
pub(super) fn unsigned(octets: &[u8]) -> Vec<u8> {
    let octets = without_zeros(octets);
    let mut content = Vec::with_capacity(octets.len() + 1);
    if octets.first().is_none_or(|first| first & 0x80 != 0) {
        content.push(0);
    }
    content.extend_from_slice(octets);
    element(INTEGER, &content)
}

fn without_zeros(octets: &[u8]) -> &[u8] {
    let zeros = octets.iter().take_while(|&&octet| octet == 0).count();
    &octets[zeros..]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_are_checked() {
        let read = |octets: &[u8]| Reader::new(octets).element(SEQUENCE).map(<[u8]>::len);
        assert_eq!(read(&[0x30, 0]), Ok(0));
        assert_eq!(read(&[0x30, 3, 1]), Err(DerError::Truncated { missing: 2 }));
        assert_eq!(read(&[0x30]), Err(DerError::Truncated { missing: 1 }));
        assert_eq!(read(&[]), Err(DerError::Truncated { missing: 2 }));
        assert_eq!(read(&[0x30, 0x80]), Err(DerError::Unexpected));
        assert_eq!(read(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), Err(DerError::Unexpected));
        assert_eq!(read(&[0x30, 0x81, 5]), Err(DerError::Unexpected));
        assert_eq!(read(&[0x31, 0]), Err(DerError::Unexpected));
        assert_eq!(Reader::new(&[1, 2]).end(), Err(DerError::Trailing(2)));
    }

    proptest! {
        #[test]
        fn writing_and_reading_are_inverse(content in prop::collection::vec(any::<u8>(), 0..400)) {
            let octets = element(OCTET_STRING, &content);
            let mut reader = Reader::new(&octets);
            prop_assert_eq!(reader.element(OCTET_STRING).unwrap(), &content[..]);
            prop_assert_eq!(reader.end(), Ok(()));
            let octets = unsigned(&content);
            prop_assert_eq!(Reader::new(&octets).unsigned().unwrap(), without_zeros(&content));
        }
    }
}
