//! The checked-in corpus and 10,000 inputs made of it, for every target, with a fixed seed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends with its first surprise")]

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use mailzone_fuzz::{Options, TARGETS, run, target};

/// Each target is a test of its own, so that they run at the same time and a failure names its target.
macro_rules! tests {
    ($($name:ident)*) => {
        $(#[test] fn $name() { holds(stringify!($name)); })*

        #[test]
        fn every_target_is_tested() {
            assert_eq!(TARGETS.iter().map(|target| target.name).collect::<Vec<_>>(), [$(stringify!($name)),*]);
        }
    };
}

tests! {
    name name_wire record_type ttl rdata_text rdata_wire zone_text zone_edit
    dns_response dns_request dns_transfer dns_signed
    tag_list report_uri dkim_record dmarc report_authorisation mta_sts_record mta_sts_policy tls_rpt bimi message caa_value
    spf_record spf_evaluation dns_recording dkim_paste dkim_key private_key config
}

fn holds(name: &str) {
    let target = target(name).unwrap();
    assert!(!target.seeds().unwrap().is_empty(), "{name} has no seeds");
    let options = Options {
        inputs: 10_000,
        seed: 1,
        // A debug build is slow, and time is not what is tested here.
        longest: 2_000,
        slow: Duration::from_secs(60),
        hung: None,
    };
    let report = run(target, &options).unwrap();
    assert!(report.inputs > 10_000 || report.failure.is_some());
    if let Some(failure) = report.failure {
        panic!("{name}: {}\nwith the input `{}`", failure.what, failure.input.escape_ascii());
    }
}

/// A folder without a target is never read, and a target without a wrapper is unknown to cargo-fuzz.
#[test]
fn folders_and_wrappers_are_those_of_the_targets() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let names = |path: &Path| -> BTreeSet<String> {
        let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
        entries
            .filter(|path| path.extension().is_none_or(|end| end == "rs"))
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect()
    };
    let targets: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    assert_eq!(names(&here.join("corpus")), targets);
    assert_eq!(names(&here.join("../../fuzz/fuzz_targets")), targets);
    let manifest = std::fs::read_to_string(here.join("../../fuzz/Cargo.toml")).unwrap();
    for name in &targets {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
    }
}
