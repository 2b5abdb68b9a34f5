//! The server's side of the codec: a request in, a response out.

use hickory_proto::ProtoError;
use hickory_proto::rr::Name as WireName;
use hickory_proto::serialize::binary::{BinEncodable, BinEncoder, EncodedSize, Place};
use mailzone_record::{Name, Rdata, RecordType};

use crate::names::{Malformed, Reader};
use crate::response::{AA, AD, CD, IN, QR, RA, RD, TC, opt_record};
use crate::{Message, Rcode, Record};

/// A question that a server received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The message id, to be repeated.
    pub id: u16,
    /// RD, to be repeated.
    pub recursion_desired: bool,
    /// CD, to be repeated.
    pub checking_disabled: bool,
    /// The name asked for, in the case in which it came.
    pub name: Name,
    /// The type asked for.
    pub rtype: RecordType,
    /// The class asked for: 1 is IN.
    pub class: u16,
    /// The OPT record, if there was one.
    pub edns: Option<RequestEdns>,
}

/// What a request's OPT record says (RFC 6891).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestEdns {
    /// The version: 0 is the only one that exists.
    pub version: u8,
    /// The largest UDP payload that the client takes, as it said it.
    pub udp_payload: u16,
    /// DO: it wants DNSSEC records.
    pub dnssec_ok: bool,
}

/// Octets that are no question.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Too short for a header, or a response: no answer, or two servers could go on for ever.
    #[error("not a request")]
    NotARequest,
    /// A request to which only a header can be answered.
    #[error("{reason}")]
    Rejected {
        /// `FormErr` for a broken message, `NotImp` for another opcode than QUERY.
        rcode: Rcode,
        /// What is wrong.
        reason: &'static str,
        /// The response to send.
        reply: [u8; 12],
    },
}

/// Why a response has no wire form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// It is longer than the limit: to be sent shortened with TC.
    #[error("longer than the limit")]
    TooLong,
    /// A record's data has no wire form (text of an unknown type).
    #[error("record data without a wire form")]
    NoWireForm,
}

/// Reads a request. Records in it other than OPT are skipped.
pub fn decode_request(bytes: &[u8]) -> Result<Request, RequestError> {
    let mut reader = Reader::new(bytes);
    let (Ok(id), Ok(flags)) = (reader.u16(), reader.u16()) else { return Err(RequestError::NotARequest) };
    if bytes.len() < 12 || flags & QR != 0 {
        return Err(RequestError::NotARequest);
    }
    if flags >> 11 & 0xf != 0 {
        return Err(rejected(id, flags, Rcode::NotImp, "another opcode than QUERY"));
    }
    question(&mut reader, id, flags).map_err(|reason| rejected(id, flags, Rcode::FormErr, reason))
}

/// Writes the response `message` to `request`: its id, question (case kept), RD and CD repeated,
/// and an OPT record if it had one. Names are compressed as RFC 3597 section 4 permits. `limit` is
/// the largest length in octets, at most 65,535.
pub fn encode_response(request: &Request, message: &Message, limit: usize) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = Vec::with_capacity(512);
    // Not with the encoder's own limit: it counts a name before compression.
    write(&mut BinEncoder::new(&mut bytes), request, message)?;
    if bytes.len() > limit { Err(EncodeError::TooLong) } else { Ok(bytes) }
}

fn question(reader: &mut Reader<'_>, id: u16, flags: u16) -> Result<Request, Malformed> {
    if reader.u16()? != 1 {
        return Err("not one question");
    }
    let records = u32::from(reader.u16()?) + u32::from(reader.u16()?) + u32::from(reader.u16()?);
    let name = reader.name()?;
    let rtype = RecordType(reader.u16()?);
    let class = reader.u16()?;
    let mut edns = None;
    for _ in 0..records {
        let owner = reader.name()?;
        let rtype = RecordType(reader.u16()?);
        let payload = reader.u16()?;
        let ttl = reader.u32()?;
        let length = usize::from(reader.u16()?);
        reader.octets(length)?;
        if rtype == RecordType::OPT {
            let opt = RequestEdns { version: (ttl >> 16) as u8, udp_payload: payload, dnssec_ok: ttl & 0x8000 != 0 };
            if !owner.is_root() || edns.replace(opt).is_some() {
                return Err("not one OPT record at the root");
            }
        }
    }
    Ok(Request { id, recursion_desired: flags & RD != 0, checking_disabled: flags & CD != 0, name, rtype, class, edns })
}

