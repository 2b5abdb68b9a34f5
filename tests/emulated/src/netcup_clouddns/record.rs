use mailzone_record::{Mx, Name, RRset, Rdata, RecordType, Ttl, Txt, parse_rdata_text};
use serde_json::{Value as Json, json};

/// How a zone spells names and data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forms {
    /// What the apex is called.
    pub apex: Apex,
    /// What the names below it look like.
    pub owners: Owners,
    /// Whether TXT data is quoted.
    pub quoted: bool,
    /// Whether names in data end in a dot.
    pub dots: bool,
}

/// What the apex is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "`@`, nothing, or the zone's name, with a dot or without")]
pub enum Apex {
    At,
    Empty,
    Full,
    FullWithDot,
}

/// What the names below the apex look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "without the zone's name, or with it, with a dot or without")]
pub enum Owners {
    Relative,
    Full,
    FullWithDot,
}

/// A record of a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) identifier: String,
    pub(super) name: String,
    pub(super) rtype: String,
    pub(super) rdata: String,
    pub(super) ttl: u32,
    pub(super) immutable: bool,
    pub(super) forms: Forms,
}

/// What is wrong with a request.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    code: &'static str,
    message: String,
}

impl Default for Forms {
    /// `@`, relative names, bare texts, dots.
    fn default() -> Self {
        Self { apex: Apex::At, owners: Owners::Relative, quoted: false, dots: true }
    }
}

impl Fault {
    pub(super) fn new(code: &'static str, message: &str) -> Self {
        Self { code, message: message.into() }
    }

    pub(super) fn envelope(&self) -> Json {
        json!({ "success": false, "errors": [{ "code": self.code, "message": self.message }], "result": null })
    }
}

impl Record {
    /// As the API lists it.
    pub(super) fn json(&self) -> Json {
        json!({
            "identifier": self.identifier,
            "name": self.name,
            "type": self.rtype,
            "rdata": self.rdata,
            "ttl": self.ttl,
            "immutable": self.immutable,
        })
    }

    /// Whether an entry of a changeset means this record.
    pub(super) fn is(&self, entry: &Json) -> bool {
        entry["name"] == self.name.as_str()
            && entry["type"] == self.rtype.as_str()
            && entry["rdata"] == self.rdata.as_str()
            && entry["ttl"] == self.ttl
    }

    /// The record of an entry, if it is spelled as the service demands, or as it listed a record that goes.
    pub(super) fn sent(entry: &Json, gone: &[Json], zone: &Name, forms: Forms, id: String) -> Result<Self, Fault> {
        let text = |name: &str| entry[name].as_str().map(str::to_owned);
        let missing = || Fault::new("validationError", "name, type, rdata and ttl are required.");
        let (Some(name), Some(rtype), Some(rdata)) = (text("name"), text("type"), text("rdata")) else {
            return Err(missing());
        };
        let ttl = entry["ttl"].as_u64().and_then(|ttl| u32::try_from(ttl).ok()).ok_or_else(missing)?;
        if !(60..=604_800).contains(&ttl) {
            return Err(Fault::new("validationError", "The ttl is out of range."));
        }
        let record = Self { identifier: id, name, rtype, rdata, ttl, immutable: false, forms };
        let wrong = |what: &str| Fault::new("validationError", &format!("The {what} is not valid: {}", record.json()));
        let owner = record.owner(zone).ok_or_else(|| wrong("name"))?;
        if forms.owner(zone, &owner) != record.name {
            return Err(wrong("name"));
        }
        let types = ["A", "AAAA", "CAA", "CNAME", "MX", "NS", "SRV", "TLSA", "TXT"];
        let rdata =
            record.data(zone).filter(|_| types.contains(&record.rtype.as_str())).ok_or_else(|| wrong("rdata"))?;
        let quoted = record.rdata.starts_with('"');
        let bare = |text: &str| !text.is_empty() && text.is_ascii() && !text.contains(['"', '\\']);
        let good = match rdata {
            Rdata::Txt(_) if forms.quoted => quoted,
            Rdata::Txt(_) => bare(&record.rdata),
            Rdata::Cname(_) | Rdata::Mx(_) | Rdata::Ns(_) | Rdata::Srv(_) => {
                let end = record.rdata.rsplit(' ').next().unwrap_or_default();
                end == "." || end.ends_with('.') == forms.dots
            }
            _ => true,
        };
        let as_listed =
            gone.iter().any(|gone| ["name", "type", "rdata"].iter().all(|field| gone[field] == entry[field]));
        if good || as_listed { Ok(record) } else { Err(wrong("rdata")) }
    }

    /// Whether the record can stand beside these.
    pub(super) fn beside(&self, records: &[Self]) -> Result<(), Fault> {
        let same_name = || records.iter().filter(|record| record.name.eq_ignore_ascii_case(&self.name));
        if same_name().any(|record| record.rtype == self.rtype && record.rdata == self.rdata) {
            return Err(Fault::new("recordAlreadyExists", "The record exists."));
        }
        if same_name().any(|record| (record.rtype == "CNAME") || self.rtype == "CNAME") {
            return Err(Fault::new("validationError", "A CNAME stands alone."));
        }
        Ok(())
    }

