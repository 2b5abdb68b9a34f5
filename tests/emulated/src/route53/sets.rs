//! Record sets as the service stores them, and its spelling of names and values.

use mailzone_record::{Name, Opaque, RRset, Rdata, RecordType, Ttl, Value, parse_rdata_text};

/// A record set, values exactly as they were sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordSet {
    /// In lower case.
    pub name: Name,
    /// Also types that the service does not have, if they were seeded.
    pub rtype: RecordType,
    /// None on an alias.
    pub ttl: Option<u32>,
    /// None on an alias.
    pub values: Vec<String>,
    /// What makes it more than a plain set.
    pub routing: Option<Routing>,
}

/// What makes a set more than a plain one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the service's")]
pub enum Routing {
    Alias { target: String },
    Weighted { identifier: String, weight: u8 },
    Latency { identifier: String, region: String },
    Failover { identifier: String, role: String },
    Geo { identifier: String, country: String },
    GeoProximity { identifier: String, region: String },
    Cidr { identifier: String, collection: String, location: String },
    Multivalue { identifier: String, health_check: String },
    HealthCheck { id: String },
    TrafficPolicy { instance: String },
}

impl RecordSet {
    /// A plain set as somebody would have sent it.
    pub fn plain(set: &RRset) -> Self {
        Self {
            name: set.name.to_lowercase(),
            rtype: set.rtype,
            ttl: Some(set.ttl.map_or(3600, Ttl::as_secs)),
            values: set.values.iter().map(|value| value_text(&value.rdata)).collect(),
            routing: None,
        }
    }

    /// As the service's name servers answer it; `None` if there is nothing that can be sent.
    pub(super) fn served(&self) -> Option<RRset> {
        let data = |text: &String| Some(read_value(self.rtype, text)?).filter(|rdata| rdata.to_wire().is_some());
        let values: Vec<Value> = self.values.iter().filter_map(data).map(Value::from).collect();
        let ttl = Ttl::from_secs(self.ttl.unwrap_or(60));
        (!values.is_empty()).then(|| RRset::new(self.name.clone(), self.rtype, ttl, values))
    }

    pub(super) fn identifier(&self) -> Option<&str> {
        match self.routing.as_ref()? {
            Routing::Weighted { identifier, .. }
            | Routing::Latency { identifier, .. }
            | Routing::Failover { identifier, .. }
            | Routing::Geo { identifier, .. }
            | Routing::GeoProximity { identifier, .. }
            | Routing::Cidr { identifier, .. }
            | Routing::Multivalue { identifier, .. } => Some(identifier),
            Routing::Alias { .. } | Routing::HealthCheck { .. } | Routing::TrafficPolicy { .. } => None,
        }
    }

    /// What a listing is sorted by and continued from.
    pub(super) fn position(&self) -> (Name, String, String) {
        (self.name.clone(), self.rtype.to_string(), self.identifier().unwrap_or_default().to_owned())
    }

