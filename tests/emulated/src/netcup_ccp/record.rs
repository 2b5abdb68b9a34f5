use mailzone_record::{Mx, Name, Rdata, RecordType, Txt, parse_rdata_text};
use serde_json::{Value as Json, json};

/// A record in netcup's database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) id: u64,
    pub(super) hostname: String,
    pub(super) rtype: String,
    pub(super) priority: String,
    pub(super) destination: String,
}

const QUOTES: &str = "Please put quotation marks in front of a backslash. The name server automatically sets quotation \
                      marks at the beginning and end.";

/// Carries one entry of `updateDnsRecords` out, or says what is wrong with it.
pub(super) fn check(records: &mut Vec<Record>, entry: &Json, last_id: &mut u64, german: bool) -> Result<(), String> {
    let field = |name: &str| entry[name].as_str().map(str::to_owned);
    let missing = |name: &str| format!("Validation Error. The field {name} is missing.");
    let hostname = field("hostname").ok_or_else(|| missing("hostname"))?;
    let rtype = field("type").ok_or_else(|| missing("type"))?;
    let destination = field("destination").ok_or_else(|| missing("destination"))?;
    let priority = field("priority").unwrap_or_else(|| "0".to_owned());
    if hostname.is_empty() || hostname.contains(['\\', ' ']) {
        return Err(match german {
            true => "der Host darf nicht leer sein oder aus Sonderzeichen bestehen".into(),
            false => "The host must not be empty or consist of special characters.".into(),
        });
    }
    let place = match field("id").filter(|id| !id.is_empty()) {
        None => None,
        Some(id) => {
            let at = records.iter().position(|record| record.id.to_string() == id);
            Some(at.ok_or("Validation Error. The record id is not known in this zone.")?)
        }
    };
    if entry["deleterecord"] == true {
        let at = place.ok_or("Validation Error. A record without id cannot be deleted.")?;
        let verbatim = records.get(at).is_some_and(|record| {
            (&record.hostname, &record.rtype, &record.destination) == (&hostname, &rtype, &destination)
        });
        if !verbatim {
            return Err("Validation Error. The record does not match its id.".into());
        }
        records.remove(at);
        return Ok(());
    }
    // Accepted, and nothing happens.
    if rtype == "NS" {
        return Ok(());
    }
    let (priority, destination) = validate(&rtype, &priority, destination)?;
    let others = records.iter().enumerate().filter(|(at, record)| Some(*at) != place && record.hostname == hostname);
    let clash = |other: &Record| (other.rtype == "CNAME") || rtype == "CNAME";
    if others.into_iter().any(|(_, other)| clash(other)) {
        return Err("Validation Error. A CNAME cannot stand beside other records of the host.".into());
    }
    match place.and_then(|at| records.get_mut(at)) {
        Some(record) => *record = Record { id: record.id, hostname, rtype, priority, destination },
        None => {
            *last_id += 1;
            records.push(Record { id: *last_id, hostname, rtype, priority, destination });
        }
    }
    Ok(())
}

/// Priority and destination as they are stored.
fn validate(rtype: &str, priority: &str, destination: String) -> Result<(String, String), String> {
    let wrong = || format!("Validation Error. {rtype} record destination is incorrect.");
    let host = |text: &str| {
        let text = text.strip_suffix('.').unwrap_or(text);
        let good = !text.is_empty() && !text.contains([' ', '\\']) && (text == "@" || Name::parse(text).is_ok());
        if good { Ok(text.to_owned()) } else { Err(wrong()) }
    };
    let parsed = |rtype: RecordType, text: &str| parse_rdata_text(rtype, text, None).map_err(|_| wrong());
    let stored = match rtype {
        "A" => parsed(RecordType::A, &destination).map(|_| destination)?,
        "AAAA" => parsed(RecordType::AAAA, &destination).map(|_| destination)?,
        "TLSA" => parsed(RecordType::TLSA, &destination).map(|_| destination)?,
        "CNAME" => host(&destination)?,
        "MX" => {
            if destination.contains(' ') || priority.parse::<u16>().is_err() {
                return Err("MX record destination is incorrect".into());
            }
            let target = host(&destination).map_err(|_| "MX record destination is incorrect".to_owned())?;
            return Ok((priority.to_owned(), target));
        }
        "SRV" => {
            let fields: Vec<_> = destination.split(' ').collect();
            let [priority, weight, port, target] = fields.as_slice() else { return Err(wrong()) };
            if [priority, weight, port].iter().any(|number| number.parse::<u16>().is_err()) {
                return Err(wrong());
            }
            format!("{priority} {weight} {port} {}", host(target)?)
        }
        "CAA" => {
            if destination.contains(';') {
                return Err("Validation Error. CAA record destination is incorrect.".into());
            }
            parsed(RecordType::CAA, &destination).map(|_| destination)?
        }
        "TXT" => {
            if destination.contains(['"', '\\']) {
                return Err(QUOTES.into());
            }
            if destination.is_empty() || !destination.is_ascii() {
                return Err(wrong());
            }
            destination.replace('\'', "\\'")
        }
        _ => return Err(format!("Validation Error. The record type {rtype} is not supported.")),
    };
    Ok(("0".into(), stored))
}

