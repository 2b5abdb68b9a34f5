//! One record: what the API takes, stores and gives.

use mailzone_record::{Name, Opaque, RRsetKey, Rdata, RecordType, Txt, parse_rdata_text};
use serde_json::{Map, Value, json};

/// A record as it is stored.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the API's names")]
pub struct Record {
    pub id: String,
    /// Whole, in lower case, without the closing dot.
    pub name: String,
    pub rtype: String,
    pub content: String,
    pub data: Option<Value>,
    pub priority: Option<u64>,
    /// 1 is automatic.
    pub ttl: u32,
    pub proxied: bool,
    pub comment: Option<String>,
    pub tags: Vec<String>,
    pub settings: Value,
    pub meta: Value,
    pub created_on: String,
    pub modified_on: String,
}

/// Why a request is refused.
#[derive(Debug, PartialEq)]
pub(super) struct Mistake {
    pub(super) status: u16,
    pub(super) code: u64,
    pub(super) message: String,
    pub(super) chain: Option<(u64, String)>,
}

impl Mistake {
    pub(super) fn new(status: u16, code: u64, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), chain: None }
    }

    /// A bad value.
    fn validation(code: u64, message: impl Into<String>) -> Self {
        let chain = Some((code, message.into()));
        Self { status: 400, code: 1004, message: "DNS Validation Error".into(), chain }
    }
}

/// The fields that a request may have.
const KNOWN: &[&str] =
    &["id", "name", "type", "content", "data", "priority", "ttl", "proxied", "comment", "tags", "settings"];

/// The types whose value is `data`: names of its fields in the order of the presentation format. `"` marks what stands
/// in quotes there, `.` a host name, `^` what is beside `data`.
const DATA: &[(&str, &[&str])] = &[
    ("SRV", &["priority", "weight", "port", ".target"]),
    ("CAA", &["flags", "tag", "\"value"]),
    ("TLSA", &["usage", "selector", "matching_type", "certificate"]),
    ("SMIMEA", &["usage", "selector", "matching_type", "certificate"]),
    ("DS", &["key_tag", "algorithm", "digest_type", "digest"]),
    ("SSHFP", &["algorithm", "type", "fingerprint"]),
    ("CERT", &["type", "key_tag", "algorithm", "certificate"]),
    ("DNSKEY", &["flags", "protocol", "algorithm", "public_key"]),
    ("NAPTR", &["order", "preference", "\"flags", "\"service", "\"regex", ".replacement"]),
    ("HTTPS", &["priority", ".target", "value"]),
    ("SVCB", &["priority", ".target", "value"]),
    ("URI", &["^priority", "weight", "\"target"]),
];

impl Record {
    pub(super) fn json(&self) -> Value {
        let mut object = json!({
            "id": self.id, "name": self.name, "type": self.rtype, "content": self.content,
            "proxiable": matches!(&*self.rtype, "A" | "AAAA" | "CNAME"), "proxied": self.proxied, "ttl": self.ttl,
            "settings": self.settings, "meta": self.meta, "comment": self.comment, "tags": self.tags,
            "created_on": self.created_on, "modified_on": self.modified_on,
        });
        if let Some(data) = &self.data {
            object["data"] = data.clone();
        }
        if let Some(priority) = self.priority {
            object["priority"] = priority.into();
        }
        object
    }

    /// A record without a value, for what a request or a seed says.
    pub(super) fn blank(id: String, now: String) -> Self {
        Self {
            id,
            name: String::new(),
            rtype: String::new(),
            content: String::new(),
            data: None,
            priority: None,
            ttl: 1,
            proxied: false,
            comment: None,
            tags: Vec::new(),
            settings: json!({}),
            meta: json!({}),
            created_on: now.clone(),
            modified_on: now,
        }
    }

