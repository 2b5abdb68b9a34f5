//! The zone-file provider on real files: the conformance suite, what it refuses, and that it loses nothing.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test throughout")]

mod conformance;
mod laws;
mod lines;
mod refusals;
mod writing;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mailzone_provider::{Access, Batch, Provider, ProviderId, RRsetChange, Zone, ZoneId};
use mailzone_provider_zonefile::{Today, ZoneFileProvider};
use mailzone_record::{Name, RRset, RecordType, Ttl, Value, parse_rdata_text};
use tempfile::TempDir;

/// A directory of zone files and the provider of it.
struct Files {
    dir: TempDir,
    provider: Arc<ZoneFileProvider>,
}

impl Files {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let provider = Arc::new(provider(dir.path()));
        Self { dir, provider }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    fn write(&self, file: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(file);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.path(file)).unwrap()
    }

    /// The zones by file name, and why they are read-only.
    async fn listed(&self) -> Vec<(String, Option<String>)> {
        let zones = self.provider.zones().await.unwrap();
        let access = |zone: &Zone| match &zone.access {
            Access::ReadWrite => None,
            Access::ReadOnly { reason, remedy } => {
                Some(format!("{reason}; {remedy}").replace(&*self.dir.path().to_string_lossy(), "DIR"))
            }
        };
        zones.iter().map(|zone| (zone.id.to_string(), access(zone))).collect()
    }
}

fn provider(directory: &Path) -> ZoneFileProvider {
    let today: Today = Arc::new(|| (2026, 3, 3));
    ZoneFileProvider::new(ProviderId::new("files"), directory.to_owned(), today)
}

fn zone(file: &str) -> Zone {
    let origin = file.strip_suffix(".zone").unwrap_or(file);
    let name = Name::parse_idn(&origin.to_lowercase()).unwrap();
    Zone { id: ZoneId::new(file), name, access: Access::ReadWrite, nameservers: Vec::new() }
}

fn rrset(name: &str, rtype: RecordType, ttl: u32, values: &[&str]) -> RRset {
    let value = |text: &&str| Value::from(parse_rdata_text(rtype, text, None).unwrap());
    RRset::new(Name::parse(name).unwrap(), rtype, Ttl::from_secs(ttl), values.iter().map(value).collect())
}

/// One new TXT set.
fn new_txt(name: &str) -> Batch {
    let after = rrset(name, RecordType::TXT, 3600, &["\"v=DMARC1; p=none\""]);
    Batch { changes: vec![RRsetChange::new(None, Some(after)).unwrap()] }
}

const SMALL: &str = "\
$TTL 3600
@ IN SOA ns1 hostmaster 2026010100 7200 3600 1209600 300
@ IN NS ns1
ns1 IN A 192.0.2.53
";
