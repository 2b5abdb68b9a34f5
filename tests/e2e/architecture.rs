//! The rules of `ARCHITECTURE.md`, held by the manifests, the lock file, the sources and the pages.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends with its first surprise")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Which crate of the workspace may import which, and which else in its tests. A new crate needs a line.
const EDGES: &[(&str, &[&str], &[&str])] = &[
    ("record", &[], &[]),
    ("provider", &["record"], &[]),
    ("mailauth", &["record"], &[]),
    ("audit", &["record", "mailauth"], &[]),
    ("observe", &["record", "mailauth", "wire", "probe", "audit"], &["server"]),
    ("config", &["record", "mailauth"], &[]),
    ("plan", &["record", "provider", "mailauth"], &[]),
    ("wire", &["record"], &[]),
    ("server", &["record", "wire"], &[]),
    ("probe", &["record", "wire"], &["server"]),
    ("durable", &[], &[]),
    ("keys", &["mailauth", "durable"], &[]),
    ("http", &["provider"], &[]),
    (
        "engine",
        &["record", "provider", "mailauth", "config", "plan", "probe", "durable", "audit", "observe"],
        &["server", "wire", "provider-zonefile"],
    ),
    ("report", &["record", "plan", "mailauth"], &[]),
    ("provider-zonefile", &["record", "provider", "durable"], &[]),
    ("provider-rfc2136", &["record", "provider", "wire"], &["server"]),
    ("provider-cloudflare", &["record", "provider", "http"], &[]),
    ("provider-ionos", &["record", "provider", "http"], &[]),
    ("provider-netcup", &["record", "provider", "http"], &[]),
    ("provider-route53", &["record", "provider", "http"], &[]),
];

/// The crate that imports all others, and that nobody imports.
const TOP: &str = "mailzone";

/// Crates that only tests import; they import what they like.
const FOR_TESTS: &[&str] = &["mailzone-conformance", "mailzone-emulated", "mailzone-fuzz", "mailzone-interop"];

/// Crates that do nothing but compute.
const PURE: &[&str] = &["record", "mailauth", "audit", "plan", "report", "config"];

/// Second crypto and TLS libraries, second runtimes, and what the DNS library's own client would bring.
const BANNED: &[&str] = &["openssl", "openssl-sys", "native-tls", "hickory-client", "hickory-resolver", "async-std"];

/// No source file is longer: one that is holds two things.
const LINES: usize = 800;