impl Record {
    /// As the API lists it.
    pub(super) fn json(&self) -> Json {
        json!({
            "id": self.id.to_string(),
            "hostname": self.hostname,
            "type": self.rtype,
            "priority": self.priority,
            "destination": self.destination,
            "deleterecord": false,
            "state": if self.id.is_multiple_of(2) { "yes" } else { "unknown" },
        })
    }

    /// A record of the database, in the form that the web pages give it.
    #[expect(clippy::expect_used, reason = "the suite's names are in their zone")]
    pub(super) fn from_rdata(id: u64, zone: &Name, owner: &Name, rdata: &Rdata) -> Self {
        let relative = owner.without_suffix(zone).expect("an owner in the zone");
        let hostname = if relative.is_root() { "@".into() } else { relative.to_text_without_dot() };
        let (priority, destination) = match rdata {
            Rdata::Mx(mx) => (mx.preference.to_string(), mx.exchange.to_text_without_dot()),
            Rdata::Cname(target) | Rdata::Ns(target) | Rdata::Ptr(target) if target == zone => ("0".into(), "@".into()),
            Rdata::Cname(target) | Rdata::Ns(target) | Rdata::Ptr(target) => ("0".into(), target.to_text_without_dot()),
            Rdata::Srv(srv) => {
                let target = srv.target.to_text_without_dot();
                ("0".into(), format!("{} {} {} {target}", srv.priority, srv.weight, srv.port))
            }
            Rdata::Txt(txt) => {
                let text = String::from_utf8(txt.joined().into_owned()).unwrap_or_default();
                let plain = !text.is_empty() && text.is_ascii() && !text.contains(['"', '\\', '\'']);
                // What the API would not take is in the database as its name servers have it.
                let bare = plain && Txt::from_text(&text) == *txt;
                ("0".into(), if bare { text } else { txt.to_string() })
            }
            other => ("0".into(), other.to_string()),
        };
        Self { id, hostname, rtype: rdata.rtype().to_string(), priority, destination }
    }

    /// As the name servers answer.
    #[expect(clippy::expect_used, reason = "what is stored has been checked")]
    pub(super) fn served(&self, zone: &Name) -> (Name, Rdata) {
        let owner = if self.hostname == "@" { Ok(zone.clone()) } else { Name::parse_in(&self.hostname, Some(zone)) };
        let rtype: RecordType = self.rtype.parse().expect("a type");
        let target = |text: &str| if text == "@" { zone.clone() } else { Name::parse(text).expect("a target") };
        let text = &self.destination;
        let rdata = match rtype {
            RecordType::MX => {
                Rdata::Mx(Mx { preference: self.priority.parse().expect("a preference"), exchange: target(text) })
            }
            RecordType::CNAME => Rdata::Cname(target(text)),
            RecordType::NS => Rdata::Ns(target(text)),
            RecordType::PTR => Rdata::Ptr(target(text)),
            RecordType::TXT if !text.starts_with('"') => Rdata::Txt(Txt::from_text(text)),
            _ => parse_rdata_text(rtype, text, None).expect("data"),
        };
        (owner.expect("an owner"), rdata)
    }
}