fn rejected(id: u16, flags: u16, rcode: Rcode, reason: &'static str) -> RequestError {
    let mut reply = [0; 12];
    reply[..2].copy_from_slice(&id.to_be_bytes());
    // Opcode and RD are repeated.
    let flags = QR | flags & (0x7800 | RD) | u16::from(rcode) & 0xf;
    reply[2..4].copy_from_slice(&flags.to_be_bytes());
    RequestError::Rejected { rcode, reason, reply }
}

fn write(encoder: &mut BinEncoder<'_>, request: &Request, message: &Message) -> Result<(), EncodeError> {
    let rcode = u16::from(message.rcode);
    let mut flags = QR | rcode & 0xf;
    for (set, flag) in [
        (message.authoritative, AA),
        (message.truncated, TC),
        (request.recursion_desired, RD),
        (message.recursion_available, RA),
        (message.authenticated, AD),
        (request.checking_disabled, CD),
    ] {
        if set {
            flags |= flag;
        }
    }
    let additional = message.additional.len() + usize::from(request.edns.is_some());
    let counts = [message.answers.len(), message.authority.len(), additional];
    for word in [request.id, flags, 1] {
        encoder.emit_u16(word)?;
    }
    for count in counts {
        // Each record takes eleven octets or more, so such a number of them is too long anyway.
        encoder.emit_u16(u16::try_from(count).map_err(|_| EncodeError::TooLong)?)?;
    }
    write_name(encoder, &request.name)?;
    encoder.emit_u16(request.rtype.0)?;
    encoder.emit_u16(request.class)?;
    for record in message.answers.iter().chain(&message.authority).chain(&message.additional) {
        write_record(encoder, record)?;
    }
    if let Some(edns) = request.edns {
        let dnssec_ok = if edns.dnssec_ok { 0x8000 } else { 0 };
        encoder.emit_vec(&opt_record(u32::from(rcode >> 4) << 24 | dnssec_ok))?;
    }
    Ok(())
}

fn write_record(encoder: &mut BinEncoder<'_>, record: &Record) -> Result<(), EncodeError> {
    write_name(encoder, &record.name)?;
    encoder.emit_u16(record.rtype().0)?;
    encoder.emit_u16(IN)?;
    encoder.emit_u32(record.ttl.as_secs())?;
    let length: Place<Length> = encoder.place()?;
    match &record.rdata {
        Rdata::Ns(name) | Rdata::Cname(name) | Rdata::Ptr(name) => write_name(encoder, name)?,
        Rdata::Mx(mx) => {
            encoder.emit_u16(mx.preference)?;
            write_name(encoder, &mx.exchange)?;
        }
        Rdata::Soa(soa) => {
            write_name(encoder, &soa.mname)?;
            write_name(encoder, &soa.rname)?;
            for number in [soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum] {
                encoder.emit_u32(number)?;
            }
        }
        other => encoder.emit_vec(&other.to_wire().ok_or(EncodeError::NoWireForm)?)?,
    }
    let written = encoder.len_since_place(&length);
    // The encoder ends at 65,535 octets.
    let written = u16::try_from(written).map_err(|_| EncodeError::TooLong)?;
    Ok(length.replace(encoder, Length(written))?)
}

fn write_name(encoder: &mut BinEncoder<'_>, name: &Name) -> Result<(), EncodeError> {
    Ok(WireName::from_labels(name.labels())?.emit(encoder)?)
}

/// The length field of record data, filled in when the data is written.
struct Length(u16);

impl BinEncodable for Length {
    fn emit(&self, encoder: &mut BinEncoder<'_>) -> Result<(), ProtoError> {
        encoder.emit_u16(self.0)
    }
}

impl EncodedSize for Length {
    const LEN: usize = 2;
}

impl From<ProtoError> for EncodeError {
    /// Names are checked when they are made, so a full buffer is all that can happen.
    fn from(_: ProtoError) -> Self {
        Self::TooLong
    }
}
