//! No secret is in anything that the program writes, at its most talkative and when everything fails.

use std::fs;
use std::path::Path;
use std::time::Duration;

use mailzone_emulated::Fault;

use super::each;
use super::stage::Site;

#[test]
fn nothing_shows_a_secret() {
    each(|make| {
        let domain = "spf = \"v=spf1 mx -all\"\ndmarc = { policy = \"none\" }\n";
        let runs: &[&[&str]] = &[
            &["providers", "-vv"],
            &["plan", "-vv", "--log-format", "json", "--out", "plan.json"],
            &["apply", "--yes", "-vv", "--format", "json", "--wait", "none"],
            &["history", "-vv"],
            &["lint", "-vv"],
        ];
        let faults = std::iter::once(None).chain(Fault::all(Duration::from_millis(1)).into_iter().map(Some));
        for fault in faults {
            let site = Site::new(make(), "example.test", domain, &["@ 3600 TXT \"v=spf1 mx ~all\""]);
            let secrets = site.stage.secrets();
            if let Some(fault) = fault {
                site.stage.fault_at(2, fault);
            }
            for args in runs {
                let output = site.project.run(*args);
                for (_, secret) in &secrets {
                    for text in [&output.stdout, &output.stderr] {
                        assert!(!text.contains(secret), "{} {fault:?} {args:?}:\n{text}", site.stage.name());
                    }
                }
            }
            for (_, secret) in &secrets {
                no_file_has(site.project.root(), secret.as_bytes());
            }
        }
    });
}

fn no_file_has(dir: &Path, secret: &[u8]) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            no_file_has(&path, secret);
        } else if path.extension().is_none_or(|ending| ending != "secret") {
            let octets = fs::read(&path).unwrap();
            let found = octets.windows(secret.len()).any(|window| window == secret);
            assert!(!found, "{} has a secret", path.display());
        }
    }
}
