//! Zones as they are found, put into the service's own form.

use mailzone_emulated::cloudflare::Cloudflare;
use mailzone_emulated::{Backdoor, Emulator};
use mailzone_provider::{Batch, Outcome, Provider, RRsetChange};
use mailzone_record::zonefile::ZoneFile;
use mailzone_record::{Name, RecordType};

use super::{outcomes, provider, value};

/// Everything is read as it is, whatever it is; then each set of a type that can be written changes and changes back,
/// and nothing else moves.
#[tokio::test]
async fn every_set_is_read_written_and_put_back() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/zones");
    let (mut read, mut written) = (0, 0);
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "zone") {
            continue;
        }
        let text = std::fs::read(&path).unwrap();
        let whole = String::from_utf8_lossy(&text);
        let origin = whole.lines().filter_map(|line| line.strip_prefix("$ORIGIN ")).find(|name| name.trim() != ".");
        let origin = Name::parse(origin.unwrap_or("example.com.").trim()).unwrap();
        let file = ZoneFile::parse(&text, &origin).unwrap();
        for unquoted in [false, true] {
            let mut service = Cloudflare::new();
            service.seed_unquoted = unquoted;
            let zone = service.seed(&origin, &file.rrsets());
            let emulator = Emulator::start(service).await;
            let provider = provider(&emulator);
            let before = emulator.with(|service| service.stored(&zone));
            let snapshot = provider.snapshot(&zone).await.unwrap();
            let own = |name: &Name, rtype| *name == origin && matches!(rtype, RecordType::SOA | RecordType::NS);
            for set in file.rrsets().iter().filter(|set| !own(&set.name, set.rtype)) {
                let live = snapshot.get(&set.name, set.rtype);
                assert!(live.is_some_and(|live| live.same_data(set)), "{}: {set:?}\n{live:?}", path.display());
                read += 1;
            }
            for set in snapshot.rrsets() {
                let new = match set.rtype {
                    RecordType::TXT => value("TXT", "a text of ours"),
                    RecordType::MX => value("MX", "77 mail.ours.example."),
                    RecordType::CAA => value("CAA", r#"0 issue "ours.example; a=\"b\"""#),
                    RecordType::SRV => value("SRV", "7 7 7 ours.example."),
                    RecordType::TLSA => value("TLSA", "3 1 1 0707"),
                    _ => continue,
                };
                if set.protection.is_some() {
                    continue;
                }
                // One more value beside those that are there.
                let mut more = set.clone();
                more.values.push(new);
                let change = RRsetChange::new(Some(set.clone()), Some(more.clone())).unwrap();
                let back = RRsetChange::new(Some(more), Some(set.clone())).unwrap();
                if !provider.refuse(&change).is_empty() {
                    continue;
                }
                for change in [change, back] {
                    let receipt = provider.apply(&zone, &Batch { changes: vec![change] }).await.unwrap();
                    assert_eq!(outcomes(&receipt), [Outcome::Applied], "{}: {receipt:?}", path.display());
                }
                written += 1;
            }
            assert_eq!(emulator.with(|service| service.stored(&zone)), before, "{}", path.display());
            assert_eq!(provider.snapshot(&zone).await.unwrap().rrsets(), snapshot.rrsets(), "{}", path.display());
        }
    }
    assert!(read > 100 && written > 20, "{read} read, {written} written");
}
