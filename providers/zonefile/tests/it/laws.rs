//! The laws: nothing foreign is lost, whatever the zone, the changes, and the hand that wrote the file.

use std::fmt::Write as _;
use std::sync::Arc;

use async_trait::async_trait;
use mailzone_conformance::laws::Law;
use mailzone_conformance::{Harness, Stored};
use mailzone_provider::{Provider, Zone};
use mailzone_record::{Name, RRset, RRsetKey, RecordType};

use super::Files;

/// Files as people write them: names inherited, `$ORIGIN` and `$TTL` in the midst, parentheses, comments.
struct Untidy(Files);

/// Numbers that follow from the text alone.
struct Habits(u64);

impl Habits {
    fn of(text: &str) -> Self {
        let hash = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Self(text.bytes().fold(0xcbf2_9ce4_8422_2325, hash))
    }

    fn once_in(&mut self, times: u64) -> bool {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33).is_multiple_of(times)
    }
}

fn untidy(origin: &Name, text: &str) -> String {
    let mut habits = Habits::of(text);
    let (mut out, mut last, mut below, mut default) = (String::new(), String::new(), "", "");
    for (at, line) in text.lines().filter(|line| !line.trim().is_empty()).enumerate() {
        let [owner, ttl, rtype, data] = line.splitn(4, ' ').collect::<Vec<_>>().try_into().unwrap();
        if habits.once_in(6) {
            writeln!(out, "; note {at}: \"( ' \\").unwrap();
        }
        if habits.once_in(8) {
            default = ttl;
            writeln!(out, "$TTL {ttl} ; from here").unwrap();
        }
        if at > 2 && habits.once_in(8) {
            below = ["", "wild", "deep.er.and.deep.er", "_tcp", "mail"][at % 5];
            let dot = if below.is_empty() { "" } else { "." };
            writeln!(out, "$ORIGIN {below}{dot}{origin}").unwrap();
        }
        let mut spelled = owner.to_owned();
        if habits.once_in(8) {
            spelled.make_ascii_uppercase();
        }
        let inherits = owner == last && habits.once_in(2);
        let written = match owner {
            _ if inherits => String::new(),
            "@" if below.is_empty() && habits.once_in(2) => "@".into(),
            "@" => origin.to_string(),
            _ if below.is_empty() && habits.once_in(2) => spelled,
            _ => match spelled.strip_suffix(below).and_then(|rest| rest.strip_suffix('.')) {
                Some(rest) if !below.is_empty() => rest.to_owned(),
                _ if !below.is_empty() && spelled == below => "@".into(),
                _ => format!("{spelled}.{origin}"),
            },
        };
        let ttl = match ttl {
            _ if ttl == default && habits.once_in(2) => "",
            "3600" if habits.once_in(2) => "1h",
            "300" if habits.once_in(2) => "5M",
            _ => ttl,
        };
        let class = ["", "IN", "in"][usize::from(habits.once_in(2)) + usize::from(habits.once_in(3))];
        let [first, second] = if habits.once_in(2) { [ttl, class] } else { [class, ttl] };
        let rtype = if habits.once_in(5) { rtype.to_lowercase() } else { rtype.to_owned() };
        let data = match (habits.once_in(5), habits.once_in(2)) {
            (true, true) => format!("( {data} )"),
            (true, false) => format!("(\n\t\t{data} ; inside )\n\t)"),
            _ => data.to_owned(),
        };
        let tail = if habits.once_in(4) { " ; \"tail" } else { "" };
        let blank = if habits.once_in(3) { "\t" } else { " " };
        let fields: Vec<&str> = [first, second, &rtype, &data].into_iter().filter(|field| !field.is_empty()).collect();
        writeln!(out, "{written}{blank}{}{tail}", fields.join(blank)).unwrap();
        // Twice is once.
        if at > 2 && habits.once_in(10) {
            writeln!(out, "\t{}", fields.join(" ")).unwrap();
        }
        last = owner.to_owned();
        if habits.once_in(10) {
            out.push_str("\n   \n");
        }
    }
    if habits.once_in(6) {
        out = out.replace('\n', "\r\n");
    }
    if habits.once_in(6) {
        out.truncate(out.trim_end().len());
    }
    out
}

#[async_trait]
impl Harness for Untidy {
    fn provider(&self) -> Arc<dyn Provider> {
        self.0.provider()
    }

    async fn seed(&self, origin: &Name, text: &str) -> Zone {
        let zone = self.0.seed(origin, text).await;
        self.0.write(zone.id.as_str(), untidy(origin, text));
        zone
    }

    async fn edit(&self, zone: &Zone, key: &RRsetKey, after: Option<&RRset>) {
        self.0.edit(zone, key, after).await;
    }

    /// The records, and as one more the lines that belong to none.
    async fn stored(&self, zone: &Zone) -> Vec<Stored> {
        let mut stored = self.0.stored(zone).await;
        let file = self.0.read(zone.id.as_str());
        let others = file.lines().filter(|line| line.starts_with([';', '$'])).collect::<Vec<_>>().join("\n");
        stored.push(Stored { name: zone.name.clone(), rtype: RecordType(65_399), text: others });
        stored
    }
}

async fn hold(harness: &dyn Harness) {
    let tally = Law::new(harness, 64).hold().await;
    assert!(tally.written as u64 > tally.rounds && tally.stale > 0 && tally.undone > 0, "{tally:?}");
}

#[tokio::test]
async fn the_laws_hold() {
    hold(&Files::new()).await;
}

#[tokio::test]
async fn the_laws_hold_in_untidy_files() {
    hold(&Untidy(Files::new())).await;
}
