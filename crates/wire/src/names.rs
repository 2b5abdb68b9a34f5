//! Reading what a message is made of: integers, names with compression, record data without it.
//!
//! Names are read here and not by the library, because record data has to come out as the octets
//! received with its names uncompressed, and because the library follows a chain of pointers as
//! long as the message has room for one: 64 KiB from a hostile server would cost a second.

use mailzone_record::{Name, RecordType};

/// Reads a message from front to back.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

/// What is wrong with a message; goes into the error's text.
pub(crate) type Malformed = &'static str;

/// A part of record data that may hold a compressed name.
#[derive(Debug, Clone, Copy)]
enum Field {
    Name,
    Octets(usize),
    CharacterString,
    Rest,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(message: &'a [u8]) -> Self {
        Self { message, at: 0 }
    }

    /// How many octets were read.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    pub(crate) fn octets(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let rest = self.message.get(self.at..).unwrap_or_default();
        let octets = rest.get(..count).ok_or("ends early")?;
        self.at += count;
        Ok(octets)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Malformed> {
        self.octets(1)?.first().copied().ok_or("ends early")
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Malformed> {
        match self.octets(2)? {
            [a, b] => Ok(u16::from_be_bytes([*a, *b])),
            _ => Err("ends early"),
        }
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from(self.u16()?) << 16 | u32::from(self.u16()?))
    }

    /// A name, following compression pointers (RFC 1035 section 4.1.4).
    pub(crate) fn name(&mut self) -> Result<Name, Malformed> {
        let mut wire = [0; 255];
        let length = self.name_into(&mut wire)?;
        let wire = wire.get(..length).ok_or("name too long")?;
        Name::from_wire(wire).map_err(|_| "bad name")
    }

    /// Record data of `length` octets, names uncompressed where the type may have them compressed.
    /// Data that is not what its type wants is returned as it came: it is the server's oddity,
    /// and no reason to lose the record.
    pub(crate) fn rdata(&mut self, rtype: RecordType, length: usize) -> Result<Vec<u8>, Malformed> {
        let start = self.at;
        let raw = self.octets(length)?;
        let mut inside = Self { message: self.message, at: start };
        let plain = layout(rtype).and_then(|fields| inside.fields(fields, self.at).ok());
        Ok(plain.unwrap_or_else(|| raw.to_vec()))
    }

    fn fields(&mut self, fields: &[Field], end: usize) -> Result<Vec<u8>, Malformed> {
        let mut data = Vec::with_capacity(64);
        for field in fields {
            match field {
                Field::Name => {
                    let mut wire = [0; 255];
                    let length = self.name_into(&mut wire)?;
                    data.extend_from_slice(wire.get(..length).ok_or("name too long")?);
                }
                Field::Octets(count) => data.extend_from_slice(self.octets(*count)?),
                Field::CharacterString => {
                    let length = self.u8()?;
                    data.push(length);
                    data.extend_from_slice(self.octets(usize::from(length))?);
                }
                Field::Rest => data.extend_from_slice(self.octets(end.saturating_sub(self.at))?),
            }
        }
        if self.at == end { Ok(data) } else { Err("record data of another length") }
    }

    /// Writes the uncompressed name into `wire` and returns its length. Each pointer has to lead
    /// further to the front than all before it, and a name needs no more of them than it can have
    /// labels: the loop ends.
    fn name_into(&mut self, wire: &mut [u8; 255]) -> Result<usize, Malformed> {
        let mut length = 0;
        let mut at = self.at;
        let mut after = None;
        let mut floor = at;
        let mut pointers = 0;
        loop {
            let first = *self.message.get(at).ok_or("name ends early")?;
            match first {
                0 => {
                    *wire.get_mut(length).ok_or("name too long")? = 0;
                    self.at = after.unwrap_or(at + 1);
                    return Ok(length + 1);
                }
                1..=63 => {
                    let size = 1 + usize::from(first);
                    let label = self.message.get(at..at + size).ok_or("name ends early")?;
                    wire.get_mut(length..length + size).ok_or("name too long")?.copy_from_slice(label);
                    length += size;
                    at += size;
                }
                0xc0.. => {
                    let second = *self.message.get(at + 1).ok_or("name ends early")?;
                    let target = usize::from(first & 0x3f) << 8 | usize::from(second);
                    pointers += 1;
                    if target >= floor || pointers > 127 {
                        return Err("compression pointer that leads nowhere");
                    }
                    after.get_or_insert(at + 2);
                    floor = target;
                    at = target;
                }
                _ => return Err("unknown label type"),
            }
        }
    }
}

