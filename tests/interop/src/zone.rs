use mailzone_record::{Name, RRset, RecordType, Ttl, parse_rdata_text};
use mailzone_server::Zone;

/// A zone as lines `owner TTL type data`, all names absolute.
#[derive(Debug, Clone, Copy)]
pub struct ZoneText {
    /// The zone's name.
    pub apex: &'static str,
    /// Its records.
    pub lines: &'static str,
}

/// The name, which has to be one.
pub fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

impl ZoneText {
    /// The zone for our server.
    pub fn zone(&self) -> Zone {
        let rrsets = self.records().map(|[owner, ttl, rtype, data]| {
            let rtype: RecordType = rtype.parse().unwrap();
            let rdata = parse_rdata_text(rtype, data, None).unwrap();
            RRset::new(name(owner), rtype, Some(Ttl::parse(ttl).unwrap()), vec![rdata.into()])
        });
        Zone::new(name(self.apex), rrsets.collect(), Ttl::MAX).unwrap()
    }

    /// The zone file for others.
    pub fn file(&self) -> String {
        self.records().map(|[owner, ttl, rtype, data]| format!("{owner} {ttl} IN {rtype} {data}\n")).collect()
    }

    /// The owner names, each once.
    pub fn owners(&self) -> Vec<Name> {
        let mut owners: Vec<_> = self.records().map(|[owner, ..]| name(owner)).collect();
        owners.sort();
        owners.dedup();
        owners
    }

    fn records(&self) -> impl Iterator<Item = [&'static str; 4]> {
        let lines = self.lines.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.map(|line| line.splitn(4, ' ').collect::<Vec<_>>().try_into().unwrap())
    }
}
