//! Record data as octets (RFC 1035 section 3.3), names uncompressed.

use crate::parse::is_caa_tag;
use crate::table::take_name;
use crate::{Caa, Mx, Opaque, Rdata, RecordType, Soa, Srv, Tlsa, Txt};

impl Rdata {
    /// The data's octets, names uncompressed. `None` for data known only as text, and for what no
    /// message can hold: more than 65,535 octets, or a CAA tag that is not 1 to 255 letters and digits.
    pub fn to_wire(&self) -> Option<Vec<u8>> {
        let mut data = Vec::new();
        match self {
            Self::A(address) => data.extend(address.octets()),
            Self::Aaaa(address) => data.extend(address.octets()),
            Self::Ns(name) | Self::Cname(name) | Self::Ptr(name) => data.extend_from_slice(name.as_wire()),
            Self::Mx(mx) => {
                data.extend(mx.preference.to_be_bytes());
                data.extend_from_slice(mx.exchange.as_wire());
            }
            Self::Txt(txt) => {
                for string in txt.strings() {
                    data.push(u8::try_from(string.len()).ok()?);
                    data.extend_from_slice(string);
                }
            }
            Self::Srv(srv) => {
                for number in [srv.priority, srv.weight, srv.port] {
                    data.extend(number.to_be_bytes());
                }
                data.extend_from_slice(srv.target.as_wire());
            }
            Self::Tlsa(tlsa) => {
                data.extend([tlsa.usage, tlsa.selector, tlsa.matching]);
                data.extend_from_slice(&tlsa.data);
            }
            Self::Caa(caa) => {
                let tag = Some(caa.tag.as_bytes()).filter(|tag| is_caa_tag(tag))?;
                data.extend([caa.flags, u8::try_from(tag.len()).ok()?]);
                data.extend_from_slice(tag);
                data.extend_from_slice(&caa.value);
            }
            Self::Soa(soa) => {
                data.extend_from_slice(soa.mname.as_wire());
                data.extend_from_slice(soa.rname.as_wire());
                for number in [soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum] {
                    data.extend(number.to_be_bytes());
                }
            }
            Self::Opaque(Opaque::Wire { data: octets, .. }) => data.extend_from_slice(octets),
            Self::Opaque(Opaque::Text { .. }) => return None,
        }
        (data.len() <= 65_535).then_some(data)
    }

    /// Data of type `rtype` from its octets, names uncompressed. Never refused: octets that are no data
    /// of their type, and types that are not read, become [`Opaque::Wire`].
    pub fn from_wire(rtype: RecordType, data: &[u8]) -> Self {
        typed(rtype, data).unwrap_or_else(|| Self::Opaque(Opaque::Wire { rtype, data: data.into() }))
    }
}

fn typed(rtype: RecordType, data: &[u8]) -> Option<Rdata> {
    let mut rest = data;
    let rdata = match rtype {
        RecordType::A => Rdata::A(take::<4>(&mut rest)?.into()),
        RecordType::AAAA => Rdata::Aaaa(take::<16>(&mut rest)?.into()),
        RecordType::NS => Rdata::Ns(take_name(&mut rest)?),
        RecordType::CNAME => Rdata::Cname(take_name(&mut rest)?),
        RecordType::PTR => Rdata::Ptr(take_name(&mut rest)?),
        RecordType::MX => Rdata::Mx(Mx { preference: take_u16(&mut rest)?, exchange: take_name(&mut rest)? }),
        RecordType::TXT => {
            let mut strings = Vec::new();
            while let Some((&length, others)) = rest.split_first() {
                let (string, others) = others.split_at_checked(usize::from(length))?;
                strings.push(string.into());
                rest = others;
            }
            Rdata::Txt(Txt::from_strings(strings)?)
        }
        RecordType::SRV => Rdata::Srv(Srv {
            priority: take_u16(&mut rest)?,
            weight: take_u16(&mut rest)?,
            port: take_u16(&mut rest)?,
            target: take_name(&mut rest)?,
        }),
        RecordType::TLSA => {
            let [usage, selector, matching] = take(&mut rest)?;
            // Without association data there is no text that could be read back.
            let data = Some(std::mem::take(&mut rest)).filter(|data| !data.is_empty())?;
            Rdata::Tlsa(Tlsa { usage, selector, matching, data: data.to_vec() })
        }
        RecordType::CAA => {
            let [flags, length] = take(&mut rest)?;
            let (tag, value) = rest.split_at_checked(usize::from(length))?;
            let tag = Some(tag).filter(|tag| is_caa_tag(tag))?;
            rest = &[];
            Rdata::Caa(Caa { flags, tag: std::str::from_utf8(tag).ok()?.into(), value: value.into() })
        }
        RecordType::SOA => Rdata::Soa(Box::new(Soa {
            mname: take_name(&mut rest)?,
            rname: take_name(&mut rest)?,
            serial: take_u32(&mut rest)?,
            refresh: take_u32(&mut rest)?,
            retry: take_u32(&mut rest)?,
            expire: take_u32(&mut rest)?,
            minimum: take_u32(&mut rest)?,
        })),
        _ => return None,
    };
    rest.is_empty().then_some(rdata)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, others) = rest.split_first_chunk::<N>()?;
    *rest = others;
    Some(*first)
}

fn take_u16(rest: &mut &[u8]) -> Option<u16> {
    take(rest).map(u16::from_be_bytes)
}

fn take_u32(rest: &mut &[u8]) -> Option<u32> {
    take(rest).map(u32::from_be_bytes)
}