#[test]
fn dependencies_point_one_way() {
    let mut wrong = Vec::new();
    for package in &packages() {
        let Some((dependencies, more_in_tests)) = allowed(&package.name) else {
            if package.name != TOP && !FOR_TESTS.contains(&package.name.as_str()) {
                wrong.push(format!("{} has no line in the table of edges", package.name));
            }
            continue;
        };
        for dependency in package.dependencies.iter().filter(|dependency| dependency.name.starts_with(TOP)) {
            let short = dependency.name.strip_prefix("mailzone-");
            let may = |list: &[&str]| short.is_some_and(|short| list.contains(&short));
            let in_tests = dependency.is_dev && (may(more_in_tests) || FOR_TESTS.contains(&dependency.name.as_str()));
            if !may(dependencies) && !in_tests {
                wrong.push(format!("{} imports {}", package.name, dependency.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn nobody_imports_the_program_or_the_test_crates() {
    let mut wrong = Vec::new();
    for package in &packages() {
        for dependency in &package.dependencies {
            let for_tests = FOR_TESTS.contains(&dependency.name.as_str());
            let importer_is_for_tests = FOR_TESTS.contains(&package.name.as_str());
            if dependency.name == TOP || (for_tests && !dependency.is_dev && !importer_is_for_tests) {
                wrong.push(format!("{} imports {}", package.name, dependency.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The table names crates that exist: a line that is left over would allow what nobody thought of.
#[test]
fn every_line_of_the_table_is_a_crate() {
    let names: BTreeSet<String> = packages().into_iter().map(|package| package.name).collect();
    for (name, ..) in EDGES {
        assert!(names.contains(&format!("mailzone-{name}")), "no crate mailzone-{name}");
    }
}

#[test]
fn one_crate_uses_the_dns_library() {
    for package in &packages() {
        for dependency in package.dependencies.iter().filter(|dependency| dependency.name.starts_with("hickory")) {
            assert_eq!((package.name.as_str(), dependency.name.as_str()), ("mailzone-wire", "hickory-proto"));
            // Its other features bring crypto libraries, among them `ring`.
            let features = ["std", "dnssec-aws-lc-rs"].map(str::to_owned);
            assert_eq!((dependency.default_features, dependency.features.as_slice()), (false, &features[..]));
        }
    }
}

#[test]
fn pure_crates_have_no_runtime() {
    let mut wrong = Vec::new();
    for package in &packages() {
        let short = package.name.strip_prefix("mailzone-").unwrap_or_default();
        if !PURE.contains(&short) {
            continue;
        }
        for dependency in package.dependencies.iter().filter(|dependency| !dependency.is_dev) {
            let name = dependency.name.as_str();
            if ["tokio", "async-trait", "mio", "futures", "smol"].iter().any(|runtime| name.starts_with(runtime)) {
                wrong.push(format!("{} imports {name}", package.name));
            }
        }
        for (file, text) in sources(&package.directory) {
            if text.contains("async fn") || text.contains(".await") || text.contains("async move") {
                wrong.push(format!("{} is asynchronous", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_the_program_reads_the_environment() {
    let mut wrong = Vec::new();
    for package in packages().iter().filter(|package| package.name.starts_with("mailzone-")) {
        if FOR_TESTS.contains(&package.name.as_str()) {
            continue;
        }
        for (file, text) in sources(&package.directory) {
            let reads = ["std::env", " env::", "(env::", "::home_dir"].iter().any(|word| text.contains(word));
            // The crash points, which no released program has.
            let crash_points = package.name == "mailzone-durable" && file.ends_with("step.rs");
            if crash_points {
                let first = text.find("std::env").unwrap_or(0);
                let feature = text.find("#[cfg(feature = \"crash-points\")]\nmod crash_points {").unwrap_or(usize::MAX);
                assert!(feature < first, "{} reads the environment without the feature", file.display());
            } else if reads {
                wrong.push(file);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_crate_has_the_workspace_lints_and_a_description() {
    let root = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(root.contains("\nunsafe_code = \"forbid\"\n"));
    for package in &packages() {
        let manifest = fs::read_to_string(package.directory.join("Cargo.toml")).unwrap();
        assert!(manifest.contains("\n[lints]\nworkspace = true\n"), "{} has lints of its own", package.name);
        assert!(package.json["description"].as_str().is_some_and(|text| !text.is_empty()), "{}", package.name);
        assert_eq!(package.json["license"], "MIT OR Apache-2.0", "{}", package.name);
    }
}

#[test]
fn banned_crates_are_not_in_the_lock_file() {
    let locked = locked();
    for banned in BANNED {
        assert!(!locked.iter().any(|package| package.name == *banned), "{banned} is in Cargo.lock");
    }
    for package in locked.iter().filter(|package| package.name == "rustls") {
        let old = (0..23).any(|minor| package.version.starts_with(&format!("0.{minor}.")));
        assert!(!old, "rustls {} is in Cargo.lock", package.version);
    }
    // Cargo also locks an optional dependency that a feature of its owner merely mentions (`ring?/std`). What counts is
    // what is built, on whichever system.
    let mut command = Command::new(env!("CARGO"));
    command.args(["tree", "--workspace", "--locked", "--offline", "--prefix", "none"]);
    command.args(["--edges", "normal,build,dev", "--format", "{p}"]).current_dir(root());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(tree.lines().any(|line| line.starts_with("aws-lc-rs v")));
    let ring: Vec<&str> = tree.lines().filter(|line| line.starts_with("ring v")).collect();
    assert!(ring.is_empty(), "{ring:?}");
}

#[test]
fn files_are_short() {
    let mut long = Vec::new();
    for package in packages().iter().filter(|package| !FOR_TESTS.contains(&package.name.as_str())) {
        for file in files(&package.directory.join("src"), "rs") {
            let lines = fs::read_to_string(&file).unwrap().lines().count();
            if lines > LINES {
                long.push(format!("{}: {lines} lines", file.display()));
            }
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn links_between_pages_lead_somewhere() {
    let mut broken = Vec::new();
    for page in files(&root(), "md") {
        let text = fs::read_to_string(&page).unwrap();
        for link in links(&text) {
            let target = link.split('#').next().unwrap_or_default();
            if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            if !page.parent().unwrap().join(target).exists() {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Findings send their readers to pages of the manual.
#[test]
fn pages_that_messages_name_exist() {
    let mut named = 0;
    for package in &packages() {
        for (file, text) in sources(&package.directory) {
            for page in text.split("\"docs/").skip(1).filter_map(|rest| rest.split('"').next()) {
                named += 1;
                assert!(root().join("docs").join(page).is_file(), "{} names docs/{page}", file.display());
            }
        }
    }
    assert!(named > 0);
}

#[test]
fn every_page_is_in_the_table_of_contents() {
    let docs = root().join("docs");
    let contents = docs.join("README.md");
    let text = fs::read_to_string(&contents).unwrap();
    let listed: BTreeSet<PathBuf> = links(&text).filter_map(|link| docs.join(link).canonicalize().ok()).collect();
    for page in files(&docs, "md").into_iter().filter(|page| *page != contents) {
        assert!(listed.contains(&page.canonicalize().unwrap()), "{} is not in docs/README.md", page.display());
    }
}

struct Package {
    name: String,
    directory: PathBuf,
    dependencies: Vec<Dependency>,
    json: Value,
}

struct Dependency {
    name: String,
    is_dev: bool,
    default_features: bool,
    features: Vec<String>,
}

struct Locked {
    name: String,
    version: String,
}

fn allowed(name: &str) -> Option<(&'static [&'static str], &'static [&'static str])> {
    let short = name.strip_prefix("mailzone-")?;
    EDGES.iter().find(|(crate_name, ..)| *crate_name == short).map(|(_, dependencies, dev)| (*dependencies, *dev))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The packages of the workspace with what their manifests say; nothing is resolved, so nothing is fetched.
fn packages() -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages: Vec<Package> = metadata["packages"].as_array().unwrap().iter().map(package).collect();
    assert!(packages.len() > EDGES.len());
    packages
}

fn package(json: &Value) -> Package {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let dependencies = json["dependencies"].as_array().unwrap().iter().map(|dependency| Dependency {
        name: text(&dependency["name"]),
        is_dev: dependency["kind"] == "dev",
        default_features: dependency["uses_default_features"] == true,
        features: dependency["features"].as_array().unwrap().iter().map(text).collect(),
    });
    Package {
        name: text(&json["name"]),
        directory: PathBuf::from(text(&json["manifest_path"])).parent().unwrap().to_owned(),
        dependencies: dependencies.collect(),
        json: json.clone(),
    }
}

fn locked() -> Vec<Locked> {
    let text = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let packages = text.split("[[package]]").skip(1).map(|package| {
        let mut fields: BTreeMap<&str, String> = BTreeMap::new();
        for (key, value) in package.lines().filter_map(|line| line.split_once(" = ")) {
            fields.insert(key, value.trim_matches('"').to_owned());
        }
        let mut take = |key: &str| fields.remove(key).unwrap();
        Locked { name: take("name"), version: take("version") }
    });
    packages.collect()
}

/// The sources of a crate without its unit tests.
fn sources(package: &Path) -> Vec<(PathBuf, String)> {
    let files = files(&package.join("src"), "rs");
    assert!(!files.is_empty(), "{} has no sources", package.display());
    let mut texts: Vec<(PathBuf, String)> =
        files.into_iter().map(|file| (file.clone(), fs::read_to_string(file).unwrap())).collect();
    let mut of_tests: BTreeSet<PathBuf> = BTreeSet::new();
    for (file, text) in &texts {
        for (at, _) in text.match_indices("#[cfg(test)]") {
            let declared = text[at..].lines().nth(1).unwrap_or_default().trim();
            let Some((_, name)) = declared.trim_end_matches(';').rsplit_once("mod ") else { continue };
            let stem = file.file_stem().unwrap_or_default();
            let below = if ["mod", "lib", "main"].iter().any(|name| stem == *name) {
                file.parent().unwrap().to_owned()
            } else {
                file.with_extension("")
            };
            of_tests.insert(below.join(format!("{name}.rs")));
        }
    }
    texts.retain(|(file, _)| !of_tests.contains(file));
    for (_, text) in &mut texts {
        // Tests stand last in a file.
        if let Some(at) =
            text.find("#[cfg(test)]\nmod tests {").or_else(|| text.find("#[cfg(test)]\npub(crate) mod tests {"))
        {
            text.truncate(at);
        }
    }
    texts
}

/// The files below `directory` with this ending; not what a build or a trial made.
fn files(directory: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name();
            if entry.file_type().unwrap().is_dir() {
                let made = name.to_string_lossy().starts_with('.') && name != ".github";
                if !made && name != "target" && name != "mailzone-try" {
                    open.push(entry.path());
                }
            } else if entry.path().extension().is_some_and(|extension| extension == ending) {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

/// The targets of `[text](target)` outside of code.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    let lines = text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        !in_code && !fence
    });
    lines.flat_map(|line| {
        let prose = line.split('`').step_by(2);
        prose.flat_map(|prose| {
            prose.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
        })
    })
}
