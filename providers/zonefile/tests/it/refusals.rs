use std::fs;
use std::sync::Arc;

use mailzone_durable::Lock;
use mailzone_provider::{Provider, ProviderError, ProviderErrorKind, Retry};
use mailzone_record::RecordType;

use super::{Files, SMALL, new_txt, provider, zone};

/// The error as a person reads it.
fn told(files: &Files, error: &ProviderError) -> String {
    let text = format!("{}\n{error}\nremedy: {}", error.kind.as_str(), error.remedy);
    text.replace(&*files.dir.path().canonicalize().unwrap().to_string_lossy(), "DIR")
}

/// The zone is listed as read-only, and writing it is refused; its file stays as it is.
async fn refused(files: &Files, file: &str) -> String {
    let listed = files.listed().await;
    let (_, reason) = listed.iter().find(|(id, _)| id == file).expect("the zone is listed");
    let reason = reason.as_ref().expect("the zone is read-only");
    let zone = zone(file);
    let before = fs::read(files.path(file)).ok();
    let error = files.provider.apply(&zone, &new_txt(&format!("_dmarc.{}", zone.name))).await.unwrap_err();
    assert_eq!(fs::read(files.path(file)).ok(), before);
    let text = told(files, &error);
    for part in reason.split("; ") {
        assert!(text.contains(part), "{text} does not say {part}");
    }
    text
}