    /// Takes over the fields of a request, and checks what comes out.
    pub(super) fn set(&mut self, fields: &Map<String, Value>, apex: &Name, lowest: u32) -> Result<(), Mistake> {
        if let Some(field) = fields.keys().find(|field| !KNOWN.contains(&field.as_str())) {
            return Err(Mistake::new(400, 9999, format!("unknown field {field}")));
        }
        let wrong = |what: &str| Mistake::validation(9999, format!("{what} is none"));
        if let Some(rtype) = fields.get("type") {
            let rtype = rtype.as_str().ok_or_else(|| wrong("type"))?;
            if !self.rtype.is_empty() && self.rtype != rtype {
                return Err(Mistake::validation(9999, "the type of a record does not change"));
            }
            self.rtype = rtype.into();
        }
        if let Some(name) = fields.get("name") {
            self.name = full_name(name.as_str().unwrap_or_default(), apex)?;
        }
        if let Some(content) = fields.get("content") {
            self.content = content.as_str().ok_or_else(|| wrong("content"))?.into();
        }
        if let Some(data) = fields.get("data") {
            self.data = Some(data.as_object().map(|_| data.clone()).ok_or_else(|| wrong("data"))?);
        }
        if let Some(priority) = fields.get("priority") {
            let number = priority.as_u64().filter(|number| *number <= 65_535);
            self.priority = Some(number.ok_or_else(|| wrong("priority"))?);
        }
        if let Some(ttl) = fields.get("ttl") {
            let ttl = ttl.as_u64().and_then(|ttl| u32::try_from(ttl).ok());
            self.ttl = ttl.filter(|ttl| *ttl == 1 || (lowest..=86_400).contains(ttl)).ok_or_else(|| {
                let message = format!("Invalid TTL. Must be between {lowest} and 86,400 seconds, or 1 for Automatic.");
                Mistake::validation(9021, message)
            })?;
        }
        if let Some(proxied) = fields.get("proxied") {
            self.proxied = proxied.as_bool().ok_or_else(|| wrong("proxied"))?;
        }
        if let Some(comment) = fields.get("comment") {
            self.comment = comment.as_str().map(str::to_owned);
        }
        if let Some(tags) = fields.get("tags").and_then(Value::as_array) {
            self.tags = tags.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        }
        if let Some(settings) = fields.get("settings") {
            self.settings = settings.clone();
        }
        if self.name.is_empty() || self.rtype.is_empty() {
            return Err(Mistake::validation(9000, "DNS name is invalid."));
        }
        self.check(fields)
    }

    /// Puts the value into the form in which it is stored.
    fn check(&mut self, fields: &Map<String, Value>) -> Result<(), Mistake> {
        let sends = |field: &str| fields.contains_key(field);
        let unusable = |code, what: &str| Mistake::validation(code, format!("{what} is not valid for this type"));
        if let Some((_, parts)) = DATA.iter().find(|(rtype, _)| *rtype == self.rtype) {
            if sends("content") {
                return Err(Mistake::validation(9999, "content is output only for this type: use data"));
            }
            // What is stored and not sent again stays as it is.
            if !self.content.is_empty() && !sends("data") && !sends("priority") {
                return Ok(());
            }
            let data = self.data.clone().unwrap_or_default();
            self.content = compose(parts, &data, self.priority).ok_or_else(|| unusable(9101, "data"))?;
            return match self.rdata() {
                Some(rdata) if !matches!(rdata, Rdata::Opaque(Opaque::Text { .. })) => Ok(()),
                _ => Err(unusable(9101, "data")),
            };
        }
        if sends("data") {
            return Err(Mistake::validation(9999, "this type has no data"));
        }
        let host = |content: &str| match Name::parse(content) {
            Ok(name) if !content.contains(char::is_whitespace) => Ok(name.to_text_without_dot()),
            _ => Err(Mistake::validation(9007, "Content for this record is invalid. Must be a hostname.")),
        };
        match &*self.rtype {
            "A" => drop(
                self.content
                    .parse::<std::net::Ipv4Addr>()
                    .map_err(|_| Mistake::validation(9005, "Content for A record must be a valid IPv4 address."))?,
            ),
            "AAAA" => {
                let address: Result<std::net::Ipv6Addr, _> = self.content.parse();
                let message = "Content for AAAA record must be a valid IPv6 address.";
                self.content = address.map_err(|_| Mistake::validation(9006, message))?.to_string();
            }
            "CNAME" | "NS" | "PTR" => self.content = host(&self.content)?,
            "MX" => {
                self.content = host(&self.content)?;
                if self.priority.is_none() {
                    return Err(Mistake::validation(9100, "priority is a required field."));
                }
            }
            "TXT" if sends("content") => self.content = text(&self.content)?,
            "TXT" => {}
            "OPENPGPKEY" if self.rdata().is_some() => {}
            _ => return Err(Mistake::validation(9999, "this type cannot be written")),
        }
        Ok(())
    }

    /// The data, by a reading of its own.
    pub(super) fn rdata(&self) -> Option<Rdata> {
        let rtype: RecordType = self.rtype.parse().ok()?;
        match (&*self.rtype, self.priority) {
            ("TXT", _) if !self.content.starts_with('"') => Some(Rdata::Txt(Txt::from_text(&self.content))),
            ("MX", Some(priority)) => parse_rdata_text(rtype, &format!("{priority} {}", self.content), None).ok(),
            _ => parse_rdata_text(rtype, &self.content, None).ok(),
        }
    }