/// Where names may be compressed: the types of RFC 1035, and those of which RFC 3597 section 4
/// says that receivers have to expect it.
fn layout(rtype: RecordType) -> Option<&'static [Field]> {
    use Field::{CharacterString, Name, Octets, Rest};
    use RecordType as T;
    Some(match rtype {
        T::NS | T::MD | T::MF | T::CNAME | T::MB | T::MG | T::MR | T::PTR => &[Name],
        T::SOA => &[Name, Name, Octets(20)],
        T::MINFO | T::RP => &[Name, Name],
        T::MX | T::AFSDB | T::RT => &[Octets(2), Name],
        T::PX => &[Octets(2), Name, Name],
        T::SRV => &[Octets(6), Name],
        T::NAPTR => &[Octets(4), CharacterString, CharacterString, CharacterString, Name],
        T::SIG => &[Octets(18), Name, Rest],
        T::NXT => &[Name, Rest],
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `message`, whose name at `at` is read.
    fn name_at(message: &[u8], at: usize) -> Result<(Name, usize), Malformed> {
        let mut reader = Reader { message, at };
        Ok((reader.name()?, reader.at))
    }

    #[test]
    fn follows_pointers_to_the_front_only() {
        let message = b"\x03com\x00\x07example\xc0\x00\x03www\xc0\x05";
        assert_eq!(name_at(message, 15).unwrap(), (Name::parse("www.example.com").unwrap(), 21));
        assert!(name_at(b"\xc0\x00", 0).is_err());
        assert!(name_at(b"\x01a\xc0\x00", 0).is_err());
        assert!(name_at(b"\xc0\x02\xc0\x00", 2).is_err());
        assert!(name_at(b"\x00\xc0\x03\x00", 1).is_err());
        assert!(name_at(b"\x40a\x00", 0).is_err());
        assert!(name_at(b"\x05ab", 0).is_err());
    }

    #[test]
    fn a_name_of_255_octets_is_read_and_one_more_is_not() {
        let mut message = Vec::new();
        for _ in 0..127 {
            message.extend_from_slice(b"\x01a");
        }
        message.push(0);
        assert_eq!(name_at(&message, 0).unwrap().0.as_wire().len(), 255);
        message.splice(0..2, *b"\x02ab");
        assert_eq!(name_at(&message, 0), Err("name too long"));
    }

    #[test]
    fn a_chain_of_pointers_is_cut() {
        let mut message = vec![0];
        let mut at: u16 = 0;
        for _ in 0..200 {
            let next = message.len() as u16;
            message.extend_from_slice(&(0xc000 | at).to_be_bytes());
            at = next;
        }
        assert!(name_at(&message, usize::from(at)).is_err());
        assert!(name_at(&message, 1 + 2 * 100).is_ok());
    }

    #[test]
    fn odd_record_data_is_kept() {
        let mut reader = Reader { message: b"\x00\x05\xc0\x00", at: 1 };
        assert_eq!(reader.rdata(RecordType::MX, 3).unwrap(), b"\x05\xc0\x00");
        let mut reader = Reader { message: b"\x00\x00\x05\xc0\x00", at: 1 };
        assert_eq!(reader.rdata(RecordType::MX, 4).unwrap(), b"\x00\x05\x00");
        let mut reader = Reader { message: b"\x00\xc0\x00", at: 1 };
        assert_eq!(reader.rdata(RecordType(65280), 2).unwrap(), b"\xc0\x00");
    }
}