    /// A record made without the API.
    pub(super) fn from_rdata(zone: &Name, set: &RRset, rdata: &Rdata, forms: Forms, identifier: String) -> Self {
        let text = match rdata {
            Rdata::Txt(txt) if !forms.quoted => {
                let text = String::from_utf8(txt.joined().into_owned()).unwrap_or_default();
                let plain = !text.is_empty() && text.is_ascii() && !text.contains(['"', '\\']);
                // What cannot be told in bare text is quoted all the same.
                if plain && Txt::from_text(&text) == *txt { text } else { txt.to_string() }
            }
            Rdata::Cname(_) | Rdata::Mx(_) | Rdata::Ns(_) | Rdata::Srv(_) | Rdata::Ptr(_) => {
                forms.target(rdata.to_string())
            }
            other => other.to_string(),
        };
        Self {
            identifier,
            name: forms.owner(zone, &set.name),
            rtype: rdata.rtype().to_string(),
            rdata: text,
            ttl: set.ttl.map_or(3600, Ttl::as_secs),
            immutable: false,
            forms,
        }
    }

    /// As the name servers answer.
    #[expect(clippy::expect_used, reason = "what is stored has been checked")]
    pub(super) fn served(&self, zone: &Name) -> (Name, Rdata) {
        (self.owner(zone).expect("an owner"), self.data(zone).expect("data"))
    }

    pub(super) fn set_serial(&mut self, number: u64) {
        let fields: Vec<&str> = self.rdata.split(' ').collect();
        if let [mname, rname, _, rest @ ..] = fields.as_slice() {
            self.rdata = format!("{mname} {rname} {} {}", 2_026_090_100 + number, rest.join(" "));
        }
    }

    fn owner(&self, zone: &Name) -> Option<Name> {
        let apex = zone.to_text_without_dot();
        match self.name.as_str() {
            "" | "@" => Some(zone.clone()),
            name if name.trim_end_matches('.').eq_ignore_ascii_case(&apex) => Some(zone.clone()),
            name if self.forms.owners == Owners::Full => Name::parse(name).ok(),
            name => Name::parse_in(name, Some(zone)).ok(),
        }
    }

    fn data(&self, zone: &Name) -> Option<Rdata> {
        let rtype: RecordType = self.rtype.parse().ok()?;
        let text = self.rdata.as_str();
        let target = |text: &str| if text == "@" { Some(zone.clone()) } else { Name::parse(text).ok() };
        match rtype {
            RecordType::TXT if !text.starts_with('"') => Some(Rdata::Txt(Txt::from_text(text))),
            RecordType::CNAME => target(text).map(Rdata::Cname),
            RecordType::NS => target(text).map(Rdata::Ns),
            RecordType::MX => {
                let (preference, exchange) = text.split_once(' ')?;
                Some(Rdata::Mx(Mx { preference: preference.parse().ok()?, exchange: target(exchange)? }))
            }
            _ => parse_rdata_text(rtype, text, None).ok(),
        }
    }
}

impl Forms {
    fn owner(self, zone: &Name, name: &Name) -> String {
        let relative = name.without_suffix(zone).unwrap_or_else(|| name.clone());
        match (relative.is_root(), self.apex, self.owners) {
            (true, Apex::At, _) => "@".into(),
            (true, Apex::Empty, _) => String::new(),
            (true, Apex::Full, _) | (false, _, Owners::Full) => name.to_text_without_dot(),
            (true, Apex::FullWithDot, _) | (false, _, Owners::FullWithDot) => name.to_string(),
            (false, _, Owners::Relative) => relative.to_text_without_dot(),
        }
    }

    fn target(self, text: String) -> String {
        match text.strip_suffix('.') {
            Some(short) if !self.dots && !short.is_empty() && !short.ends_with(' ') => short.to_owned(),
            _ => text,
        }
    }
}

/// SOA and NS of a new zone; neither can be changed.
pub(super) fn apex(zone: &Name, forms: Forms) -> Vec<Record> {
    let soa = "ns1.clouddns.example. dnsadmin.clouddns.example. 1 7200 3600 1209600 3600".to_owned();
    let servers = ["ns1.clouddns.example.", "ns2.clouddns.example."].map(|server| ("NS", forms.target(server.into())));
    let record = |(rtype, rdata): (&str, String)| Record {
        identifier: format!("apex-{rdata}"),
        name: forms.owner(zone, zone),
        rtype: rtype.into(),
        rdata,
        ttl: 3600,
        immutable: true,
        forms,
    };
    std::iter::once(("SOA", soa)).chain(servers).map(record).collect()
}

/// The records as sets.
pub(super) fn rrsets(zone: &Name, records: Option<&Vec<Record>>) -> Vec<RRset> {
    let mut sets: Vec<RRset> = Vec::new();
    for record in records.into_iter().flatten() {
        let (name, rdata) = record.served(zone);
        match sets.iter_mut().find(|set| set.name == name && set.rtype == rdata.rtype()) {
            Some(set) => set.values.push(rdata.into()),
            None => sets.push(RRset::new(name, rdata.rtype(), Ttl::from_secs(record.ttl), vec![rdata.into()])),
        }
    }
    sets
}