    /// What the name servers answer; a proxied address is one of theirs.
    pub(super) fn served(&self) -> Option<(RRsetKey, Rdata)> {
        let key = RRsetKey { name: Name::parse(&self.name).ok()?, rtype: self.rtype.parse().ok()? };
        let rdata = match (self.proxied, key.rtype) {
            (true, RecordType::A) => Rdata::A([192, 0, 2, 104].into()),
            (true, _) => return None,
            _ => self.rdata()?,
        };
        Some((key, rdata))
    }

    /// Why the API does not change it, if so.
    pub(super) fn locked(&self) -> Option<&'static str> {
        let meta = |field: &str| self.meta.get(field) == Some(&Value::Bool(true));
        if meta("read_only") || meta("email_routing") {
            return Some("This record is managed by another product and is read-only.");
        }
        if meta("managed_by_apps") || meta("managed_by_argo_tunnel") {
            return Some("This record is managed by an application.");
        }
        // The real service lets these be edited; no client of ours may.
        self.proxied.then_some("the record is proxied")
    }
}

/// `@`, a relative or a whole name, completed.
fn full_name(text: &str, apex: &Name) -> Result<String, Mistake> {
    let none = || Mistake::validation(9000, "DNS name is invalid.");
    if text == "@" {
        return Ok(apex.to_text_without_dot());
    }
    let name = Name::parse(text).map_err(|_| none())?.to_lowercase();
    if name.is_at_or_below(apex) {
        return Ok(name.to_text_without_dot());
    }
    let relative = name.to_text_without_dot();
    apex.prepend(&relative).map(|name| name.to_text_without_dot()).map_err(|_| none())
}

/// Text as strings in quotes of at most 255 octets each.
fn text(content: &str) -> Result<String, Mistake> {
    if !content.starts_with('"') {
        return check_text(Txt::from_text(content));
    }
    let mut strings = Vec::new();
    let mut rest = content;
    while let Some(inner) = rest.strip_prefix('"') {
        let mut escaped = false;
        let end = inner.bytes().position(|byte| {
            let closes = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            closes
        });
        let unbalanced = || Mistake::validation(9203, "Content has unbalanced quotes.");
        let (string, tail) = inner.split_at_checked(end.ok_or_else(unbalanced)?).ok_or_else(unbalanced)?;
        strings.push(string);
        rest = tail.strip_prefix('"').unwrap_or_default().trim_start();
    }
    if !rest.is_empty() {
        return Err(Mistake::validation(9203, "Content has text outside of its quotes."));
    }
    let mut whole = Vec::new();
    for string in strings {
        let octets = unescape(string).ok_or_else(|| Mistake::validation(9203, "Content has a bad escape."))?;
        if octets.is_empty() {
            whole.push(Box::from([]));
        }
        whole.extend(octets.chunks(255).map(Box::from));
    }
    check_text(Txt::from_strings(whole).ok_or_else(|| Mistake::validation(9203, "no text"))?)
}

fn check_text(txt: Txt) -> Result<String, Mistake> {
    let content = txt.to_string();
    if txt.joined().is_empty() {
        return Err(Mistake::validation(9202, "Content for TXT record must not be empty."));
    }
    if content.len() > 2_048 {
        return Err(Mistake::validation(9015, "Record content exceeds the allowed length of 2048 characters."));
    }
    Ok(content)
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => match bytes.next()? {
                first @ b'0'..=b'9' => {
                    let digits = [first, bytes.next()?, bytes.next()?];
                    octets.push(std::str::from_utf8(&digits).ok()?.parse().ok()?);
                }
                other => octets.push(other),
            },
            other => octets.push(other),
        }
    }
    Some(octets)
}

/// The content that the server makes of `data`; `None` if a field is missing, too much, or of another kind.
fn compose(parts: &[&str], data: &Value, priority: Option<u64>) -> Option<String> {
    let data = data.as_object()?;
    let inside = parts.iter().filter(|part| !part.starts_with('^')).count();
    if data.len() != inside {
        return None;
    }
    let words: Option<Vec<String>> = parts
        .iter()
        .map(|part| {
            if part.starts_with('^') {
                return Some(priority?.to_string());
            }
            let value = data.get(part.trim_start_matches(['"', '.']))?;
            Some(match (part.as_bytes().first(), value) {
                (Some(b'"'), Value::String(text)) => {
                    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
                }
                (Some(b'.'), Value::String(text)) => Name::parse(text).ok()?.to_text_without_dot(),
                // Old records have 3.0 for 3.
                (_, Value::Number(number)) => number.to_string().trim_end_matches(".0").to_owned(),
                (_, Value::String(text)) => text.clone(),
                _ => return None,
            })
        })
        .collect();
    Some(words?.join(" ").trim_end().to_owned())
}