    /// The element of a listing.
    pub(super) fn xml(&self) -> String {
        let mut xml = String::from("<ResourceRecordSet>");
        xml.push_str(&element("Name", &name_text(&self.name)));
        xml.push_str(&element("Type", &self.rtype.to_string()));
        if let Some(identifier) = self.identifier() {
            xml.push_str(&element("SetIdentifier", identifier));
        }
        match &self.routing {
            Some(Routing::Weighted { weight, .. }) => xml.push_str(&element("Weight", &weight.to_string())),
            Some(Routing::Latency { region, .. }) => xml.push_str(&element("Region", region)),
            Some(Routing::Failover { role, .. }) => xml.push_str(&element("Failover", role)),
            Some(Routing::Multivalue { .. }) => xml.push_str(&element("MultiValueAnswer", "true")),
            Some(Routing::Geo { country, .. }) => {
                xml.push_str(&format!("<GeoLocation><CountryCode>{country}</CountryCode></GeoLocation>"));
            }
            _ => {}
        }
        if let Some(ttl) = self.ttl {
            xml.push_str(&format!("<TTL>{ttl}</TTL>"));
        }
        if !self.values.is_empty() {
            let value = |text: &String| format!("<ResourceRecord><Value>{}</Value></ResourceRecord>", escape(text));
            let values: String = self.values.iter().map(value).collect();
            xml.push_str(&format!("<ResourceRecords>{values}</ResourceRecords>"));
        }
        match &self.routing {
            Some(Routing::Alias { target }) => xml.push_str(&format!(
                "<AliasTarget><HostedZoneId>Z2FDTNDATAQYW2</HostedZoneId><DNSName>{}</DNSName>\
                 <EvaluateTargetHealth>false</EvaluateTargetHealth></AliasTarget>",
                escape(target)
            )),
            Some(Routing::HealthCheck { id } | Routing::Multivalue { health_check: id, .. }) => {
                xml.push_str(&element("HealthCheckId", id));
            }
            Some(Routing::TrafficPolicy { instance }) => {
                xml.push_str(&element("TrafficPolicyInstanceId", instance));
            }
            Some(Routing::Cidr { collection, location, .. }) => xml.push_str(&format!(
                "<CidrRoutingConfig><CollectionId>{collection}</CollectionId><LocationName>{location}</LocationName>\
                 </CidrRoutingConfig>"
            )),
            Some(Routing::GeoProximity { region, .. }) => xml.push_str(&format!(
                "<GeoProximityLocation><AWSRegion>{region}</AWSRegion><Bias>0</Bias></GeoProximityLocation>"
            )),
            _ => {}
        }
        xml.push_str("</ResourceRecordSet>");
        xml
    }
}

/// An element with a text.
pub(super) fn element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(text))
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A name as the service returns it: everything but a–z, 0–9, `-` and `_` in octal.
pub(super) fn name_text(name: &Name) -> String {
    let mut text = String::new();
    for label in name.to_lowercase().labels() {
        for &octet in label {
            match octet {
                b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => text.push(char::from(octet)),
                _ => text.push_str(&format!("\\{octet:03o}")),
            }
        }
        text.push('.');
    }
    text
}

/// A name as clients send it: escapes in octal, the closing dot optional.
pub(super) fn read_name(text: &str) -> Option<Name> {
    Name::parse(&from_octal(text)?).ok().map(|name| name.to_lowercase())
}

/// The data of a value; `None` if the service would refuse it.
pub(super) fn read_value(rtype: RecordType, text: &str) -> Option<Rdata> {
    let rdata = parse_rdata_text(rtype, &from_octal(text)?, None).ok()?;
    (!matches!(rdata, Rdata::Opaque(Opaque::Text { .. }))).then_some(rdata)
}

/// A value as a careful client sends it.
fn value_text(rdata: &Rdata) -> String {
    let decimal = rdata.to_string();
    let mut text = String::new();
    let mut rest = decimal.chars();
    while let Some(c) = rest.next() {
        text.push(c);
        if c != '\\' {
            continue;
        }
        let Some(next) = rest.next() else { break };
        match next.to_digit(10) {
            Some(hundreds) => {
                let mut digit = || rest.next().and_then(|c| c.to_digit(10)).unwrap_or_default();
                let number = hundreds * 100 + digit() * 10 + digit();
                text.push_str(&format!("{number:03o}"));
            }
            None => text.push(next),
        }
    }
    text
}

/// Octal escapes become decimal ones; `None` where a backslash is followed by a digit and no octal number.
fn from_octal(text: &str) -> Option<String> {
    let mut decimal = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        decimal.push(c);
        if c != '\\' {
            continue;
        }
        let next = rest.next()?;
        if !next.is_ascii_digit() {
            decimal.push(next);
            continue;
        }
        let digits = [next, rest.next()?, rest.next()?];
        let number = digits.iter().try_fold(0, |sum, digit| Some(sum * 8 + digit.to_digit(8)?))?;
        decimal.push_str(&format!("{number:03}"));
    }
    Some(decimal)
}