#[tokio::test]
async fn what_is_a_zone_says_the_listing() {
    let files = Files::new();
    for file in ["example.com.zone", "Sub.Example.COM.zone", "b\u{fc}cher.example.zone"] {
        files.write(file, SMALL);
    }
    for other in [".hidden.zone", "example.org", "a..b.zone", "example.com.zone.bak", "example.net.zone~", ".zone"] {
        files.write(other, SMALL);
    }
    fs::create_dir(files.path("directory.example.zone")).unwrap();
    let zones = files.provider.zones().await.unwrap();
    let zones: Vec<_> = zones.iter().map(|zone| format!("{} {} {:?}", zone.id, zone.name, zone.access)).collect();
    insta::assert_snapshot!(zones.join("\n"), @"
    Sub.Example.COM.zone sub.example.com. ReadWrite
    bücher.example.zone xn--bcher-kva.example. ReadWrite
    example.com.zone example.com. ReadWrite
    ");
    let error = files.provider.snapshot(&zone("directory.example.zone")).await.unwrap_err();
    insta::assert_snapshot!(told(&files, &error), @"
    configuration
    reading DIR/directory.example.zone: not a regular file
    remedy: a zone is a regular file named ORIGIN.zone
    ");
}

#[tokio::test]
async fn a_ttl_that_servers_read_differently() {
    let files = Files::new();
    let mixed = "; no default\n@ 3600 IN SOA ns1 h 1 2 3 4 5\n NS ns1\n TXT \"a\"\n 60 TXT \"b\"\nwww A 192.0.2.9\n";
    files.write("example.com.zone", mixed);
    insta::assert_snapshot!(refused(&files, "example.com.zone").await, @"
    refused
    writing DIR/example.com.zone: www.example.com. has no TTL of its own, and name servers read the lines above it differently
    remedy: put a `$TTL` line at the top of the file, with the TTL meant for records that give none
    ");
    files.write("example.com.zone", format!("; a default\n\n$origin example.com.\n$ttl 300\n{mixed}"));
    assert_eq!(files.listed().await, [("example.com.zone".to_owned(), None)]);
}

#[tokio::test]
async fn an_identifier_leads_nowhere_else() {
    let files = Files::new();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("example.com.zone"), SMALL).unwrap();
    files.write("example.com.zone", SMALL);
    let there = outside.path().join("example.com.zone").to_string_lossy().into_owned();
    for id in ["../example.com.zone", &there, "x/../example.com.zone", "example.com", "", "example.org.zone"] {
        let mut zone = zone("example.com.zone");
        zone.id = mailzone_provider::ZoneId::new(id);
        let error = files.provider.snapshot(&zone).await.unwrap_err();
        assert!(matches!(error.kind, ProviderErrorKind::NoZone(_)), "{id}: {error}");
    }
}

#[tokio::test]
async fn directories_that_are_none() {
    let files = Files::new();
    let file = files.write("file", "");
    for (path, expected) in [
        (file.clone(), "configuration listing DIR/file: this is a file, not a directory"),
        (file.join("zones"), "configuration listing DIR/file/zones: a part of the path is a file, not a directory"),
        (files.path("missing"), "configuration listing DIR/missing: no such directory"),
    ] {
        let provider = provider(&path);
        let listing = provider.zones().await.unwrap_err();
        let text = format!("{} {listing}", listing.kind.as_str());
        assert_eq!(text.replace(&*files.dir.path().to_string_lossy(), "DIR"), expected);
        assert_eq!(listing.remedy, "name an existing directory of ORIGIN.zone files as the provider's `directory`");
        assert!(provider.snapshot(&zone("example.com.zone")).await.is_err());
    }
}

#[tokio::test]
async fn a_broken_zone_file() {
    let files = Files::new();
    let broken = format!("{SMALL}www IN A 192.0.2\n$INCLUDE other\nx IN TXT \"open\nmx IN MX \u{1b}[31m ten mail\n");
    files.write("example.com.zone", &broken);
    let zone = zone("example.com.zone");
    let error = files.provider.snapshot(&zone).await.unwrap_err();
    assert_eq!(error.blame(), mailzone_provider::Blame::Service);
    insta::assert_snapshot!(told(&files, &error), @r#"
    protocol
    reading DIR/example.com.zone: line 5, column 10: A data: not an IPv4 address
      5 | www IN A 192.0.2
    line 6, column 1: $INCLUDE is not supported
      6 | $INCLUDE other
    line 7, column 10: a quoted string that is not closed on its line
      7 | x IN TXT "open
    line 8, column 10: MX data: the preference is no number, or too large
      8 | mx IN MX \u{1b}[31m ten mail
    remedy: correct the data of this A record; put the records of the included file into this one; close it with `"`; a long text goes into several strings in parentheses; correct the data of this MX record
    "#);
    let error = files.provider.apply(&zone, &new_txt("_dmarc.example.com")).await.unwrap_err();
    assert!(matches!(error.kind, ProviderErrorKind::Protocol(_)), "{error}");
    assert_eq!(files.read("example.com.zone"), broken);
}

#[tokio::test]
async fn a_signed_file() {
    let files = Files::new();
    let rrsig = "www IN RRSIG A 13 3 3600 20260301000000 20260201000000 12345 example.com. AAAA\n";
    files.write("example.com.zone", format!("{SMALL}{rrsig}"));
    files.write("other.example.zone", format!("{SMALL}; no RRSIG here\nx IN TXT \"RRSIG\" \"TYPE46\"\n"));
    assert_eq!(files.listed().await[1], ("other.example.zone".into(), None));
    insta::assert_snapshot!(refused(&files, "example.com.zone").await, @"
    refused
    writing DIR/example.com.zone: the file is signed: it has RRSIG records, which a change would break
    remedy: let the name server sign (inline signing) and keep the unsigned file here, or use the rfc2136 provider
    ");
    let snapshot = files.provider.snapshot(&zone("example.com.zone")).await.unwrap();
    assert!(snapshot.rrsets().iter().any(|set| set.rtype == RecordType::RRSIG));
}

#[tokio::test]
async fn a_journal() {
    for journal in ["example.com.zone.jnl", "example.com.jnl"] {
        let files = Files::new();
        files.write("example.com.zone", SMALL);
        files.write(journal, "");
        let text = refused(&files, "example.com.zone").await;
        if journal == "example.com.jnl" {
            insta::assert_snapshot!(text, @"
            refused
            writing DIR/example.com.zone: a name server updates this zone itself: there is a journal, DIR/example.com.jnl
            remedy: use the rfc2136 provider; or run `rndc freeze`, remove the journal if it is still there, and `rndc thaw` after
            ");
        }
        assert!(files.provider.snapshot(&zone("example.com.zone")).await.is_ok());
    }
}

#[tokio::test]
async fn two_files_for_one_zone() {
    let files = Files::new();
    files.write("xn--bcher-kva.example.zone", SMALL);
    files.write("B\u{fc}cher.example.zone", SMALL);
    insta::assert_snapshot!(refused(&files, "xn--bcher-kva.example.zone").await, @"
    refused
    writing DIR/xn--bcher-kva.example.zone: two files are the zone xn--bcher-kva.example: Bücher.example.zone and xn--bcher-kva.example.zone
    remedy: keep one of them
    ");
    refused(&files, "B\u{fc}cher.example.zone").await;
}

#[tokio::test]
async fn a_lock_that_is_held() {
    let files = Files::new();
    files.write("example.com.zone", SMALL);
    let zone = zone("example.com.zone");
    let held = Lock::try_acquire(&files.path(".example.com.zone.lock")).unwrap();
    let error = files.provider.apply(&zone, &new_txt("_dmarc.example.com")).await.unwrap_err();
    assert!(matches!(error.kind, ProviderErrorKind::Conflict(_)));
    assert_eq!(error.retry, Retry::Later);
    insta::assert_snapshot!(told(&files, &error), @"
    refused
    writing DIR/example.com.zone: another run holds DIR/.example.com.zone.lock
    remedy: wait until it has ended, then try again
    ");
    assert!(files.provider.snapshot(&zone).await.is_ok(), "reading needs no lock");
    assert_eq!(files.read("example.com.zone"), SMALL);
    drop(held);
    files.provider.apply(&zone, &new_txt("_dmarc.example.com")).await.unwrap();
    assert_eq!(files.listed().await.len(), 1, "the lock is no zone");
}

/// Of many at once each either writes whole or says that another holds the lock.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once() {
    let files = Arc::new(Files::new());
    files.write("example.com.zone", SMALL);
    let tasks: Vec<_> = (0..16)
        .map(|i| {
            let files = Arc::clone(&files);
            tokio::spawn(async move {
                let batch = new_txt(&format!("n{i}.example.com"));
                files.provider.apply(&zone("example.com.zone"), &batch).await
            })
        })
        .collect();
    let mut written = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => written += 1,
            Err(error) => assert!(matches!(error.kind, ProviderErrorKind::Conflict(_)), "{error}"),
        }
    }
    let snapshot = files.provider.snapshot(&zone("example.com.zone")).await.unwrap();
    let found = snapshot.rrsets().iter().filter(|set| set.rtype == RecordType::TXT).count();
    assert!(written > 0);
    assert_eq!(found, written);
}

#[cfg(unix)]
mod links {
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use super::*;

    #[tokio::test]
    async fn a_link_that_stays_is_followed() {
        let files = Files::new();
        fs::create_dir(files.path("masters")).unwrap();
        files.write("masters/com.example", SMALL);
        symlink("masters/com.example", files.path("example.com.zone")).unwrap();
        assert_eq!(files.listed().await, [("example.com.zone".into(), None)]);
        files.provider.apply(&zone("example.com.zone"), &new_txt("_dmarc.example.com")).await.unwrap();
        assert!(files.path("example.com.zone").is_symlink());
        assert!(files.read("masters/com.example").contains("_dmarc"));
    }

    #[tokio::test]
    async fn links_that_do_not() {
        let files = Files::new();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("x.zone"), SMALL).unwrap();
        symlink(outside.path().join("x.zone"), files.path("out.example.zone")).unwrap();
        symlink("nowhere.txt", files.path("dangling.example.zone")).unwrap();
        symlink("loop.example.zone", files.path("loop.example.zone")).unwrap();
        let out = refused(&files, "out.example.zone").await;
        let out = out.replace(&*outside.path().canonicalize().unwrap().to_string_lossy(), "OUT");
        insta::assert_snapshot!(out, @"
        refused
        writing DIR/out.example.zone: a symbolic link out of the directory, to OUT/x.zone
        remedy: put the file itself into the directory, or name the directory that it is in
        ");
        insta::assert_snapshot!(refused(&files, "dangling.example.zone").await, @"
        refused
        writing DIR/dangling.example.zone: a dangling symbolic link to nowhere.txt
        remedy: make the link lead to a zone file in the same directory, or remove it
        ");
        refused(&files, "loop.example.zone").await;
        for file in ["out.example.zone", "dangling.example.zone", "loop.example.zone"] {
            let error = files.provider.snapshot(&zone(file)).await.unwrap_err();
            assert!(matches!(error.kind, ProviderErrorKind::Refused(_)), "{error}");
        }
    }

    #[tokio::test]
    async fn one_file_for_two_zones() {
        let files = Files::new();
        files.write("a.example.zone", SMALL);
        symlink("a.example.zone", files.path("b.example.zone")).unwrap();
        insta::assert_snapshot!(refused(&files, "a.example.zone").await, @"
        refused
        writing DIR/a.example.zone: a.example.zone and b.example.zone are the same file
        remedy: give each zone a file of its own
        ");
        refused(&files, "b.example.zone").await;
    }

    #[tokio::test]
    async fn hard_links() {
        let files = Files::new();
        files.write("example.com.zone", SMALL);
        fs::hard_link(files.path("example.com.zone"), files.path("elsewhere")).unwrap();
        insta::assert_snapshot!(refused(&files, "example.com.zone").await, @"
        refused
        writing DIR/example.com.zone: 2 hard links lead to the file, and replacing it would part them
        remedy: make it a file of its own: copy it and move the copy over it
        ");
        assert!(files.provider.snapshot(&zone("example.com.zone")).await.is_ok());
    }

    /// Opening a FIFO waits for a writer who never comes.
    #[tokio::test]
    async fn a_fifo_holds_nobody_up() {
        let files = Files::new();
        for fifo in ["fifo.example.zone", "hidden"] {
            assert!(Command::new("mkfifo").arg(files.path(fifo)).status().unwrap().success());
        }
        symlink("hidden", files.path("link.example.zone")).unwrap();
        files.write("example.com.zone", SMALL);
        assert_eq!(files.listed().await, [("example.com.zone".into(), None)]);
        for file in ["fifo.example.zone", "link.example.zone"] {
            let error = files.provider.snapshot(&zone(file)).await.unwrap_err();
            assert!(matches!(error.kind, ProviderErrorKind::Configuration(_)), "{error}");
            assert!(files.provider.apply(&zone(file), &new_txt("x.example")).await.is_err());
        }
    }
}
