use std::fs;

use mailzone_provider::{Outcome, Provider};
use mailzone_provider_zonefile::Reload;
use mailzone_record::{RecordType, Ttl};

use super::{Files, SMALL, new_txt, provider, zone};

#[tokio::test]
async fn only_what_changes_is_written() {
    let files = Files::new();
    files.write("example.com.zone", SMALL);
    let zone = zone("example.com.zone");
    let receipt = files.provider.apply(&zone, &new_txt("_dmarc.example.com")).await.unwrap();
    assert_eq!((receipt.results[0].outcome, &receipt.results[0].note), (Outcome::Applied, &None));
    insta::assert_snapshot!(files.read("example.com.zone"), @r#"
    $TTL 3600
    @ IN SOA ns1 hostmaster 2026030300 7200 3600 1209600 300
    @ IN NS ns1
    ns1 IN A 192.0.2.53
    _dmarc IN TXT "v=DMARC1; p=none"
    "#);
    let snapshot = files.provider.snapshot(&zone).await.unwrap();
    assert_eq!(snapshot.default_ttl().map(Ttl::as_secs), Some(3600));
}

#[cfg(unix)]
#[tokio::test]
async fn mode_and_inode() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    let files = Files::new();
    let path = files.write("example.com.zone", SMALL);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let before = fs::metadata(&path).unwrap();
    let zone = zone("example.com.zone");
    files.provider.apply(&zone, &new_txt("_dmarc.example.com")).await.unwrap();
    let after = fs::metadata(&path).unwrap();
    assert_eq!(after.permissions().mode() & 0o7777, 0o640);
    assert_eq!((after.uid(), after.gid()), (before.uid(), before.gid()));
    assert_ne!(after.ino(), before.ino(), "replaced, not written over");

    files.provider.apply(&zone, &new_txt("_dmarc.example.com")).await.unwrap();
    assert_eq!(fs::metadata(&path).unwrap().ino(), after.ino(), "already: not written");
}

#[tokio::test]
async fn what_an_interrupted_run_left_is_removed() {
    let files = Files::new();
    files.write("example.com.zone", SMALL);
    files.write(".example.com.zone.AbCd1234.mailzone-tmp", "torn");
    assert_eq!(files.listed().await.len(), 1);
    files.provider.apply(&zone("example.com.zone"), &new_txt("_dmarc.example.com")).await.unwrap();
    let mut left: Vec<_> = fs::read_dir(files.dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, [".example.com.zone.lock", "example.com.zone"]);
}

#[tokio::test]
async fn soa_and_signatures_are_not_ours() {
    let files = Files::new();
    files.write("example.com.zone", SMALL);
    let zone = zone("example.com.zone");
    let soa = files.provider.snapshot(&zone).await.unwrap().get(&zone.name, RecordType::SOA).cloned();
    let change = mailzone_provider::RRsetChange::new(soa, None).unwrap();
    assert_eq!(files.provider.refuse(&change).len(), 1);
    assert!(files.provider.refuse(&new_txt("x.example.com").changes[0]).is_empty());
    let batch = mailzone_provider::Batch { changes: vec![change] };
    assert!(files.provider.apply(&zone, &batch).await.is_err());
    assert_eq!(files.read("example.com.zone"), SMALL);
}

#[cfg(unix)]
#[tokio::test]
async fn reload() {
    let files = Files::new();
    files.write("example.com.zone", SMALL);
    let zone = zone("example.com.zone");
    let log = files.path("log");
    let words = |words: &[&str]| Reload::new(words.iter().copied().map(str::to_owned).collect()).unwrap();
    let script = format!("echo reload $0 >> {}", log.display());
    let reloading = provider(files.dir.path()).with_reload(words(&["sh", "-c", &script, "{zone}"]));
    for _ in 0..2 {
        let receipt = reloading.apply(&zone, &new_txt("a.example.com")).await.unwrap();
        assert_eq!(receipt.results[0].note, None);
    }
    assert_eq!(fs::read_to_string(&log).unwrap(), "reload example.com\n", "once: the second time nothing was written");

    let failing = provider(files.dir.path()).with_reload(words(&["sh", "-c", "echo out of order; exit 7"]));
    let receipt = failing.apply(&zone, &new_txt("b.example.com")).await.unwrap();
    assert_eq!(receipt.results[0].outcome, Outcome::Applied);
    insta::assert_snapshot!(receipt.results[0].note.as_deref().unwrap_or_default(), @"the reload command sh failed (exit status: 7): out of order");
}

/// Zones as others wrote them: a change and its reversal leave the file as it was, but for the serial.
#[tokio::test]
async fn fixtures_there_and_back() {
    let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/zones");
    let mut seen = 0;
    for entry in fs::read_dir(fixtures).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "zone") {
            continue;
        }
        let text = fs::read(&path).unwrap();
        let files = Files::new();
        // What has an origin of its own says so; the others are relative.
        let origin = String::from_utf8_lossy(&text)
            .lines()
            .filter(|line| !line.trim_end().ends_with("ORIGIN ."))
            .find_map(|line| Some(line.strip_prefix("$ORIGIN")?.split_whitespace().next()?.to_lowercase()))
            .unwrap_or_else(|| "example.com.".to_owned());
        let file = format!("{origin}zone");
        files.write(&file, &text);
        let zone = zone(&file);
        let before = match files.provider.snapshot(&zone).await {
            Ok(snapshot) => snapshot,
            Err(error) => panic!("{}: {error}", path.display()),
        };
        if let (_, Some(reason)) = &files.listed().await[0] {
            assert!(reason.starts_with("the file is signed"), "{}: {reason}", path.display());
            assert!(before.rrsets().iter().any(|set| set.rtype == RecordType::RRSIG));
            continue;
        }
        let there = new_txt(&format!("zz-new.{}", zone.name));
        let back = mailzone_provider::RRsetChange::new(there.changes[0].after().cloned(), None).unwrap();
        let back = mailzone_provider::Batch { changes: vec![back] };
        for batch in [there, back] {
            let receipt = files.provider.apply(&zone, &batch).await.unwrap();
            assert_eq!(receipt.results[0].outcome, Outcome::Applied, "{}", path.display());
        }
        let after = files.provider.snapshot(&zone).await.unwrap();
        let foreign = |snapshot: &mailzone_provider::Snapshot| -> Vec<_> {
            snapshot.rrsets().iter().filter(|set| set.rtype != RecordType::SOA).cloned().collect()
        };
        assert_eq!(foreign(&before), foreign(&after), "{}", path.display());
        let new = fs::read(files.path(&file)).unwrap();
        let lines = |text: &[u8]| text.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
        let (old, new) = (lines(&text), lines(&new));
        let differing = old.iter().zip(&new).filter(|(old, new)| old != new).count();
        assert!(old.len().abs_diff(new.len()) <= 1 && differing <= 1, "{}: {differing} lines differ", path.display());
        seen += 1;
    }
    assert!(seen > 0);
}
