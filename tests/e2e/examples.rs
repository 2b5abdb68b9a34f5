//! Every configuration below `examples/` is valid and plans as it stands.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::Project;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

/// Copies a folder without what running it left there.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_name() == ".mailzone" {
            continue;
        }
        if source.is_dir() {
            copy(&source, &target);
        } else {
            fs::copy(source, target).unwrap();
        }
    }
}

#[test]
fn every_example_is_valid_and_plans() {
    let mut seen = 0;
    for entry in fs::read_dir(examples()).unwrap() {
        let folder = entry.unwrap().path();
        if !folder.join("mailzone.toml").is_file() {
            continue;
        }
        let name = folder.file_name().unwrap().to_str().unwrap();
        let project = Project::empty();
        copy(&folder, &project.path(name));
        let configuration = format!("{name}/mailzone.toml");
        // Their servers are not here: nothing is applied.
        for args in [&["lint"][..], &["plan"]] {
            let output = project.run(["--config", &configuration].iter().chain(args));
            assert_eq!(output.code, 0, "{name}: {args:?}:\n{}{}", output.stdout, output.stderr);
        }
        seen += 1;
    }
    assert!(seen > 0, "no example in {}", examples().display());
}
